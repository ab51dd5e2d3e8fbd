/**
 * The life of a connection, listener or datagram socket: what is asked of it,
 * what is submitted next, and when its record may be used again. A record is
 * freed after its last completion and after its CLOSE event was dispatched
 * (R20); until then nothing that it lent is touched.
 */
import { advanceDatagram } from './datagram';
import { invariant } from './debug';
import { emit } from './event';
import { decodeReset } from './frame/decode';
import {
  CLOSE_RESET,
  CONNECTION_DATAGRAM,
  CONNECTION_LISTENER,
  CONNECTION_READ_STORE,
  CONNECTION_STREAM,
  CONNECTION_WINDOWS,
  CONNECTION_WRITE_STORE,
  Connection,
  ERROR_NO_BUFFERS,
  ERROR_TIMED_OUT,
  EVENT_CLOSE,
  NOTHING,
  OPERATION_ACCEPT,
  OPERATION_CANCEL,
  OPERATION_CLOSE,
  OPERATION_SHUTDOWN,
  PORT_SELECTS_BUFFERS,
  PROFILE_ALLOW_HALF_OPEN,
  Pool,
  Port,
  Profile,
  SendChunk,
  STATE_BLOCKED,
  STATE_CANCEL_SUBMITTED,
  STATE_CLOSED,
  STATE_CLOSE_SUBMITTED,
  STATE_CLOSING,
  STATE_DIRTY,
  STATE_DISCARD,
  STATE_ENDING,
  STATE_FAILED,
  STATE_FAIL_REPORTED,
  STATE_GOT_MESSAGE,
  STATE_HELD,
  STATE_OPEN,
  STATE_OPENING,
  STATE_PARKED,
  STATE_PAUSED,
  STATE_READY,
  STATE_RECEIVE_ENDED,
  STATE_RECEIVE_FINISHED,
  STATE_RESET,
  STATE_SEND_DOWN,
  STATE_SHUTDOWN_SUBMITTED,
  STATE_TRUNCATABLE,
  WORKER_DECODE_CONTEXT,
  Worker,
} from './layout';
import {
  connectionAt,
  markDirty,
  markReady,
  operationAt,
  operationBegin,
  operationEnd,
  portOf,
  submissionRoom,
  submit,
} from './operation';
import { poolAcquire, poolCheck, poolRelease, poolToken } from './pool';
import { armReceives, decoderOf, dropPending, receiveHeld } from './receive';
import { storeDrain, storeInit } from './reorder';
import { dropQueue, dropUnsubmitted, nothingQueued, submitSends } from './send';
import { linkClaim, pokeOverdue, tellListener } from './share';

/** States in which a listener takes no connection. */
export const UNACCEPTING: u32 = STATE_ENDING | STATE_RESET | STATE_CLOSE_SUBMITTED | STATE_CLOSED;

@inline
export function readStore(connection: Connection): usize {
  return changetype<usize>(connection) + CONNECTION_READ_STORE;
}

@inline
export function writeStore(connection: Connection): usize {
  return changetype<usize>(connection) + CONNECTION_WRITE_STORE;
}

/** Bytes of one connection record with its two windows. */
export function connectionBytes(readWindowLog2: u32, writeWindowLog2: u32): u32 {
  return (
    CONNECTION_WINDOWS + ((((<u32>4) << readWindowLog2) + ((<u32>4) << writeWindowLog2) + 7) & ~7)
  );
}

