/** Windows as this process sees it: loaded once, on first use, and only there. */
import process from 'node:process';
import { loadKoffi, unsuitableHost } from '../koffi.ts';
import * as c from './constants.ts';
import { type Extensions, type Koffi, loadExtensions, loadWin32, type Win32 } from './win32.ts';

export interface System {
  readonly koffi: Koffi;
  readonly win32: Win32;
  readonly extensions: Extensions;
}

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
  return unsuitableHost(architecture, bunVersion);
}
