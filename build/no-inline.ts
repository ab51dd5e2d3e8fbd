/**
 * `@noinline` on a function of the core: binaryen leaves calls of it calls.
 * What runs seldom then costs its bytes once, and a hot loop keeps its values
 * in registers instead of sharing them with all that surrounds it.
 */
import binaryen from 'assemblyscript/binaryen';
import { FUNCTION_DECLARATION, IDENTIFIER } from './syntax.ts';

/** What is read of a source file in the compiler's syntax tree. */
export interface SourceTree {
  readonly internalPath: string;
  readonly statements: readonly object[];
}

interface FunctionNode {
  readonly kind: number;
  readonly name: { readonly text: string };
  readonly decorators: readonly { readonly name: { kind: number; text: string } }[] | null;
}

const PASS = 'no-inline';

/** The names that binaryen has for the functions marked in `source`. */
export function findNoInline({ internalPath, statements }: SourceTree): string[] {
  return (statements as readonly FunctionNode[])
    .filter(
      ({ kind, decorators }) =>
        kind === FUNCTION_DECLARATION &&
        decorators?.some(({ name }) => name.kind === IDENTIFIER && name.text === 'noinline'),
    )
    .map(({ name }) => `${internalPath}/${name.text}`);
}

/** Before the optimizer runs. */
export function markNoInline(module: binaryen.Module, names: Iterable<string>): void {
  for (const name of names) {
    binaryen.setPassArgument(PASS, name);
    module.runPasses([PASS]);
  }
  binaryen.clearPassArguments();
}
