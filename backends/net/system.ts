/** What this host's sockets can do: one place for its oddities. */
import type { Socket } from 'node:net';
import process from 'node:process';

/** The part of a TCP or pipe handle that says whether a socket can be built around it anew. */
interface StreamHandle extends PeerHandle {
  readonly useUserBuffer?: unknown;
  readonly readStart?: unknown;
}

interface PeerHandle {
  getpeername?(out: object): unknown;
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

/**
 * Whether a socket whose stream just ended has no peer any more: it was reset.
 * On Linux, libuv reports the end when a reset comes behind bytes that were not
 * read yet. A connection that the peer ended still has its peer, one that was
 * reset has none. Tells nothing once this side has ended too.
 */
export function lostPeer(socket: Socket | undefined): boolean {
  return handleLostPeer((socket as unknown as HandleHolder | undefined)?._handle);
}

/** The same of a bare handle. */
export function handleLostPeer(handle: PeerHandle | null | undefined): boolean {
  if (process.platform !== 'linux') return false;
  if (typeof handle?.getpeername !== 'function') return false;
  const result = handle.getpeername({});
  return typeof result === 'number' && result !== 0;
}

interface HostGlobals {
  readonly Bun?: { readonly version: string };
}
const globals = globalThis as HostGlobals;

export const isBun = globals.Bun !== undefined;
