/**
 * The send queue of a connection (R21): what one turn sends is appended to a
 * chunk and goes out as one operation; what a partial send left is sent again.
 */
import { arenaAlloc, arenaBytesOf, arenaFree } from './arena';
import { copyBytes, copyShort } from './copy';
import { invariant } from './debug';
import { encodedBytes, writeFrame } from './frame/encode';
import { lengthFieldIs, plainMessageMax } from './frame/length-field';
import {
  Connection,
  ERROR_CLOSED,
  ERROR_NO_BUFFERS,
  FRAMING_BIG_ENDIAN,
  FRAMING_INCLUDES_HEADER,
  FRAMING_LENGTH_FIELD,
  FRAMING_RAW,
  Framing,
  NOTHING,
  OPERATION_SEND,
  Operation,
  Pool,
  Port,
  Profile,
  REPLY_BYTES,
  Reply,
  SEND_CHUNK_HEADER,
  STATE_BLOCKED,
  STATE_CLOSE_SUBMITTED,
  STATE_CLOSED,
  STATE_ENDING,
  STATE_FILLED,
  STATE_OPEN,
  STATE_RESET,
  SendChunk,
  Worker,
} from './layout';
import {
  connectionAt,
  markDirty,
  operationAt,
  operationBegin,
  portOf,
  submissionRoom,
  submit,
} from './operation';
import { poolAddress, poolInUse } from './pool';
import { bufferLink, dereferenceBuffer } from './receive';

/** A shorter message is copied: a block of its own and a buffer held back cost more. */
const REFERENCE_BYTES_LEAST: u32 = 2048;
/** A peer that does not read its replies holds no more receive buffers than these. */
const REFERENCES_MAX: u32 = 4;

/** A field of up to so many bytes is written as that many, where a message of that many follows. */
const HEAD_BYTES: u32 = 4;

/** Chunks grow with a burst up to this size; larger ones are made for a message that needs it. */
const CHUNK_MAX_LOG2: u32 = 17;