/** A fresh record in state OPENING. Its slot, or ERROR_NO_BUFFERS. */
export function connectionBegin(port: Port, kind: u32, profile: usize): i32 {
  const slot = poolAcquire(port.connections);
  if (slot < 0) return ERROR_NO_BUFFERS;
  const connection = connectionAt(port, slot);
  memory.fill(changetype<usize>(connection), 0, CONNECTION_WINDOWS);
  memory.fill(changetype<usize>(connection) + port.stateOffset, 0, port.stateBytes);
  connection.token = poolToken(port.connections, slot);
  connection.kind = kind;
  connection.profile = profile;
  connection.state = STATE_OPENING;
  connection.handle = -1;
  connection.pendingHead = NOTHING;
  connection.pendingTail = NOTHING;
  connection.nextReady = NOTHING;
  connection.nextDirty = NOTHING;
  connection.nextClosed = NOTHING;
  connection.activityMs = port.nowMs;
  connection.openedMs = port.nowMs;
  connection.chunkLog2 = changetype<Profile>(profile).chunkLog2;
  const decoder = decoderOf(connection);
  decoder.framing = changetype<Profile>(profile).framing;
  decoder.owner = slot;
  numberFrom(port, connection, 0, 0);
  return slot;
}

/** Both stores empty, with these numbers the next. */
function numberFrom(port: Port, connection: Connection, read: u32, write: u32): void {
  connection.readSequence = read;
  connection.writeSequence = write;
  const readWindow = changetype<usize>(connection) + CONNECTION_WINDOWS;
  storeInit(readStore(connection), readWindow, port.readWindowLog2, read);
  const writeWindow = readWindow + ((<usize>4) << port.readWindowLog2);
  storeInit(writeStore(connection), writeWindow, port.writeWindowLog2, write);
}

/** For the host: a record to listen, bind or connect with. Its token, or a negative error. */
export function connectionCreate(workerPointer: usize, kind: u32, profile: usize): f64 {
  const port = portOf(changetype<Worker>(workerPointer));
  const slot = connectionBegin(port, kind, profile);
  return slot < 0 ? <f64>slot : connectionAt(port, slot).token;
}

/** Gives back a record that the host made and nothing was started with. */
export function connectionDiscard(workerPointer: usize, slot: i32): void {
  const port = portOf(changetype<Worker>(workerPointer));
  invariant(connectionAt(port, slot).operations == 0);
  poolRelease(port.connections, slot);
}

/** The slot that a connection's token names, or ERROR_STALE_TOKEN. */
export function connectionCheck(workerPointer: usize, token: f64): i32 {
  return poolCheck(portOf(changetype<Worker>(workerPointer)).connections, token);
}

/** Numbers of the next receive and send: for tests that start near the wrap-around. */
export function connectionSequences(workerPointer: usize, slot: i32, read: u32, write: u32): void {
  const port = portOf(changetype<Worker>(workerPointer));
  numberFrom(port, connectionAt(port, slot), read, write);
}

/** The operation that opens it has succeeded. */
export function connectionOpened(port: Port, connection: Connection, handle: i32): void {
  connection.handle = handle;
  connection.state = (connection.state & ~STATE_OPENING) | STATE_OPEN;
  if (connection.kind == CONNECTION_STREAM) connection.state |= STATE_TRUNCATABLE;
  connection.openedMs = port.nowMs;
  connection.activityMs = connection.openedMs;
}

/**
 * The transport failed, or a limit was passed: what was received before is still
 * delivered, then ERROR, then the connection is reset. The first failure counts.
 */
export function connectionFail(worker: Worker, slot: i32, error: i32, systemError: i32): void {
  const port = portOf(worker);
  const connection = connectionAt(port, slot);
  if (connection.state & (STATE_RESET | STATE_CLOSE_SUBMITTED | STATE_CLOSED)) return;
  if ((connection.state & STATE_FAILED) == 0) {
    connection.error = error;
    connection.systemError = systemError;
    port.failed += 1;
  }
  connection.state |= STATE_FAILED | STATE_RECEIVE_ENDED | STATE_RESET;
  markReady(worker, slot);
  if (connection.state & STATE_FAIL_REPORTED) markDirty(worker, slot);
}

/** Half-close: what is queued is sent, then the send side ends. */
export function connectionEnd(workerPointer: usize, slot: i32): void {
  const worker = changetype<Worker>(workerPointer);
  connectionAt(portOf(worker), slot).state |= STATE_ENDING;
  markDirty(worker, slot);
}

