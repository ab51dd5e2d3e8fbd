/**
 * The core as fibres can run it: compiled from the same sources as the debug
 * build for shared memory, with a call of the host before every atomic
 * operation, and made by binaryen's Asyncify pass so that the host can leave
 * off in such a call and go on later. Nothing of it is in the package.
 */
import { readFile } from 'node:fs/promises';
import { assemble, MEMORY_ARGUMENTS } from './core.ts';

/** One place in the sources, changed: the core with a fault put in on purpose. */
export interface SourceChange {
  readonly file: string;
  /** Must occur exactly once. */
  readonly from: string;
  readonly to: string;
}

export interface FibreCoreOptions {
  /** Also call the host before every plain load and store. */
  readonly everyAccess?: boolean;
  readonly changes?: readonly SourceChange[];
  /** Only the primitives: compiles in a tenth of the time. */
  readonly primitivesOnly?: boolean;
}

/**
 * What the core imports as `env`, besides the memory. With `everyAccess` also
 * binaryen's `load_ptr`, `store_ptr` and so on.
 */
export interface FibreImports {
  /** Before an atomic operation at `ptr`; `operation` indexes `operations`. Returns `ptr`. */
  pause(ptr: number, operation: number): number;
  /** In place of `memory.atomic.wait32`. */
  wait(ptr: number, expected: number, timeoutNs: bigint): number;
  /** In place of `memory.atomic.notify`. */
  notify(ptr: number, count: number): number;
}

export interface FibreBinary {
  readonly bytes: Uint8Array;
  /** Names of the atomic operations, as `pause` counts them. */
  readonly operations: readonly string[];
}

const ATOMIC = 'assembly/atomic.ts';
const PRIMITIVES = 'assembly/primitives.ts';
const PRIMITIVES_SOURCE = ['lock', 'sequence', 'reorder', 'queue', 'pool']
  .map((name) => `export * from './${name}';`)
  .join('\n');

const IMPORTS = `
// @ts-ignore: decorator
@external('env', 'pause') declare function fibrePause(ptr: usize, operation: i32): usize;
// @ts-ignore: decorator
@external('env', 'wait') declare function fibreWait(ptr: usize, expected: i32, timeoutNs: i64): i32;
// @ts-ignore: decorator
@external('env', 'notify') declare function fibreNotify(ptr: usize, count: i32): i32;
`;

function withPauses(source: string): { source: string; operations: string[] } {
  const operations: string[] = [];
  const uses = source.match(/\batomic\.\w+\s*[<(]/g)?.length ?? 0;
  const changed = source.replace(/\batomic\.(\w+)(<\w+>)?\(ptr\b/g, (_, name, type) => {
    const pause = `fibrePause(ptr, ${operations.push(name) - 1})`;
    if (name === 'wait') return `fibreWait(${pause}`;
    if (name === 'notify') return `fibreNotify(${pause}`;
    return `atomic.${name}${type}(${pause}`;
  });
  if (operations.length !== uses || uses === 0) {
    throw new Error(`${ATOMIC}: ${operations.length} of ${uses} atomic operations were recognised`);
  }
  return { source: changed + IMPORTS, operations };
}

/** The changed sources, by file. */
async function readChanged(changes: readonly SourceChange[]): Promise<Record<string, string>> {
  const sources: Record<string, string> = {};
  for (const { file, from, to } of changes) {
    const parts = (sources[file] ?? (await readFile(file, 'utf8'))).split(from);
    if (parts.length !== 2) {
      throw new Error(`${file} has ${parts.length - 1} places like this, not one:\n${from}`);
    }
    sources[file] = parts.join(to);
  }
  return sources;
}

export async function assembleFibreCore(options: FibreCoreOptions = {}): Promise<FibreBinary> {
  const { changes = [], everyAccess = false, primitivesOnly = false } = options;
  const { source, operations } = withPauses(await readFile(ATOMIC, 'utf8'));
  const bytes = await assemble(
    [
      primitivesOnly ? PRIMITIVES : 'assembly/index.ts',
      '--debug',
      ...['--enable', 'threads,simd', '--sharedMemory'],
      ...MEMORY_ARGUMENTS,
      '--noExportMemory',
      ...['--runPasses', everyAccess ? 'instrument-memory,asyncify' : 'asyncify'],
    ],
    {
      virtual: {
        [ATOMIC]: source,
        ...(primitivesOnly ? { [PRIMITIVES]: PRIMITIVES_SOURCE } : {}),
        ...(await readChanged(changes)),
      },
    },
  );
  return { bytes, operations };
}
