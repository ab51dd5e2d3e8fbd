/** Records of the core, as connections, listeners and datagram sockets use them. */
import * as layout from '#generated/layout';
import type { Port } from './port.ts';
import type { Profile, ProfileValues } from './profile.ts';

/** A fresh record, for something that is about to open. */
export interface FreshRecord {
  readonly slot: number;
  /** Names the record for good. */
  readonly token: number;
  readonly profile: Profile;
}

/**
 * @param kind `CONNECTION_*`
 * @param syscall named in the error
 * @throws OverlappedError NO_BUFFERS
 */
export function createRecord(
  port: Port,
  kind: number,
  values: ProfileValues,
  syscall: string,
): FreshRecord {
  const profile = port.profiles.acquire(values);
  const token = port.core.exports.connectionCreate(port.regions.worker, kind, profile.address);
  if (token < 0) {
    port.profiles.release(profile);
    throw port.errorOf(token, syscall);
  }
  return { slot: token % layout.POOL_CAPACITY_MAX, token, profile };
}

/** The token of an operation that opens the record: the caller hands it to the backend. */
export function openingToken(port: Port, operation: number, slot: number): number {
  return port.core.exports.operationStart(port.regions.worker, operation, slot);
}

/** The backend's handle of an open record. */
export function handleOf(port: Port, slot: number): number {
  return port.core.i32[(port.recordOf(slot) + layout.Connection.handle) >>> 2] as number;
}

/** Calls `close` when the signal aborts, or now if it has. */
export function closeOnAbort(signal: AbortSignal | undefined, close: () => Promise<void>): void {
  if (signal === undefined) return;
  if (signal.aborted) void close();
  else signal.addEventListener('abort', () => void close(), { once: true });
}
