/** The kinds of node in asc's syntax tree that the build looks for. */
import * as assemblyscript from 'assemblyscript';

// The types call NodeKind a const enum, which a module compiled by itself may not read; it is an object.
const { NodeKind } = assemblyscript as unknown as { NodeKind: Readonly<Record<string, number>> };

function kindOf(name: string): number {
  const kind = NodeKind[name];
  if (kind === undefined) throw new Error(`this asc has no syntax node ${name}`);
  return kind;
}

export const CALL = kindOf('Call');
export const CLASS_DECLARATION = kindOf('ClassDeclaration');
export const EXPRESSION_STATEMENT = kindOf('Expression');
export const FIELD_DECLARATION = kindOf('FieldDeclaration');
export const FUNCTION_DECLARATION = kindOf('FunctionDeclaration');
export const IDENTIFIER = kindOf('Identifier');
export const VARIABLE_STATEMENT = kindOf('Variable');
