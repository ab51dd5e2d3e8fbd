/** Every build of the core that can run in this host. */
import { type CoreExports, compileCore, instantiate } from '../../src/core/wasm.ts';
import { environment } from './environment.ts';

export interface TestCore {
  readonly exports: CoreExports;
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
  readonly shared: boolean;
  readonly debug: boolean;
}

/** Makes a core on a fresh zeroed memory of `pages` × 64 KiB (default 256: 16 MiB). */
export type MakeCore = ((pages?: number) => TestCore) & {
  readonly shared: boolean;
  readonly debug: boolean;
};

const VARIANTS = [
  { name: 'release', shared: false, debug: false },
  { name: 'release-shared', shared: true, debug: false },
  { name: 'debug', shared: false, debug: true },
  { name: 'debug-shared', shared: true, debug: true },
] as const;

/** Whether this host can make a shared memory: a browser's page must be isolated for it. */
export function sharedMemoryAvailable(): boolean {
  return (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated !== false;
}

/**
 * Calls `define` once a variant of the core; it defines the tests of that
 * variant, with `name` in their titles. The setting OVERLAPPED_TEST_VARIANTS
 * (names with commas between) chooses fewer.
 */
export function forEachVariant(define: (name: string, makeCore: MakeCore) => void): void {
  const chosen = environment('OVERLAPPED_TEST_VARIANTS')?.split(',');
  for (const { name, shared, debug } of VARIANTS) {
    if (chosen !== undefined && !chosen.includes(name)) continue;
    if (shared && !sharedMemoryAvailable()) continue;
    const make = (pages = 256): TestCore => {
      const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
      const module = compileCore({ shared, debug });
      return { exports: instantiate(module, memory), memory, module, shared, debug };
    };
    define(name, Object.assign(make, { shared, debug }));
  }
}