/** Orderly close: what is queued is sent, what comes in is dropped, the peer's end is awaited. */
export function connectionClose(workerPointer: usize, slot: i32): void {
  const worker = changetype<Worker>(workerPointer);
  const connection = connectionAt(portOf(worker), slot);
  if (connection.closingMs == 0) connection.closingMs = max(portOf(worker).nowMs, 1);
  connection.state |= STATE_ENDING | STATE_CLOSING | STATE_DISCARD;
  if (connection.state & STATE_OPENING) connection.state |= STATE_RESET;
  markReady(worker, slot);
  markDirty(worker, slot);
}

/** Reset: nothing more is sent or delivered. `error` is what CLOSE reports. */
export function connectionAbort(workerPointer: usize, slot: i32, error: i32): void {
  const worker = changetype<Worker>(workerPointer);
  const connection = connectionAt(portOf(worker), slot);
  if (connection.state & (STATE_CLOSE_SUBMITTED | STATE_CLOSED)) return;
  if (connection.error == 0) connection.error = error;
  // Already told: no ERROR event on top of what the caller knows.
  connection.state |= STATE_RESET | STATE_DISCARD | STATE_FAILED | STATE_FAIL_REPORTED;
  markDirty(worker, slot);
}

/**
 * The host found the peer at fault and has reported it: what is queued is still
 * sent, what comes in is dropped, and CLOSE carries `error`.
 */
export function connectionReject(workerPointer: usize, slot: i32, error: i32): void {
  const worker = changetype<Worker>(workerPointer);
  const connection = connectionAt(portOf(worker), slot);
  if (connection.state & (STATE_FAILED | STATE_CLOSE_SUBMITTED | STATE_CLOSED)) return;
  connection.error = error;
  connection.state |= STATE_FAILED | STATE_FAIL_REPORTED | STATE_DISCARD;
  portOf(worker).failed += 1;
  markReady(worker, slot);
  markDirty(worker, slot);
}

/** A listener whose accept had failed, or a datagram socket whose receives had, tries again. */
export function listenerResume(workerPointer: usize, slot: i32): void {
  const worker = changetype<Worker>(workerPointer);
  connectionAt(portOf(worker), slot).state &= ~STATE_PAUSED;
  markDirty(worker, slot);
}

/** No more events of this connection until `connectionResume`, and no more bytes taken from the system. */
export function connectionPause(workerPointer: usize, slot: i32): void {
  const worker = changetype<Worker>(workerPointer);
  connectionAt(portOf(worker), slot).state |= STATE_PAUSED;
  markDirty(worker, slot);
}

/** No more bytes are taken from the system until `connectionResume`; what was taken is delivered. */
export function connectionHold(workerPointer: usize, slot: i32): void {
  const worker = changetype<Worker>(workerPointer);
  connectionAt(portOf(worker), slot).state |= STATE_HELD;
  markDirty(worker, slot);
}

/** Ends a pause or a hold. Returns 1 if a turn is needed for what has waited. */
export function connectionResume(workerPointer: usize, slot: i32): i32 {
  const worker = changetype<Worker>(workerPointer);
  const connection = connectionAt(portOf(worker), slot);
  connection.state &= ~(STATE_PAUSED | STATE_HELD);
  markDirty(worker, slot);
  if (connection.pendingHead < 0 && (connection.state & STATE_RECEIVE_ENDED) == 0) return 0;
  markReady(worker, slot);
  return 1;
}

/**
 * Submits what the connection's state asks for.
 * @returns false if something had to wait for a record, a buffer or the ring:
 *          the connection then stays dirty
 */
