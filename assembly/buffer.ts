/**
 * Receive buffers: lent to a backend, received into, waiting in their
 * connection's list, and released once their events have been dispatched and
 * nothing is sent out of them any more.
 */
import { invariant } from './debug';
import {
  BUFFER_LINK_BYTES,
  BufferLink,
  COMPLETION_BUFFER,
  Connection,
  ERROR_STALE_TOKEN,
  NOTHING,
  Pool,
  Port,
  Worker,
} from './layout';
import { poolAcquire, poolRelease } from './pool';
import { portOf } from './records';

@inline
export function bufferLink(port: Port, slot: i32): BufferLink {
  return changetype<BufferLink>(port.bufferLinks + <usize>slot * BUFFER_LINK_BYTES);
}

/** Takes a receive buffer on behalf of a backend. Its slot, or ERROR_NO_BUFFERS. */
export function bufferTake(workerPointer: usize): i32 {
  return bufferLend(portOf(changetype<Worker>(workerPointer)));
}

/** As `bufferTake`, from within. */
export function bufferLend(port: Port): i32 {
  const slot = poolAcquire(port.buffers);
  if (slot >= 0) bufferLink(port, slot).lent = 1;
  return slot;
}

/** Takes a buffer back from its backend: false if that does not have it (any more). */
export function bufferBack(port: Port, slot: i32): bool {
  if (<u32>slot >= changetype<Pool>(port.buffers).capacity) return false;
  const link = bufferLink(port, slot);
  if (link.lent == 0) return false;
  link.lent = 0;
  return true;
}

/** Gives a buffer back at once. 0, or ERROR_STALE_TOKEN if the backend does not have it. */
export function bufferReturn(workerPointer: usize, slot: i32): i32 {
  const port = portOf(changetype<Worker>(workerPointer));
  return bufferBack(port, slot) ? poolRelease(port.buffers, slot) : ERROR_STALE_TOKEN;
}

/** Gives back what a completion carries that nobody wants any more. */
export function dropCompletionBuffer(port: Port, flags: u32, buffer: i32): void {
  if (flags & COMPLETION_BUFFER && bufferBack(port, buffer)) poolRelease(port.buffers, buffer);
}

/** Puts a received buffer at the end of the connection's list. */
export function appendPending(port: Port, connection: Connection, buffer: i32, bytes: u32): void {
  const link = bufferLink(port, buffer);
  link.next = NOTHING;
  link.start = 0;
  link.end = bytes;
  link.holds = 1;
  if (connection.pendingTail >= 0) bufferLink(port, connection.pendingTail).next = buffer;
  else connection.pendingHead = buffer;
  connection.pendingTail = buffer;
}

/** The first of the connection's list, which there must be. */
export function takePending(port: Port, connection: Connection): i32 {
  const buffer = connection.pendingHead;
  connection.pendingHead = bufferLink(port, buffer).next;
  if (connection.pendingHead < 0) connection.pendingTail = NOTHING;
  return buffer;
}

/** Gives back what nobody will decode. */
export function dropPending(port: Port, connection: Connection): void {
  while (connection.pendingHead >= 0) releaseBuffer(port, takePending(port, connection));
}

/** Gives back the buffers whose messages have been dispatched. */
export function releaseBuffers(port: Port, worker: Worker): void {
  let buffer = worker.releaseHead;
  worker.releaseHead = NOTHING;
  while (buffer >= 0) {
    const next = bufferLink(port, buffer).next;
    releaseBuffer(port, buffer);
    buffer = next;
  }
}

/** Its bytes are handled: it is free, once nothing is sent out of it any more. */
export function releaseBuffer(port: Port, slot: i32): void {
  const link = bufferLink(port, slot);
  link.holds = 0;
  if (link.references == 0) poolRelease(port.buffers, slot);
}

/** A send out of it is done. */
export function dereferenceBuffer(port: Port, slot: i32): void {
  const link = bufferLink(port, slot);
  invariant(link.references > 0);
  link.references--;
  if (link.references == 0 && link.holds == 0) poolRelease(port.buffers, slot);
}
