/**
 * The embedded core: compiled once a variant, instantiated on a memory of the
 * host's. The binaries are text inside the bundle, so no host needs a loader
 * or a file system; only the variant in use is decoded.
 */
import debugUnshared from '#generated/core.debug';
import debugShared from '#generated/core.debug.shared';
import releaseUnshared from '#generated/core.release';
import releaseShared from '#generated/core.release.shared';
import type { CoreExports } from '#generated/exports';

export type { CoreExports };

/** True in test bundles only; published bundles leave the debug binaries out. Set by the build. */
declare const OVERLAPPED_DEBUG_CORES: boolean | undefined;

export interface CoreVariant {
  /** For a shared memory (several threads), with real atomics; else for an unshared one. */
  readonly shared: boolean;
  /** With invariants checked and names kept. Only in this project's own tests. */
  readonly debug?: boolean;
}

const compiled = new Map<string, WebAssembly.Module>();

function nameOf({ shared, debug = false }: CoreVariant): string {
  return `${debug ? 'debug' : 'release'}${shared ? '.shared' : ''}`;
}

function embeddedText({ shared, debug = false }: CoreVariant): string {
  if (!debug) return shared ? releaseShared : releaseUnshared;
  if (typeof OVERLAPPED_DEBUG_CORES !== 'undefined' && OVERLAPPED_DEBUG_CORES) {
    return shared ? debugShared : debugUnshared;
  }
  throw new Error('the debug core is not part of the published package');
}

export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const modern = Uint8Array as typeof Uint8Array & {
    fromBase64?(text: string): Uint8Array<ArrayBuffer>;
  };
  if (modern.fromBase64 !== undefined) return modern.fromBase64(text);
  if (typeof Buffer !== 'undefined') return new Uint8Array(Buffer.from(text, 'base64'));
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/**
 * The core as a compiled module; the same one for every call with the same variant.
 * A module can be posted to a worker, which then need not compile again.
 */
export function compileCore(variant: CoreVariant): WebAssembly.Module {
  const name = nameOf(variant);
  let module = compiled.get(name);
  if (module === undefined) {
    module = new WebAssembly.Module(decodeBase64(embeddedText(variant)));
    compiled.set(name, module);
  }
  return module;
}

/** Like `compileCore`, without blocking: for a browser's main thread. */
export async function compileCoreAsync(variant: CoreVariant): Promise<WebAssembly.Module> {
  const name = nameOf(variant);
  const known = compiled.get(name);
  if (known !== undefined) return known;
  const module = await WebAssembly.compile(decodeBase64(embeddedText(variant)));
  compiled.set(name, module);
  return module;
}

/**
 * Instantiates the core on `memory`, which must be shared exactly where the
 * module's variant is, and must have a maximum. An instance has no state of
 * its own: any number may work on one shared memory.
 */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): CoreExports {
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  return instance.exports as unknown as CoreExports;
}