const UNSENDABLE: u32 = STATE_ENDING | STATE_RESET | STATE_CLOSE_SUBMITTED | STATE_CLOSED;

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
function makeRoom(port: Port, connection: Connection, bytes: u32): bool {
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

function linkChunk(connection: Connection, block: usize): void {
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
  markDirty(worker, slot);
  if (connection.queuedBytes <= profile.highWaterMarkBytes) return 1;
  connection.state |= STATE_BLOCKED;
  return 0;
}

@inline
export function sendable(connection: Connection): bool {
  return (connection.state & STATE_OPEN) != 0 && (connection.state & UNSENDABLE) == 0;
}

/**
 * Appends one message as a frame. Its bytes on the wire, or a negative error
 * (nothing appended). The caller has asked `sendable`, and says `queued` after.
 */
function append(
  port: Port,
  connection: Connection,
  profile: Profile,
  payload: usize,
  length: u32,
): i32 {
  const framing = profile.framing;
  const isRaw = changetype<Framing>(framing).kind == FRAMING_RAW;
  const bytes = isRaw ? <i32>length : encodedBytes(framing, payload, length);
  if (bytes <= 0) return bytes;
  if (<u64>connection.queuedBytes + <u64>(<u32>bytes) > <u64>profile.maxQueuedBytes) {
    return ERROR_NO_BUFFERS;
  }
  const at = queueRoom(port, connection, bytes);
  if (at == 0) return ERROR_NO_BUFFERS;
  if (isRaw) copyBytes(at, payload, length);
  else writeFrame(framing, payload, length, at);
  connection.messagesSent += 1;
  return bytes;
}

/**
 * Queues a received message as the frame that it came in, where it lies: an
 * echo, or what is passed on, is not copied. Its buffer stays until it is sent.
 * @returns false if it does not lie in a receive buffer behind the very header
 *          that it would get, or buffers are few
 */
function refer(
  port: Port,
  connection: Connection,
  framing: Framing,
  payload: usize,
  length: u32,
): bool {
  const header = framing.strip;
  const pool = changetype<Pool>(port.buffers);
  const frame = payload - header;
  if (payload < header || frame < pool.slots) return false;
  const slot = <i32>((frame - pool.slots) / pool.stride);
  if (<u32>slot >= pool.capacity) return false;
  const link = bufferLink(port, slot);
  const bytes = header + length;
  const place = frame - poolAddress(port.buffers, slot);
  if (link.holds == 0 || place + bytes > link.end) return false;
  if (!lengthFieldIs(framing, bytes, frame)) return false;
  const tail = changetype<SendChunk>(connection.queueTail);
  if (connection.queueTail != 0 && tail.buffer == slot && tail.end == frame) {
    tail.end += bytes;
    tail.limit = tail.end;
    connection.queuedBytes += bytes;
    return true;
  }
  if (connection.references >= REFERENCES_MAX) return false;
  if (poolInUse(port.buffers) > pool.capacity >> 1) return false;
  const block = arenaAlloc(port.arena, SEND_CHUNK_HEADER);
  if (block == 0) return false;
  const chunk = changetype<SendChunk>(block);
  chunk.submitted = frame;
  chunk.end = frame + bytes;
  chunk.limit = chunk.end;
  chunk.first = 0;
  chunk.buffer = slot;
  link.references++;
  connection.references++;
  linkChunk(connection, block);
  connection.queuedBytes += bytes;
  return true;
}

/**
 * Queues one message as a frame.
 * @returns 1, 0 (queued, but wait for DRAIN), or a negative error (nothing queued)
 */
export function send(workerPointer: usize, slot: i32, payload: usize, length: u32): i32 {
  const worker = changetype<Worker>(workerPointer);
  const port = portOf(worker);
  const connection = connectionAt(port, slot);
  if (!sendable(connection)) return ERROR_CLOSED;
  const profile = changetype<Profile>(connection.profile);
  const bytes = append(port, connection, profile, payload, length);
  if (bytes < 0) return bytes;
  // Nothing to send changes nothing: an empty message of a framing without frames.
  if (bytes == 0) return connection.state & STATE_BLOCKED ? 0 : 1;
  return queued(worker, slot, connection, profile);
}

/** Queues bytes as they are, without a frame around them. Results as `send`. */
export function sendRaw(workerPointer: usize, slot: i32, payload: usize, length: u32): i32 {
  const worker = changetype<Worker>(workerPointer);
  const port = portOf(worker);
  const connection = connectionAt(port, slot);
  if (!sendable(connection)) return ERROR_CLOSED;
  if (length == 0) return connection.state & STATE_BLOCKED ? 0 : 1;
  const profile = changetype<Profile>(connection.profile);
  if (<u64>connection.queuedBytes + <u64>length > <u64>profile.maxQueuedBytes) {
    return ERROR_NO_BUFFERS;
  }
  const at = queueRoom(port, connection, length);
  if (at == 0) return ERROR_NO_BUFFERS;
  copyBytes(at, payload, length);
  return queued(worker, slot, connection, profile);
}

/**
 * Appends replies to `slot` that a plain length field carries, while they are
 * short and fit the last chunk, which there must be: most of a burst, with all
 * that does not change in it held in locals.
 * @returns the index of the first reply that is left
 */
// @ts-ignore: decorator
@inline
function appendRun(
  worker: Worker,
  slot: i32,
  connection: Connection,
  maxQueuedBytes: u32,
  framing: Framing,
  shorts: u32,
  from: u32,
  count: u32,
): u32 {
  const chunk = changetype<SendChunk>(connection.queueTail);
  const header = framing.size;
  const isBig = (framing.flags & FRAMING_BIG_ENDIAN) != 0;
  const counted: u32 = framing.flags & FRAMING_INCLUDES_HEADER ? header : 0;
  const shift = (4 - header) << 3;
  const first = chunk.end;
  const room = maxQueuedBytes - min(connection.queuedBytes, maxQueuedBytes);
  const stop = first + min<usize>(chunk.limit - first, room);
  let at = first;
  let index = from;
  while (index < count) {
    const reply = changetype<Reply>(worker.replies + <usize>index * REPLY_BYTES);
    const length = reply.length;
    const next = at + header + length;
    if (reply.connection != slot || length - HEAD_BYTES >= shorts || next > stop) break;
    // All four bytes at once: the message comes to lie over what is too much.
    const value = length + counted;
    store<u32>(at, isBig ? bswap<u32>(value) >> shift : value);
    copyShort(at + header, reply.offset, length);
    at = next;
    index++;
  }
  chunk.end = at;
  connection.queuedBytes += <u32>(at - first);
  connection.messagesSent += <f64>(index - from);
  return index;
}

/**
 * Queues the first `count` replies of the worker's list; large ones may be sent
 * from where they lie, so nobody changes them any more. Stops at the first that
 * fails and returns its index, or `count` if all were taken; the failure itself
 * is what `send` returns for that reply.
 */
export function sendList(workerPointer: usize, from: u32, count: u32): u32 {
  const worker = changetype<Worker>(workerPointer);
  const port = portOf(worker);
  let index = from;
  while (index < count) {
    // Replies come in runs for one connection: what does not change in a run is looked up once.
    const slot = changetype<Reply>(worker.replies + <usize>index * REPLY_BYTES).connection;
    const connection = connectionAt(port, slot);
    if (!sendable(connection)) return index;
    const profile = changetype<Profile>(connection.profile);
    const framing = changetype<Framing>(profile.framing);
    const plainMax: u32 = framing.kind == FRAMING_LENGTH_FIELD ? plainMessageMax(framing) : 0;
    // How many lengths are short ones, the least of which is HEAD_BYTES.
    let shorts = min(plainMax, REFERENCE_BYTES_LEAST);
    shorts = framing.size > HEAD_BYTES || shorts < HEAD_BYTES ? 0 : shorts - HEAD_BYTES;
    let bytes = 0;
    while (index < count) {
      const reply = changetype<Reply>(worker.replies + <usize>index * REPLY_BYTES);
      if (reply.connection != slot) break;
      const length = reply.length;
      if (length - HEAD_BYTES < shorts && makeRoom(port, connection, framing.size + length)) {
        const first = index;
        const most = profile.maxQueuedBytes;
        index = appendRun(worker, slot, connection, most, framing, shorts, first, count);
        if (index != first) continue;
      }
      bytes = appendReply(port, connection, profile, plainMax, reply.offset, length);
      if (bytes < 0) break;
      index++;
    }
    queued(worker, slot, connection, profile);
    if (bytes < 0) return index;
  }
  return count;
}

/** As `append`; a large message that a plain length field carries may stay where it lies. */
// @ts-ignore: decorator
@inline
function appendReply(
  port: Port,
  connection: Connection,
  profile: Profile,
  plainMax: u32,
  payload: usize,
  length: u32,
): i32 {
  const bytes = changetype<Framing>(profile.framing).strip + length;
  if (
    length < plainMax &&
    length >= REFERENCE_BYTES_LEAST &&
    // Its connection and the buffer's might go to two workers.
    port.shared == 0 &&
    <u64>connection.queuedBytes + <u64>bytes <= <u64>profile.maxQueuedBytes &&
    refer(port, connection, changetype<Framing>(profile.framing), payload, length)
  ) {
    connection.messagesSent += 1;
    return <i32>bytes;
  }
  return append(port, connection, profile, payload, length);
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
    const operation = operationAt(port, operationSlot);
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
  const operation = operationAt(portOf(worker), operationSlot);
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

@inline
export function nothingQueued(connection: Connection): bool {
  return connection.queuedBytes == 0 && connection.sends == 0;
}
