/**
 * The send queue of a connection (R21): what one turn sends is appended to a
 * chunk and goes out as one operation; what a partial send left is sent again.
 */
import { arenaAlloc, arenaBytesOf, arenaFree } from './arena';
import { dereferenceBuffer } from './buffer';
import { invariant } from './debug';
import {
  Connection,
  NOTHING,
  OPERATION_SEND,
  Operation,
  Port,
  Profile,
  SEND_CHUNK_HEADER,
  STATE_BLOCKED,
  STATE_CLOSED,
  STATE_CLOSE_SUBMITTED,
  STATE_ENDING,
  STATE_FILLED,
  STATE_OPEN,
  STATE_RESET,
  SendChunk,
  Worker,
} from './layout';
import { hotDirty } from './lists';
import { operationBegin, submissionRoom, submit } from './operation';
import { hotOperation, portOf } from './records';

/** Chunks grow with a burst up to this size; larger ones are made for a message that needs it. */
const CHUNK_MAX_LOG2: u32 = 17;

const UNSENDABLE: u32 = STATE_ENDING | STATE_RESET | STATE_CLOSE_SUBMITTED | STATE_CLOSED;

@inline
export function sendable(connection: Connection): bool {
  return (connection.state & STATE_OPEN) != 0 && (connection.state & UNSENDABLE) == 0;
}

@inline
export function nothingQueued(connection: Connection): bool {
  return connection.queuedBytes == 0 && connection.sends == 0;
}

/**
 * Contiguous room for `bytes` more bytes at the end of the queue, counted as
 * queued; the caller fills it before anything else happens. 0 when the arena is
 * exhausted.
 */
export function queueRoom(port: Port, connection: Connection, bytes: u32): usize {
  if (!makeRoom(port, connection, bytes)) return 0;
  const tail = changetype<SendChunk>(connection.queueTail);
  const at = tail.end;
  tail.end = at + bytes;
  connection.queuedBytes += bytes;
  return at;
}

/**
 * Sees to it that `bytes` more bytes fit the last chunk, which the caller then
 * appends before anything else happens. False when the arena is exhausted.
 */
export function makeRoom(port: Port, connection: Connection, bytes: u32): bool {
  const last = connection.queueTail;
  const tail = changetype<SendChunk>(last);
  if (last != 0 && tail.limit - tail.end >= bytes) return true;
  const needed = SEND_CHUNK_HEADER + bytes;
  const wanted = max(needed, (<u32>1) << connection.chunkLog2);
  let block = arenaAlloc(port.arena, wanted);
  // Where memory is short, a block without room for more will do.
  if (block == 0 && needed < wanted) block = arenaAlloc(port.arena, needed);
  if (block == 0) return false;
  // One was not enough for this burst: the next begins with a larger one.
  if (last != 0 && connection.chunkLog2 < CHUNK_MAX_LOG2) connection.chunkLog2++;
  const chunk = changetype<SendChunk>(block);
  const at = block + SEND_CHUNK_HEADER;
  chunk.submitted = at;
  chunk.end = at;
  chunk.limit = block + arenaBytesOf(port.arena, block);
  chunk.first = last == 0 ? 1 : 0;
  chunk.buffer = NOTHING;
  linkChunk(connection, block);
  return true;
}

/** Puts a chunk at the end of the queue. */
export function linkChunk(connection: Connection, block: usize): void {
  const chunk = changetype<SendChunk>(block);
  chunk.next = 0;
  chunk.pending = 0;
  if (connection.queueTail == 0) connection.queueHead = block;
  else changetype<SendChunk>(connection.queueTail).next = block;
  connection.queueTail = block;
  if (connection.queueSubmit == 0) connection.queueSubmit = block;
}

/** After bytes were queued: 1 if more is welcome, 0 if the caller should wait for DRAIN. */
export function queued(worker: Worker, slot: i32, connection: Connection, profile: Profile): i32 {
  return hotQueued(worker, portOf(worker), slot, connection, profile);
}

/** The same without a call. */
// @ts-ignore: decorator
@inline
export function hotQueued(
  worker: Worker,
  port: Port,
  slot: i32,
  connection: Connection,
  profile: Profile,
): i32 {
  hotDirty(worker, port, connection, slot);
  if (connection.queuedBytes <= profile.highWaterMarkBytes) return 1;
  connection.state |= STATE_BLOCKED;
  return 0;
}

/** True if a DRAIN event is due; it is owed only once. */
export function drainDue(connection: Connection): bool {
  if ((connection.state & STATE_BLOCKED) == 0) return false;
  if (connection.queuedBytes > changetype<Profile>(connection.profile).highWaterMarkBytes / 2) {
    return false;
  }
  connection.state &= ~STATE_BLOCKED;
  return true;
}

/**
 * Submits what is queued as far as credits and the host's ring allow: one
 * operation a chunk, because a chunk is what one turn gathered.
 * @returns false if something had to wait for a record or for the ring
 */