export function advance(worker: Worker, slot: i32): bool {
  const connection = connectionAt(portOf(worker), slot);
  const state = connection.state;
  if (state & (STATE_CLOSE_SUBMITTED | STATE_CLOSED)) return true;
  if (state & STATE_OPENING) return (state & STATE_RESET) == 0 || submitCancel(worker, connection);
  if (
    (state & STATE_RESET) != 0 &&
    (state & (STATE_FAILED | STATE_FAIL_REPORTED)) != STATE_FAILED
  ) {
    dropUnsubmitted(connection);
    return submitClose(worker, slot, connection, CLOSE_RESET);
  }
  if (state & STATE_RESET) return true;
  if (connection.kind == CONNECTION_STREAM) return advanceStream(worker, slot, connection);
  if (connection.kind == CONNECTION_DATAGRAM) {
    if (!advanceDatagram(worker, slot, connection)) return false;
    if ((connection.state & STATE_ENDING) == 0 || !nothingQueued(connection)) return true;
    return submitClose(worker, slot, connection, 0);
  }
  return advanceListener(worker, slot, connection);
}

function advanceStream(worker: Worker, slot: i32, connection: Connection): bool {
  const port = portOf(worker);
  // The peer's end, or a broken frame, was dispatched: the handlers had their
  // last word, the rest is closed in order.
  if ((connection.state & STATE_RESET) == 0 && mustEnd(connection)) {
    connection.state |= STATE_ENDING | STATE_CLOSING;
    if (connection.state & STATE_FAIL_REPORTED) connection.state |= STATE_DISCARD;
    if (connection.closingMs == 0) connection.closingMs = max(port.nowMs, 1);
  }
  let done = submitSends(worker, slot, connection);
  let state = connection.state;
  if (
    (state & (STATE_ENDING | STATE_SHUTDOWN_SUBMITTED | STATE_RESET)) == STATE_ENDING &&
    nothingQueued(connection)
  ) {
    if (submitPlain(worker, slot, connection, OPERATION_SHUTDOWN, 0) != 0) {
      connection.state |= STATE_SHUTDOWN_SUBMITTED;
    } else done = false;
  }
  if (!receiveHeld(connection)) {
    if (!armReceives(worker, slot, connection)) done = false;
  } else if (connection.receives > 0 && port.flags & PORT_SELECTS_BUFFERS) {
    if (!submitCancel(worker, connection)) done = false;
  }
  state = connection.state;
  if (state & STATE_SEND_DOWN && state & STATE_RECEIVE_FINISHED) {
    if (!submitClose(worker, slot, connection, 0)) done = false;
  }
  return done;
}

function mustEnd(connection: Connection): bool {
  if (connection.state & STATE_FAIL_REPORTED) return true;
  const flags = changetype<Profile>(connection.profile).flags;
  return (connection.state & STATE_RECEIVE_FINISHED) != 0 && (flags & PROFILE_ALLOW_HALF_OPEN) == 0;
}

function advanceListener(worker: Worker, slot: i32, connection: Connection): bool {
  if (connection.state & STATE_ENDING) return submitClose(worker, slot, connection, 0);
  const full = listenerFull(connection);
  if (connection.receives > 0) return full ? submitCancel(worker, connection) : true;
  if (full || connection.state & STATE_PAUSED) return true;
  const token = submitPlain(worker, slot, connection, OPERATION_ACCEPT, 0);
  if (token == 0) return false;
  connection.armedToken = token;
  connection.receives++;
  return true;
}

/** Asks for the armed operation back; its completion clears the request. */
function submitCancel(worker: Worker, connection: Connection): bool {
  if (connection.state & STATE_CANCEL_SUBMITTED) return true;
  if (!submissionRoom(worker, 1)) return false;
  connection.state |= STATE_CANCEL_SUBMITTED;
  submit(worker, OPERATION_CANCEL, connection.handle, connection.armedToken, NOTHING, 0, 0, 0);
  return true;
}

