/** koffi, for the backends that make foreign calls: loaded once it is asked for, and only where it is safe. */
import type * as koffiModule from 'koffi';

/** All of koffi; a backend asks for the part that it uses. */
export type KoffiModule = typeof koffiModule;

/** An absolute address of this process, as a Number. 0 is NULL. */
export type Address = number;

/**
 * A foreign function with its asynchronous form, which runs on a thread of the
 * host's pool and calls back on this one. The error of an asynchronous call is
 * visible inside its callback only.
 */
export interface Foreign<Parameters extends readonly unknown[], Result> {
  (...parameters: Parameters): Result;
  async(
    ...parameters: [
      ...Parameters,
      // null without an error; koffi's own failures only, never the function's.
      callback: (error: Error | null, result: Result) => void,
    ]
  ): void;
}

/** Below these something crashes instead of failing. */
const KOFFI_LEAST = [3, 3, 4] as const;
const BUN_LEAST = [1, 4, 5] as const;
/** Of 64 bits, as the structures are declared. */
const ARCHITECTURES: readonly string[] = ['x64', 'arm64'];

/** Why foreign calls cannot be made here, before anything is loaded; undefined if they can. */
export function unsuitableHost(
  architecture: string,
  bunVersion: string | undefined,
): string | undefined {
  if (!ARCHITECTURES.includes(architecture)) return `not for ${architecture}`;
  if (bunVersion !== undefined && !atLeast(bunVersion, BUN_LEAST)) {
    return `Bun ${bunVersion} crashes in koffi: Bun ${BUN_LEAST.join('.')} or later is needed`;
  }
  return undefined;
}

/** Why this koffi will not do; undefined if it will. */
export function unsuitableKoffi(version: unknown): string | undefined {
  if (typeof version === 'string' && atLeast(version, KOFFI_LEAST)) return undefined;
  return `koffi ${KOFFI_LEAST.join('.')} or later is needed, this is ${String(version)}: npm install koffi`;
}

/** @throws Error in words for a person: it does not load, or is too old */
export async function loadKoffi(): Promise<KoffiModule> {
  let module: { readonly default?: unknown; readonly version?: unknown };
  try {
    module = (await import('koffi')) as typeof module;
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the optional dependency koffi does not load (npm install koffi): ${text}`, {
      cause,
    });
  }
  const koffi = (module.default ?? module) as KoffiModule & { readonly version?: unknown };
  const reason = unsuitableKoffi(koffi.version);
  if (reason !== undefined) throw new Error(reason);
  return koffi;
}

/** Compares the numbers of `1.2.3` and what follows them not at all. */
function atLeast(version: string, least: readonly number[]): boolean {
  const numbers = version.split(/[.+-]/, least.length).map(Number);
  for (const [index, wanted] of least.entries()) {
    const found = numbers[index] ?? 0;
    if (found !== wanted) return found > wanted;
  }
  return true;
}