export function submitSends(worker: Worker, slot: i32, connection: Connection): bool {
  const port = portOf(worker);
  const depth = changetype<Profile>(connection.profile).sendDepth;
  while (connection.queueSubmit != 0 && connection.sends < depth) {
    const chunk = changetype<SendChunk>(connection.queueSubmit);
    if (chunk.submitted == chunk.end) {
      if (chunk.next == 0) return true;
      connection.queueSubmit = chunk.next;
      continue;
    }
    if (!submissionRoom(worker, 1)) return false;
    const length = min(<u32>(chunk.end - chunk.submitted), port.maxTransferBytes);
    const operationSlot = operationBegin(port, OPERATION_SEND, slot);
    if (operationSlot < 0) return false;
    const operation = hotOperation(port, operationSlot);
    operation.sequence = connection.writeSequence++;
    operation.chunk = connection.queueSubmit;
    chunk.pending++;
    connection.sends++;
    connection.state &= ~STATE_FILLED;
    submitSend(worker, connection, operationSlot, chunk.submitted, length);
    chunk.submitted += length;
  }
  return true;
}

function submitSend(
  worker: Worker,
  connection: Connection,
  operationSlot: i32,
  offset: usize,
  length: u32,
): void {
  const operation = hotOperation(portOf(worker), operationSlot);
  operation.offset = <u32>offset;
  operation.length = length;
  submit(
    worker,
    OPERATION_SEND,
    connection.handle,
    operation.token,
    operationSlot,
    offset,
    length,
    0,
  );
}

/**
 * A send has completed with `operation.result` bytes.
 * @returns true if all of its range is sent; false if the rest goes out again,
 *          under a new token that takes the old one's place in the order
 */
export function sendCompleted(port: Port, connection: Connection, operation: Operation): bool {
  const sent = <u32>operation.result;
  invariant(sent <= operation.length);
  connection.bytesSent += <f64>sent;
  connection.queuedBytes -= sent;
  const chunk = changetype<SendChunk>(operation.chunk);
  invariant(chunk.pending > 0);
  chunk.pending--;
  if (sent < operation.length) {
    // Nothing behind it was submitted: a backend whose sends may be partial has
    // a send depth of 1. So the rest is simply not submitted yet.
    if (connection.sends != 1 || operation.sequence + 1 != connection.writeSequence) return false;
    chunk.submitted = <usize>operation.offset + sent;
    connection.queueSubmit = operation.chunk;
  }
  freeSentChunks(port, connection);
  return true;
}

/** Frees chunks from the front of the queue that are sent whole. */
export function freeSentChunks(port: Port, connection: Connection): void {
  while (connection.queueHead != 0) {
    const head = connection.queueHead;
    const chunk = changetype<SendChunk>(head);
    if (chunk.pending != 0 || chunk.submitted != chunk.end) return;
    connection.queueHead = chunk.next;
    if (connection.queueSubmit == head) connection.queueSubmit = chunk.next;
    if (connection.queueTail == head) {
      connection.queueTail = 0;
      shrinkChunks(connection, chunk);
    }
    freeChunk(port, connection, chunk);
  }
}

function freeChunk(port: Port, connection: Connection, chunk: SendChunk): void {
  if (chunk.buffer >= 0) {
    connection.references--;
    dereferenceBuffer(port, chunk.buffer);
  }
  arenaFree(port.arena, changetype<usize>(chunk));
}

/** A burst that left most of its only chunk empty makes the next one begin with a smaller one. */
function shrinkChunks(connection: Connection, chunk: SendChunk): void {
  const start = changetype<usize>(chunk) + SEND_CHUNK_HEADER;
  const isRoomy = (chunk.end - start) << 2 < chunk.limit - start;
  const least = changetype<Profile>(connection.profile).chunkLog2;
  if (chunk.first && isRoomy && connection.chunkLog2 > least) connection.chunkLog2--;
}

/** Frees the whole queue; no operation may be in flight on it. */
export function dropQueue(port: Port, connection: Connection): void {
  while (connection.queueHead != 0) {
    const chunk = changetype<SendChunk>(connection.queueHead);
    invariant(chunk.pending == 0);
    const next = chunk.next;
    freeChunk(port, connection, chunk);
    connection.queueHead = next;
  }
  connection.queueTail = 0;
  connection.queueSubmit = 0;
  connection.queuedBytes = 0;
}

/** Drops what has not been submitted: after an abort nobody sends it any more. */
export function dropUnsubmitted(connection: Connection): void {
  let at = connection.queueSubmit;
  while (at != 0) {
    const chunk = changetype<SendChunk>(at);
    connection.queuedBytes -= <u32>(chunk.end - chunk.submitted);
    chunk.end = chunk.submitted;
    at = chunk.next;
  }
}