/** Submits an operation without a range. Its token, or 0 if it has to wait for a record or the ring. */
function submitPlain(
  worker: Worker,
  slot: i32,
  connection: Connection,
  kind: u32,
  flags: u32,
): f64 {
  if (!submissionRoom(worker, 1)) return 0;
  const port = portOf(worker);
  const operationSlot = operationBegin(port, kind, slot);
  if (operationSlot < 0) return 0;
  const token = operationAt(port, operationSlot).token;
  submit(worker, kind, connection.handle, token, operationSlot, 0, 0, flags);
  return token;
}

function submitClose(worker: Worker, slot: i32, connection: Connection, flags: u32): bool {
  if (submitPlain(worker, slot, connection, OPERATION_CLOSE, flags) == 0) return false;
  connection.state |= STATE_CLOSE_SUBMITTED;
  return true;
}

/** A handle without a record: closed by reset at once. Needs room for one submission. */
export function closeOrphan(worker: Worker, handle: i32): void {
  const port = portOf(worker);
  const operationSlot = operationBegin(port, OPERATION_CLOSE, NOTHING);
  if (operationSlot < 0) return;
  const token = operationAt(port, operationSlot).token;
  submit(worker, OPERATION_CLOSE, handle, token, operationSlot, 0, 0, CLOSE_RESET);
}

/** Everything it lent is back: reports CLOSE and queues the record for release. */
export function connectionClosed(worker: Worker, slot: i32): void {
  const port = portOf(worker);
  const connection = connectionAt(port, slot);
  releaseStored(port, readStore(connection));
  releaseStored(port, writeStore(connection));
  invariant(connection.operations == 0);
  if (connection.kind == CONNECTION_LISTENER) resetParked(worker, connection);
  dropPending(port, connection);
  dropQueue(port, connection);
  decodeReset(
    changetype<usize>(worker) + WORKER_DECODE_CONTEXT,
    changetype<usize>(decoderOf(connection)),
  );
  connection.state |= STATE_CLOSED;
  if (port.shared != 0) linkClaim(worker, connection, slot);
  else {
    connection.nextClosed = worker.closedHead;
    worker.closedHead = slot;
  }
  if (connection.state & STATE_PARKED) return; // Nobody knows of it.
  if (connection.kind == CONNECTION_STREAM) port.closed += 1;
  const listener =
    connection.listenerToken == 0 ? NOTHING : poolCheck(port.connections, connection.listenerToken);
  if (worker.index != 0) tellListener(port, connection.listenerToken);
  else if (listener >= 0) {
    connectionAt(port, listener).accepted--;
    markDirty(worker, listener);
    if (connectionAt(port, listener).pendingHead >= 0) markReady(worker, listener);
  }
  emit(worker, EVENT_CLOSE, slot, <u32>connection.error, <u32>connection.systemError);
}

/** True while a listener's profile allows no further connection. */
export function listenerFull(listener: Connection): bool {
  const limit = changetype<Profile>(listener.profile).maxConnections;
  return limit != 0 && listener.accepted >= limit;
}

/** A backend accepts ahead: what is above the limit waits here as it would in the system's queue. */
export function park(port: Port, listener: Connection, slot: i32, handle: i32): void {
  const connection = connectionAt(port, slot);
  connection.state = STATE_PARKED;
  connection.handle = handle;
  if (listener.pendingTail >= 0) connectionAt(port, listener.pendingTail).nextReady = slot;
  else listener.pendingHead = slot;
  listener.pendingTail = slot;
}

/** Takes the connection that has waited longest: its slot, or NOTHING if none may go on. */
export function unpark(port: Port, listener: Connection): i32 {
  const slot = listener.pendingHead;
  if (slot < 0 || listenerFull(listener) || listener.state & UNACCEPTING) return NOTHING;
  const connection = connectionAt(port, slot);
  connection.state &= ~STATE_PARKED;
  listener.pendingHead = connection.nextReady;
  if (listener.pendingHead < 0) listener.pendingTail = NOTHING;
  connection.nextReady = NOTHING;
  return slot;
}

