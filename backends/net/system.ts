/** What this host's sockets can do: one place for its oddities. */
import type { Socket } from 'node:net';

/** The part of a TCP or pipe handle that says whether a socket can be built around it anew. */
interface StreamHandle {
  readonly useUserBuffer?: unknown;
  readonly readStart?: unknown;
}

/** A socket that still holds its handle where the host keeps one. */
export interface HandleHolder {
  _handle?: StreamHandle | null;
}

/**
 * The handle under an accepted socket, if a new socket that reads into a buffer
 * of ours can be put around it: on Node and Deno, not on Bun.
 */
export function detachableHandle(socket: Socket): StreamHandle | undefined {
  const handle = (socket as unknown as HandleHolder)._handle;
  if (handle === undefined || handle === null) return undefined;
  const usable =
    typeof handle.useUserBuffer === 'function' && typeof handle.readStart === 'function';
  return usable ? handle : undefined;
}

interface HostGlobals {
  readonly Bun?: { readonly version: string };
  readonly Deno?: { readonly version: { readonly deno: string } };
}
const globals = globalThis as HostGlobals;

export const isBun = globals.Bun !== undefined;
export const isDeno = globals.Deno !== undefined;
