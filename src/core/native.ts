/**
 * The kernels' own structures, written and read in linear memory: a module of
 * its own beside the core, for native backends only, so that nobody else
 * carries it. Instantiated on first use, on the core's memory.
 */
import debugUnshared from '#generated/native.debug';
import debugShared from '#generated/native.debug.shared';
import releaseUnshared from '#generated/native.release';
import releaseShared from '#generated/native.release.shared';
import type { NativeExports } from '#generated/native-exports';
import type { Core } from './core.ts';
import { decodeBase64 } from './wasm.ts';

export type { NativeExports };

/** True in test bundles only. Set by the build. */
declare const OVERLAPPED_DEBUG_CORES: boolean | undefined;

const compiled = new Map<string, WebAssembly.Module>();
const instances = new WeakMap<Core, NativeExports>();

function embeddedText({ shared, debug }: Core): string {
  if (debug && typeof OVERLAPPED_DEBUG_CORES !== 'undefined' && OVERLAPPED_DEBUG_CORES) {
    return shared ? debugShared : debugUnshared;
  }
  return shared ? releaseShared : releaseUnshared;
}

/** The functions of the native module on `core`'s memory: the same ones for every call. */
export function nativeOf(core: Core): NativeExports {
  let exports = instances.get(core);
  if (exports === undefined) {
    const text = embeddedText(core);
    let module = compiled.get(text);
    if (module === undefined) {
      module = new WebAssembly.Module(decodeBase64(text));
      compiled.set(text, module);
    }
    const instance = new WebAssembly.Instance(module, { env: { memory: core.memory } });
    exports = instance.exports as unknown as NativeExports;
    instances.set(core, exports);
  }
  return exports;
}
