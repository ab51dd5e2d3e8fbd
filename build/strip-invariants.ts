/** Removes `invariant(…);` from the syntax tree before a release is compiled; see assembly/debug.ts for why. */
import { Node } from 'assemblyscript';
import { CALL, EXPRESSION_STATEMENT, IDENTIFIER } from './syntax.ts';

/** What is read of the compiler's syntax tree, whose nodes are plain objects. */
type TreeNode = Record<string, unknown>;

function isNode(value: unknown): value is TreeNode {
  return typeof value === 'object' && value !== null && 'kind' in value;
}

function isInvariant(value: unknown): value is TreeNode {
  if (!isNode(value) || value.kind !== EXPRESSION_STATEMENT) return false;
  const call = value.expression;
  if (!isNode(call) || call.kind !== CALL) return false;
  const callee = call.expression;
  return isNode(callee) && callee.kind === IDENTIFIER && callee.text === 'invariant';
}

/** Replaces every invariant below `node`; returns how many there were. */
export function stripInvariants(node: object): number {
  let count = 0;
  const record = node as TreeNode;
  for (const [key, value] of Object.entries(record)) {
    // A range leads back to the whole source.
    if (key === 'range' || typeof value !== 'object' || value === null) continue;
    if (isInvariant(value)) {
      record[key] = Node.createEmptyStatement(value.range as never);
      count++;
    } else if (Array.isArray(value) || isNode(value)) count += stripInvariants(value);
  }
  return count;
}
