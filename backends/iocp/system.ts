/** Windows as this process sees it: loaded once, on first use, and only there. */
import process from 'node:process';
import * as c from './constants.ts';
import { type Extensions, type Koffi, loadExtensions, loadWin32, type Win32 } from './win32.ts';

export interface System {
  readonly koffi: Koffi;
  readonly win32: Win32;
  readonly extensions: Extensions;
}

/** Below these something crashes instead of failing. */
const KOFFI_LEAST = [3, 3, 4] as const;
const BUN_LEAST = [1, 4, 5] as const;
const ARCHITECTURES: readonly string[] = ['x64', 'arm64'];

let loading: Promise<System> | undefined;

/**
 * Loads koffi, Winsock and the functions behind AcceptEx.
 * @throws Error in words for a person: why it cannot be done here
 */
export function loadSystem(): Promise<System> {
  loading ??= load();
  // A failure is not kept: koffi may be installed, and asked for again.
  loading.catch(() => {
    loading = undefined;
  });
  return loading;
}

async function load(): Promise<System> {
  const reason = unsupported(process.platform, process.arch, process.versions.bun);
  if (reason !== undefined) throw new Error(reason);
  const koffi = await loadKoffi();
  const win32 = loadWin32(koffi);
  const failed = win32.WSAStartup(c.WINSOCK_VERSION, new Uint8Array(c.WSADATA.$size));
  if (failed !== 0) throw new Error(`Winsock does not start: error ${failed}`);
  const socket = win32.WSASocketW(
    c.AF_INET,
    c.SOCK_STREAM,
    c.IPPROTO_TCP,
    null,
    0,
    c.WSA_FLAG_OVERLAPPED | c.WSA_FLAG_NO_HANDLE_INHERIT,
  );
  if (socket === c.INVALID_SOCKET) {
    throw new Error(`no overlapped socket: Winsock error ${win32.WSAGetLastError()}`);
  }
  try {
    return { koffi, win32, extensions: loadExtensions(koffi, win32, socket) };
  } finally {
    win32.closesocket(socket);
  }
}

/** Why this host cannot have it, before anything is loaded; undefined if it can. */
export function unsupported(
  platform: string,
  architecture: string,
  bunVersion: string | undefined,
): string | undefined {
  if (platform !== 'win32') return `completion ports are Windows' own; this is ${platform}`;
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

async function loadKoffi(): Promise<Koffi> {
  let module: { readonly default?: unknown; readonly version?: unknown };
  try {
    module = (await import('koffi')) as typeof module;
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the optional dependency koffi does not load (npm install koffi): ${text}`, {
      cause,
    });
  }
  const koffi = (module.default ?? module) as Koffi & { readonly version?: unknown };
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