function resetParked(worker: Worker, listener: Connection): void {
  const port = portOf(worker);
  let slot = listener.pendingHead;
  listener.pendingHead = NOTHING;
  listener.pendingTail = NOTHING;
  while (slot >= 0) {
    const connection = connectionAt(port, slot);
    const next = connection.nextReady;
    connection.nextReady = NOTHING;
    connection.state |= STATE_RESET;
    markDirty(worker, slot);
    slot = next;
  }
}

/** Completions that still waited for an earlier one: it will not come any more. */
function releaseStored(port: Port, store: usize): void {
  let stored = storeDrain(store);
  while (stored >= 0) {
    const operation = operationAt(port, stored);
    if (operation.buffer >= 0) poolRelease(port.buffers, operation.buffer);
    if (operation.chunk != 0) changetype<SendChunk>(operation.chunk).pending--;
    operationEnd(port, stored);
    stored = storeDrain(store);
  }
}

/** Releases the records whose CLOSE event has been dispatched. */
export function releaseClosed(worker: Worker): void {
  const port = portOf(worker);
  let slot = worker.closedHead;
  worker.closedHead = NOTHING;
  while (slot >= 0) {
    const connection = connectionAt(port, slot);
    const next = connection.nextClosed;
    if (connection.state & (STATE_READY | STATE_DIRTY)) {
      // Still linked in a list: stays until that list has passed it.
      connection.nextClosed = worker.closedHead;
      worker.closedHead = slot;
    } else poolRelease(port.connections, slot);
    slot = next;
  }
}

/** Whether a connection is past one of its time limits. */
function isOverdue(connection: Connection, nowMs: u32): bool {
  const state = connection.state;
  if (connection.kind != CONNECTION_STREAM || (state & STATE_OPEN) == 0) return false;
  if (state & (STATE_CLOSE_SUBMITTED | STATE_CLOSED | STATE_RESET)) return false;
  const profile = changetype<Profile>(connection.profile);
  if (connection.closingMs != 0) return passed(nowMs, connection.closingMs, profile.closeTimeoutMs);
  return (
    passed(nowMs, connection.activityMs, profile.idleTimeoutMs) ||
    ((state & STATE_GOT_MESSAGE) == 0 &&
      passed(nowMs, connection.openedMs, profile.firstMessageTimeoutMs))
  );
}

/** `limitMs` 0 is no limit. A time that seems to come was read on another worker's clock. */
function passed(nowMs: u32, sinceMs: u32, limitMs: u32): bool {
  return limitMs != 0 && <i64>(<i32>(nowMs - sinceMs)) >= <i64>limitMs;
}

/** Ends a connection that is past one of its time limits. */
export function expire(worker: Worker, slot: i32, connection: Connection): bool {
  const port = portOf(worker);
  if (!isOverdue(connection, port.nowMs)) return false;
  if (connection.closingMs != 0) {
    connectionAbort(changetype<usize>(worker), slot, ERROR_TIMED_OUT);
  } else connectionFail(worker, slot, ERROR_TIMED_OUT, 0);
  port.timeouts += 1;
  return true;
}

/**
 * Looks for connections past one of their time limits (idle, first message, close).
 * Call it now and then; it costs a look at each open record.
 * @returns how many ran out of time: a turn is needed if any
 */
export function sweep(workerPointer: usize, nowMs: u32): u32 {
  const worker = changetype<Worker>(workerPointer);
  const port = portOf(worker);
  port.nowMs = nowMs;
  const fresh = changetype<Pool>(port.connections).fresh;
  let expired: u32 = 0;
  for (let slot: u32 = 0; slot < fresh; slot++) {
    const connection = connectionAt(port, slot);
    if (port.shared != 0 && connection.owner != worker.index) {
      if (isOverdue(connection, nowMs) && pokeOverdue(port, connection, slot)) expired++;
    } else if (expire(worker, slot, connection)) expired++;
  }
  return expired;
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
