/** Messages into the send queue: framed, copied, or referred to where they lie. */
import { arenaAlloc } from './arena';
import { bufferLink } from './buffer';
import { copyBytes, copyShort } from './copy';
import { encodedBytes, writeFrame } from './frame/encode';
import { lengthFieldIs } from './frame/length-field';
import {
  Connection,
  ERROR_CLOSED,
  ERROR_NO_BUFFERS,
  FRAMING_BIG_ENDIAN,
  FRAMING_RAW,
  Framing,
  Pool,
  Port,
  Profile,
  REPLY_BYTES,
  Reply,
  SEND_CHUNK_HEADER,
  STATE_BLOCKED,
  SendChunk,
  Worker,
} from './layout';
import { poolAddress, poolInUse } from './pool';
import { connectionAt, hotConnection, portOf } from './records';
import { hotQueued, linkChunk, makeRoom, queueRoom, queued, sendable } from './send-queue';

/** A shorter message is copied: a block of its own and a buffer held back cost more. */
const REFERENCE_BYTES_LEAST: u32 = 2048;
/** A peer that does not read its replies holds no more receive buffers than these. */
const REFERENCES_MAX: u32 = 4;

/** A field of up to so many bytes is written as that many, where a message of that many follows. */
const HEAD_BYTES: u32 = 4;

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
  const connection = hotConnection(port, slot);
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
  const counted: u32 = -framing.toLength;
  const shift = (4 - header) << 3;
  const first = chunk.end;
  // What a loop changes is in a register; an engine may compute the rest again and again.
  let room = maxQueuedBytes - min(connection.queuedBytes, maxQueuedBytes);
  room = min(<u32>(chunk.limit - first), room);
  let at = first;
  let left = count - from;
  let place = worker.replies + <usize>from * REPLY_BYTES;
  while (left != 0) {
    const reply = changetype<Reply>(place);
    const length = reply.length;
    const bytes = header + length;
    if (reply.connection != slot || length - HEAD_BYTES >= shorts || bytes > room) break;
    // All four bytes at once: the message comes to lie over what is too much.
    const value = length + counted;
    store<u32>(at, isBig ? bswap<u32>(value) >> shift : value);
    copyShort(at + header, reply.offset, length);
    at += bytes;
    room -= bytes;
    place += REPLY_BYTES;
    left--;
  }
  const index = count - left;
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
    const connection = hotConnection(port, slot);
    if (!sendable(connection)) return index;
    const profile = changetype<Profile>(connection.profile);
    const framing = changetype<Framing>(profile.framing);
    const plainMax = framing.plainMax;
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
    hotQueued(worker, port, slot, connection, profile);
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
