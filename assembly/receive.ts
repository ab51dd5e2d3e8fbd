/**
 * The receiving side of a stream: received buffers are put in order (R3), wait
 * in the connection's list, and are decoded into events as far as the ring has
 * room. A buffer is released once its events have been dispatched.
 */
import { invariant } from './debug';
import { decode, decodeEnd } from './frame/decode';
import {
  BUFFER_LINK_BYTES,
  BufferLink,
  COMPLETION_BUFFER,
  CONNECTION_DECODER,
  Connection,
  Decoder,
  ERROR_STALE_TOKEN,
  EVENT_BYTES,
  EVENT_OVERSIZE,
  Event,
  FRAMING_DISCARD_OVERSIZE,
  Framing,
  NOTHING,
  OPERATION_RECEIVE,
  PORT_PROBES_ALWAYS,
  PORT_PROBES_WHEN_SCARCE,
  PORT_SELECTS_BUFFERS,
  PROBE_RESERVE_LOG2,
  PROFILE_ADAPTIVE_DEPTH,
  PROFILE_HOLD_WHEN_BLOCKED,
  Pool,
  Port,
  Profile,
  STATE_BLOCKED,
  STATE_CLOSE_SUBMITTED,
  STATE_DISCARD,
  STATE_GOT_MESSAGE,
  STATE_HELD,
  STATE_PAUSED,
  STATE_FAILED,
  STATE_FILLED,
  STATE_READABLE,
  STATE_RECEIVE_ENDED,
  STATE_RESET,
  STATE_TRUNCATABLE,
  WORKER_DECODE_CONTEXT,
  Worker,
} from './layout';
import { operationAt, operationBegin, portOf, submissionRoom, submit } from './operation';
import { poolAcquire, poolAddress, poolInUse, poolRelease } from './pool';
import { sharedOf, workerAt } from './share';

@inline
export function bufferLink(port: Port, slot: i32): BufferLink {
  return changetype<BufferLink>(port.bufferLinks + <usize>slot * BUFFER_LINK_BYTES);
}

@inline
export function decoderOf(connection: Connection): Decoder {
  return changetype<Decoder>(changetype<usize>(connection) + CONNECTION_DECODER);
}

/** Takes a receive buffer on behalf of a backend. Its slot, or ERROR_NO_BUFFERS. */
export function bufferTake(workerPointer: usize): i32 {
  return bufferLend(portOf(changetype<Worker>(workerPointer)));
}

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

function takePending(port: Port, connection: Connection): i32 {
  const buffer = connection.pendingHead;
  connection.pendingHead = bufferLink(port, buffer).next;
  if (connection.pendingHead < 0) connection.pendingTail = NOTHING;
  return buffer;
}

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

/**
 * Decodes what the connection has, as far as the event ring has room.
 * @returns true when nothing is left to decode; false when the ring is full or
 *          the connection is paused
 */
export function decodePending(worker: Worker, slot: i32, connection: Connection): bool {
  const port = portOf(worker);
  const decoder = decoderOf(connection);
  const context = changetype<usize>(worker) + WORKER_DECODE_CONTEXT;
  while (connection.pendingHead >= 0) {
    if (connection.state & STATE_DISCARD || decoder.error != 0) {
      dropPending(port, connection);
      return true;
    }
    if (shownLater(connection)) return false;
    const room = worker.eventCapacity - worker.eventCount;
    if (room == 0) return false;
    const buffer = connection.pendingHead;
    const link = bufferLink(port, buffer);
    const input = poolAddress(port.buffers, buffer) + link.start;
    const count = decode(
      context,
      changetype<usize>(decoder),
      input,
      link.end - link.start,
      worker.events + <usize>worker.eventCount * EVENT_BYTES,
      room,
    );
    if (count > 0) countMessages(worker, connection, count);
    link.start += decoder.consumed;
    invariant(link.start <= link.end);
    if (link.start < link.end && decoder.error == 0) return false;
    takePending(port, connection);
    link.next = worker.releaseHead;
    worker.releaseHead = buffer;
  }
  return true;
}

/** Paused. A failed connection delivers what it has, paused or not: nothing more comes. */
@inline
export function shownLater(connection: Connection): bool {
  return (connection.state & (STATE_PAUSED | STATE_FAILED | STATE_DISCARD)) == STATE_PAUSED;
}

/** The stream has ended and everything before was decoded: what does the decoder say to that? */
export function decodeStreamEnd(worker: Worker, connection: Connection): bool {
  if ((connection.state & STATE_TRUNCATABLE) == 0) return true;
  const room = worker.eventCapacity - worker.eventCount;
  if (room == 0) return false;
  connection.state &= ~STATE_TRUNCATABLE;
  const decoder = decoderOf(connection);
  if (connection.state & STATE_DISCARD || decoder.error != 0) return true;
  const count = decodeEnd(
    changetype<usize>(worker) + WORKER_DECODE_CONTEXT,
    changetype<usize>(decoder),
    worker.events + <usize>worker.eventCount * EVENT_BYTES,
    room,
  );
  if (count > 0) countMessages(worker, connection, count);
  return true;
}

function countMessages(worker: Worker, connection: Connection, count: i32): void {
  let messages = count;
  const framing = changetype<Framing>(changetype<Profile>(connection.profile).framing);
  if (framing.flags & FRAMING_DISCARD_OVERSIZE) {
    const first = worker.events + <usize>worker.eventCount * EVENT_BYTES;
    for (let index = 0; index < count; index++) {
      if (changetype<Event>(first + <usize>index * EVENT_BYTES).kind == EVENT_OVERSIZE) {
        portOf(worker).oversize += 1;
        worker.others++;
        messages--;
      }
    }
  }
  connection.messagesReceived += <f64>messages;
  if (messages > 0) connection.state |= STATE_GOT_MESSAGE;
  worker.eventCount += <u32>count;
}

/** Whether anything speaks against taking more bytes from the system. */
export function receiveHeld(connection: Connection): bool {
  const state = connection.state;
  if (state & (STATE_RECEIVE_ENDED | STATE_CLOSE_SUBMITTED | STATE_RESET)) return true;
  // What is dropped anyway is read on, to see the peer's end.
  if (state & STATE_DISCARD) return false;
  if (state & (STATE_PAUSED | STATE_HELD)) return true;
  const flags = changetype<Profile>(connection.profile).flags;
  return (state & STATE_BLOCKED) != 0 && (flags & PROFILE_HOLD_WHEN_BLOCKED) != 0;
}

/**
 * How many receives to keep pending. One is enough for a peer that waits for
 * its answers: the next is posted behind them, and often finds its bytes there
 * already. A peer that fills whole buffers and gets no answers gets as many as
 * there may be.
 */
function depthOf(profile: Profile, connection: Connection): u32 {
  const adaptive = (profile.flags & PROFILE_ADAPTIVE_DEPTH) != 0;
  return adaptive && (connection.state & STATE_FILLED) == 0 ? 1 : profile.receiveDepth;
}

/**
 * Whether the next receive asks only for readiness. A buffer lent to a silent
 * peer is lost to all others, so the last of them go where bytes wait already:
 * those receives end at once.
 */
function mustProbe(port: Port, connection: Connection): bool {
  if (connection.state & STATE_READABLE) return false;
  if (port.flags & PORT_PROBES_ALWAYS) return true;
  if ((port.flags & PORT_PROBES_WHEN_SCARCE) == 0) return false;
  const capacity = changetype<Pool>(port.buffers).capacity;
  return poolInUse(port.buffers) + (capacity >> PROBE_RESERVE_LOG2) >= capacity;
}

/** The I/O thread's driver provides them. */
function provided(port: Port): u32 {
  return port.shared == 0 ? port.provided : portOf(workerAt(sharedOf(port), 0)).provided;
}

/** Less than half of the operation records are free. */
// @ts-ignore: decorator
@inline
function recordsScarce(port: Port): bool {
  return poolInUse(port.operations) << 1 > changetype<Pool>(port.operations).capacity;
}

/**
 * Keeps as many receives pending as the profile asks for, as long as there are
 * records for all.
 * @returns false if one had to wait for a record, a buffer or the ring
 */
export function armReceives(worker: Worker, slot: i32, connection: Connection): bool {
  const port = portOf(worker);
  const profile = changetype<Profile>(connection.profile);
  const selects = (port.flags & PORT_SELECTS_BUFFERS) != 0;
  const depth: u32 = selects ? 1 : depthOf(profile, connection);
  while (connection.receives < depth) {
    // The last records are for connections that have no receive at all.
    if (connection.receives > 0 && recordsScarce(port)) return true;
    if (!submissionRoom(worker, 1)) return false;
    let buffer = NOTHING;
    const probes = !selects && mustProbe(port, connection);
    if (selects) {
      // Arming with no buffer free would fail at once, again and again.
      const taken = poolInUse(port.buffers) - provided(port);
      if (taken >= changetype<Pool>(port.buffers).capacity) return false;
    } else if (probes) {
      if (connection.receives > 0) return true;
    } else {
      buffer = poolAcquire(port.buffers);
      if (buffer < 0) {
        port.starved += 1;
        return false;
      }
    }
    const operationSlot = operationBegin(port, OPERATION_RECEIVE, slot);
    if (operationSlot < 0) {
      if (buffer >= 0) poolRelease(port.buffers, buffer);
      return false;
    }
    const operation = operationAt(port, operationSlot);
    operation.sequence = connection.readSequence++;
    operation.buffer = buffer;
    operation.offset = buffer < 0 ? 0 : <u32>poolAddress(port.buffers, buffer);
    operation.length = buffer < 0 ? 0 : profile.receiveBytes;
    connection.state &= ~STATE_READABLE;
    connection.armedToken = operation.token;
    connection.receives++;
    submit(
      worker,
      OPERATION_RECEIVE,
      connection.handle,
      operation.token,
      operationSlot,
      operation.offset,
      operation.length,
      0,
    );
  }
  return true;
}

/** Gives back what a completion carries that nobody wants any more. */
export function dropCompletionBuffer(port: Port, flags: u32, buffer: i32): void {
  if (flags & COMPLETION_BUFFER && bufferBack(port, buffer)) poolRelease(port.buffers, buffer);
}
