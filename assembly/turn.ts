/**
 * One turn: completions in, events out. The host calls `turn`, dispatches the
 * events, calls `finish`, and hands the submissions to the backend.
 */
import { decodeReclaim } from './frame/decode';
import {
  UNACCEPTING,
  advance,
  closeOrphan,
  connectionBegin,
  connectionClosed,
  connectionFail,
  connectionOpened,
  drainDue,
  listenerFull,
  park,
  readStore,
  releaseClosed,
  unpark,
  writeStore,
} from './connection';
import { datagramSent } from './datagram';
import { emit, eventRoom } from './event';
import {
  ADDRESS_BYTES,
  COMPLETION_BUFFER,
  COMPLETION_MORE,
  COMPLETION_POKE,
  CONNECTION_LISTENER,
  CONNECTION_STREAM,
  Completion,
  Connection,
  ERROR_BROKEN_PIPE,
  ERROR_CANCELED,
  ERROR_NO_BUFFERS,
  ERROR_UNKNOWN,
  EVENT_DATAGRAM,
  EVENT_DATAGRAM_ERROR,
  EVENT_DRAIN,
  EVENT_END,
  EVENT_ERROR,
  EVENT_OPEN,
  EVENT_RESULT,
  NOTHING,
  OPERATION_ACCEPT,
  OPERATION_CLOSE,
  OPERATION_CONNECT,
  OPERATION_POST,
  OPERATION_RECEIVE,
  OPERATION_RECEIVE_FROM,
  OPERATION_SEND,
  OPERATION_SEND_TO,
  OPERATION_SHUTDOWN,
  Operation,
  PORT_SELECTS_BUFFERS,
  PROFILE_EAGER_READ,
  PROFILE_READ_ORDER,
  PROFILE_WRITE_ORDER,
  Port,
  Profile,
  STATE_CANCEL_SUBMITTED,
  STATE_CLOSED,
  STATE_CLOSE_DUE,
  STATE_CLOSE_SUBMITTED,
  STATE_DIRTY,
  STATE_DISCARD,
  STATE_ENDING,
  STATE_FAILED,
  STATE_FAIL_REPORTED,
  STATE_FILLED,
  STATE_GOT_MESSAGE,
  STATE_OPEN,
  STATE_OPENING,
  STATE_PAUSED,
  STATE_READABLE,
  STATE_READY,
  STATE_RECEIVE_ENDED,
  STATE_RECEIVE_FINISHED,
  STATE_RESET,
  STATE_SEND_DOWN,
  STATE_TRUNCATABLE,
  WORKER_DECODE_CONTEXT,
  Worker,
} from './layout';
import {
  connectionAt,
  markDirty,
  markReady,
  operationAt,
  operationEnd,
  portOf,
  submissionRoom,
  takeDirty,
  takeReady,
} from './operation';
import { poolAddress, poolCheck, poolRelease } from './pool';
import { queueLength, queuePop, queuePush } from './queue';
import {
  appendPending,
  armReceives,
  bufferBack,
  bufferLink,
  decodePending,
  decodeStreamEnd,
  decoderOf,
  dropCompletionBuffer,
  receiveHeld,
  releaseBuffers,
  shownLater,
} from './receive';
import { storeGetNext, storeProcessAndGetNext } from './reorder';
import { sendCompleted } from './send';
import {
  NONE,
  PASSED_ON,
  attend,
  beginShared,
  completeShared,
  closeIfLast,
  completionsWait,
  connectionOffer,
  poked,
  takeCompletion,
} from './share';

/** After so many datagram receives that failed in a row the host decides when to try again. */
const FAILURES_MAX: u32 = 16;

/** What a connection may be in, besides open, that asks for nothing when a send is done. */
const CALM: u32 =
  STATE_OPEN |
  STATE_TRUNCATABLE |
  STATE_GOT_MESSAGE |
  STATE_READY |
  STATE_DIRTY |
  STATE_READABLE |
  STATE_FILLED;

/** A completion puts at most this many events and submissions out by itself. */
const RESERVE: u32 = 2;

/** Reports a completion on behalf of a backend that has no structures of its own. */
export function complete(
  workerPointer: usize,
  token: f64,
  result: i32,
  flags: u32,
  buffer: i32,
  systemError: i32,
): i32 {
  const port = portOf(changetype<Worker>(workerPointer));
  if (port.shared != 0) return completeShared(port, token, result, flags, buffer, systemError);
  return queuePush(port.completions, token, result, flags, buffer, systemError);
}

/**
 * Takes completions and leaves events, as far as the event ring has room.
 * `worker.more` is 1 if work is left for another turn.
 * @returns the number of events
 */
export function turn(workerPointer: usize, nowMs: u32): i32 {
  const worker = changetype<Worker>(workerPointer);
  const port = portOf(worker);
  port.nowMs = nowMs;
  port.turns += 1;
  worker.eventCount = 0;
  worker.others = 0;
  if (port.shared != 0) takeShared(worker, port);
  while (
    port.shared == 0 &&
    eventRoom(worker) >= RESERVE &&
    submissionRoom(worker, RESERVE) &&
    queuePop(port.completions, worker.scratch) == 1
  ) {
    completed(worker, port, changetype<Completion>(worker.scratch));
  }
  while (worker.readyHead >= 0 && eventRoom(worker) > 0) {
    const slot = takeReady(worker);
    if (!report(worker, slot)) {
      markReady(worker, slot);
      break;
    }
  }
  const wait =
    port.shared == 0 ? queueLength(port.completions) != 0 : completionsWait(worker, port);
  worker.more = worker.readyHead >= 0 || wait ? 1 : 0;
  return worker.eventCount;
}

/** The same for one of several workers: what others have goes to them, and the batch is bounded. */
function takeShared(worker: Worker, port: Port): void {
  const completion = changetype<Completion>(worker.scratch);
  beginShared(worker, port);
  for (let left = worker.batch; left != 0; left--) {
    if (eventRoom(worker) <= RESERVE || !submissionRoom(worker, RESERVE)) return;
    const slot = takeCompletion(worker, port);
    if (slot == NONE) return;
    if (slot == PASSED_ON) continue;
    if (slot >= 0) attend(worker, slot);
    if (completion.flags & COMPLETION_POKE) poked(worker, slot);
    else {
      completed(worker, port, completion);
      if (slot >= 0) closeIfLast(worker, slot);
    }
  }
}

/**
 * The events have been dispatched: gives back what they borrowed, and submits
 * what handlers and freed credits ask for. Call again while it returns 1: the
 * submission ring was full.
 */
export function finish(workerPointer: usize): i32 {
  const worker = changetype<Worker>(workerPointer);
  const port = portOf(worker);
  releaseBuffers(port, worker);
  decodeReclaim(workerPointer + WORKER_DECODE_CONTEXT);
  let again = 0;
  const last = worker.dirtyTail;
  while (worker.dirtyHead >= 0) {
    const slot = takeDirty(worker);
    if (!advance(worker, slot)) {
      markDirty(worker, slot);
      if (!submissionRoom(worker, 1)) {
        again = 1;
        break;
      }
    }
    if (slot == last) break;
  }
  releaseClosed(worker);
  return again;
}

function completed(worker: Worker, port: Port, completion: Completion): void {
  port.completed += 1;
  const slot = poolCheck(port.operations, completion.token);
  if (slot < 0) {
    port.stale += 1;
    dropCompletionBuffer(port, completion.flags, completion.buffer);
    return;
  }
  const operation = operationAt(port, slot);
  const kind = operation.kind;
  if (operation.completed != 0 || !bufferValid(port, kind, completion)) {
    port.stale += 1;
    return;
  }
  operation.completed = completion.flags & COMPLETION_MORE ? 0 : 1;
  operation.result = plausible(port, operation, completion);
  operation.systemError = completion.systemError;
  if (operation.connection < 0) {
    operationEnd(port, slot);
    return;
  }
  const connection = connectionAt(port, operation.connection);
  if (kind == OPERATION_RECEIVE) {
    connection.activityMs = port.nowMs;
    if (port.flags & PORT_SELECTS_BUFFERS) {
      receivedSelected(worker, port, connection, slot, completion);
    } else received(worker, port, connection, slot);
  } else if (kind == OPERATION_SEND) {
    connection.activityMs = port.nowMs;
    sent(worker, port, connection, slot);
  } else if (kind == OPERATION_ACCEPT) {
    accepted(worker, port, connection, slot, completion);
  } else if (kind == OPERATION_RECEIVE_FROM) {
    receivedFrom(worker, port, connection, slot);
  } else if (kind == OPERATION_SEND_TO) {
    sentTo(worker, port, connection, slot);
  } else if (kind == OPERATION_SHUTDOWN) {
    const owner = operation.connection;
    operationEnd(port, slot);
    if (connection.state & STATE_CLOSE_SUBMITTED) port.late += 1;
    else if (completion.result < 0) {
      connectionFail(worker, owner, completion.result, completion.systemError);
    } else {
      connection.state |= STATE_SEND_DOWN;
      closeProgressed(port, connection);
      markDirty(worker, owner);
    }
  } else if (kind == OPERATION_CLOSE) {
    const owner = operation.connection;
    operationEnd(port, slot);
    // It completes last, but need not be taken last.
    if (port.shared != 0) connection.state |= STATE_CLOSE_DUE;
    else connectionClosed(worker, owner);
  } else if (kind == OPERATION_POST) {
    const owner = operation.connection;
    operationEnd(port, slot);
    emit(worker, EVENT_RESULT, owner, completion.result, completion.systemError);
  } else opened(worker, port, connection, slot);
}

/** A buffer comes with a receive that selects one, from the backend that took it, and once. */
function bufferValid(port: Port, kind: u32, completion: Completion): bool {
  if ((completion.flags & COMPLETION_BUFFER) == 0) return true;
  if (!bufferBack(port, completion.buffer)) return false;
  if (port.flags & PORT_SELECTS_BUFFERS && kind == OPERATION_RECEIVE) return true;
  poolRelease(port.buffers, completion.buffer);
  return false;
}

/** More bytes than were lent: the backend is at fault, and memory behind the range must not be read. */
function plausible(port: Port, operation: Operation, completion: Completion): i32 {
  const kind = operation.kind;
  const result = completion.result;
  let most = <u32>i32.MAX_VALUE;
  if (kind == OPERATION_SEND) most = operation.length;
  else if (kind == OPERATION_RECEIVE_FROM) most = operation.length - ADDRESS_BYTES;
  else if (kind == OPERATION_RECEIVE) {
    most = completion.flags & COMPLETION_BUFFER ? port.bufferBytes : operation.length;
  }
  return result > 0 && <u32>result > most ? ERROR_UNKNOWN : result;
}

/** Connect, listen or bind is done. */
function opened(worker: Worker, port: Port, connection: Connection, slot: i32): void {
  const operation = operationAt(port, slot);
  const owner = operation.connection;
  const result = operation.result;
  const systemError = operation.systemError;
  const kind = operation.kind;
  operationEnd(port, slot);
  connection.state &= ~STATE_CANCEL_SUBMITTED;
  if (result < 0) {
    if (connection.error == 0) {
      connection.error = result;
      connection.systemError = systemError;
    }
    connection.state &= ~STATE_OPENING;
    connectionClosed(worker, owner);
    return;
  }
  connectionOpened(port, connection, result);
  markDirty(worker, owner);
  if (kind == OPERATION_CONNECT) port.connected += 1;
  // Called off meanwhile: it is closed before anyone hears of it.
  if ((connection.state & STATE_RESET) == 0) emit(worker, EVENT_OPEN, owner, 0, 0);
}

function accepted(
  worker: Worker,
  port: Port,
  listener: Connection,
  slot: i32,
  completion: Completion,
): void {
  const owner = operationAt(port, slot).connection;
  if (completion.result >= 0) {
    const fresh =
      listener.state & UNACCEPTING
        ? ERROR_NO_BUFFERS
        : connectionBegin(port, CONNECTION_STREAM, listener.profile);
    if (fresh < 0) {
      port.rejected += 1;
      closeOrphan(worker, completion.result);
    } else {
      connectionAt(port, fresh).listenerToken = listener.token;
      if (listenerFull(listener) || listener.pendingHead >= 0) {
        park(port, listener, fresh, completion.result);
      } else admit(worker, port, listener, fresh, completion.result);
      markDirty(worker, owner);
    }
  }
  if (completion.flags & COMPLETION_MORE) return;
  operationEnd(port, slot);
  listener.receives--;
  const asked = (listener.state & (STATE_CANCEL_SUBMITTED | STATE_CLOSE_SUBMITTED)) != 0;
  listener.state &= ~STATE_CANCEL_SUBMITTED;
  if (completion.result < 0 && !(asked && completion.result == ERROR_CANCELED)) {
    // Not armed again by itself, or a lasting failure would spin: the host decides when.
    listener.state |= STATE_PAUSED;
    emit(worker, EVENT_ERROR, owner, completion.result, completion.systemError);
    return;
  }
  markDirty(worker, owner);
}

function admit(worker: Worker, port: Port, listener: Connection, slot: i32, handle: i32): void {
  listener.accepted++;
  port.accepted += 1;
  connectionOpened(port, connectionAt(port, slot), handle);
  if (port.shared != 0) {
    connectionOffer(changetype<usize>(worker), slot);
    return;
  }
  markDirty(worker, slot);
  emit(worker, EVENT_OPEN, slot, 0, 0);
}

/** Others have gone: those that waited for that are open now. False if the event ring is full. */
function admitParked(worker: Worker, port: Port, listener: Connection): bool {
  while (listener.pendingHead >= 0) {
    if (eventRoom(worker) == 0) return false;
    const slot = unpark(port, listener);
    if (slot < 0) break;
    admit(worker, port, listener, slot, connectionAt(port, slot).handle);
  }
  return true;
}

/** The stream ended, or failed, at this place in the order. */
function receiveEnded(
  worker: Worker,
  slot: i32,
  connection: Connection,
  result: i32,
  systemError: i32,
): void {
  if (result == 0) {
    connection.state |= STATE_RECEIVE_ENDED;
    markReady(worker, slot);
  } else connectionFail(worker, slot, result, systemError);
}

/** A receive that stays armed: in order by itself, with a buffer that the backend chose. */
function receivedSelected(
  worker: Worker,
  port: Port,
  connection: Connection,
  slot: i32,
  completion: Completion,
): void {
  const operation = operationAt(port, slot);
  const owner = operation.connection;
  const result = operation.result;
  const closing = (connection.state & (STATE_CLOSE_SUBMITTED | STATE_CLOSED)) != 0;
  if (completion.flags & COMPLETION_BUFFER) {
    const dropped = STATE_DISCARD | STATE_RECEIVE_ENDED;
    if (result > 0 && !closing && (connection.state & dropped) == 0) {
      appendPending(port, connection, completion.buffer, result);
      markReady(worker, owner);
    } else poolRelease(port.buffers, completion.buffer);
    if (result > 0) connection.bytesReceived += <f64>result;
  }
  if (completion.flags & COMPLETION_MORE) {
    if (closing) port.late += 1;
    else if (result < 0) connectionFail(worker, owner, result, completion.systemError);
    return;
  }
  operationEnd(port, slot);
  connection.receives--;
  const asked = (connection.state & STATE_CANCEL_SUBMITTED) != 0;
  connection.state &= ~STATE_CANCEL_SUBMITTED;
  if (closing) {
    port.late += 1;
    return;
  }
  if (result == ERROR_NO_BUFFERS) port.starved += 1;
  else if (result <= 0 && !(asked && result == ERROR_CANCELED)) {
    receiveEnded(worker, owner, connection, result, completion.systemError);
  }
  markDirty(worker, owner);
}

/** One of several receives that each lent a buffer: put in order by its number. */
function received(worker: Worker, port: Port, connection: Connection, slot: i32): void {
  if (connection.state & (STATE_CLOSE_SUBMITTED | STATE_CLOSED)) {
    port.late += 1;
    releaseReceive(port, connection, slot);
    return;
  }
  const profile = changetype<Profile>(connection.profile);
  if ((profile.flags & PROFILE_READ_ORDER) == 0 || profile.receiveDepth <= 1) {
    deliverReceive(worker, port, connection, slot);
    return;
  }
  const operation = operationAt(port, slot);
  const owner = operation.connection;
  let next = storeGetNext(readStore(connection), operation.sequence, slot);
  if (next < 0) {
    if (next != NOTHING) {
      releaseReceive(port, connection, slot);
      connectionFail(worker, owner, next, 0);
    }
    return;
  }
  while (next >= 0) {
    deliverReceive(worker, port, connection, next);
    next = storeProcessAndGetNext(readStore(connection));
  }
}

function deliverReceive(worker: Worker, port: Port, connection: Connection, slot: i32): void {
  const operation = operationAt(port, slot);
  const owner = operation.connection;
  const result = operation.result;
  const systemError = operation.systemError;
  const ended = (connection.state & STATE_RECEIVE_ENDED) != 0;
  // Nothing was lent: it tells that the next receive finds something.
  const isProbe = operation.buffer < 0 && result == 0;
  if (isProbe) connection.state |= STATE_READABLE;
  else if (result > 0) {
    // A full one promises more.
    if (<u32>result == operation.length) connection.state |= STATE_READABLE | STATE_FILLED;
    else connection.state &= ~STATE_FILLED;
  }
  if (result > 0 && !ended && (connection.state & STATE_DISCARD) == 0) {
    connection.bytesReceived += <f64>result;
    appendPending(port, connection, operation.buffer, result);
    operation.buffer = NOTHING;
    markReady(worker, owner);
  }
  releaseReceive(port, connection, slot);
  if (result <= 0 && !ended && !isProbe)
    receiveEnded(worker, owner, connection, result, systemError);
  markDirty(worker, owner);
  if (
    changetype<Profile>(connection.profile).flags & PROFILE_EAGER_READ &&
    !receiveHeld(connection)
  ) {
    armReceives(worker, owner, connection);
  }
}

function releaseReceive(port: Port, connection: Connection, slot: i32): void {
  const buffer = operationAt(port, slot).buffer;
  if (buffer >= 0) poolRelease(port.buffers, buffer);
  connection.receives--;
  operationEnd(port, slot);
}

function sent(worker: Worker, port: Port, connection: Connection, slot: i32): void {
  const profile = changetype<Profile>(connection.profile);
  if (
    (profile.flags & PROFILE_WRITE_ORDER) == 0 ||
    profile.sendDepth <= 1 ||
    connection.state & (STATE_CLOSE_SUBMITTED | STATE_CLOSED)
  ) {
    finishSend(worker, port, connection, slot);
    return;
  }
  const operation = operationAt(port, slot);
  const owner = operation.connection;
  let next = storeGetNext(writeStore(connection), operation.sequence, slot);
  if (next < 0 && next != NOTHING) {
    connectionFail(worker, owner, next, 0);
    next = slot;
    finishSend(worker, port, connection, slot);
    return;
  }
  while (next >= 0) {
    finishSend(worker, port, connection, next);
    next = storeProcessAndGetNext(writeStore(connection));
  }
}

/** The limit on a close is on its standing still: a peer that takes what is queued has its time. */
function closeProgressed(port: Port, connection: Connection): void {
  if (connection.closingMs != 0) connection.closingMs = max(port.nowMs, 1);
}

function finishSend(worker: Worker, port: Port, connection: Connection, slot: i32): void {
  const operation = operationAt(port, slot);
  const owner = operation.connection;
  const result = operation.result;
  const systemError = operation.systemError;
  if (result < 0) operation.result = 0;
  const whole = sendCompleted(port, connection, operation);
  connection.sends--;
  operationEnd(port, slot);
  if (connection.state & (STATE_CLOSE_SUBMITTED | STATE_CLOSED)) {
    port.late += 1;
    return;
  }
  closeProgressed(port, connection);
  if (result < 0) connectionFail(worker, owner, result, systemError);
  else if (!whole) connectionFail(worker, owner, ERROR_BROKEN_PIPE, 0);
  else if (drainDue(connection)) emit(worker, EVENT_DRAIN, owner, 0, 0);
  // All is sent, and nothing waits for that.
  else if (connection.queueSubmit == 0 && (connection.state & ~CALM) == 0) return;
  markDirty(worker, owner);
}

function receivedFrom(worker: Worker, port: Port, connection: Connection, slot: i32): void {
  const operation = operationAt(port, slot);
  const owner = operation.connection;
  const buffer = operation.buffer;
  const result = operation.result;
  const systemError = operation.systemError;
  connection.receives--;
  operationEnd(port, slot);
  const closing = (connection.state & (STATE_CLOSE_SUBMITTED | STATE_CLOSED | STATE_DISCARD)) != 0;
  if (result < 0 || closing) {
    poolRelease(port.buffers, buffer);
    if (closing) port.late += 1;
    else if (result != ERROR_CANCELED) {
      connection.accepted++;
      if (connection.accepted >= FAILURES_MAX) connection.state |= STATE_PAUSED;
      emit(worker, EVENT_DATAGRAM_ERROR, owner, <u32>result, <u32>systemError);
    }
  } else {
    connection.accepted = 0;
    const link = bufferLink(port, buffer);
    link.next = worker.releaseHead;
    worker.releaseHead = buffer;
    connection.bytesReceived += <f64>result;
    connection.messagesReceived += 1;
    port.datagramsReceived += 1;
    const payload = <u32>poolAddress(port.buffers, buffer) + ADDRESS_BYTES;
    emit(worker, EVENT_DATAGRAM, owner, payload, result);
  }
  markDirty(worker, owner);
}

function sentTo(worker: Worker, port: Port, connection: Connection, slot: i32): void {
  const operation = operationAt(port, slot);
  const owner = operation.connection;
  const result = operation.result;
  const systemError = operation.systemError;
  datagramSent(port, connection, operation);
  connection.sends--;
  operationEnd(port, slot);
  if (connection.state & (STATE_CLOSE_SUBMITTED | STATE_CLOSED)) {
    port.late += 1;
    return;
  }
  if (result >= 0) {
    connection.bytesSent += <f64>result;
    port.datagramsSent += 1;
  } else if (result != ERROR_CANCELED) {
    emit(worker, EVENT_DATAGRAM_ERROR, owner, <u32>result, <u32>systemError);
  }
  if (drainDue(connection)) emit(worker, EVENT_DRAIN, owner, 0, 0);
  markDirty(worker, owner);
}

/**
 * Decodes and reports what a connection has: messages first, then its end or
 * its failure.
 * @returns false if the event ring is full
 */
function report(worker: Worker, slot: i32): bool {
  const port = portOf(worker);
  const connection = connectionAt(port, slot);
  if (connection.kind == CONNECTION_LISTENER) return admitParked(worker, port, connection);
  if (connection.kind != CONNECTION_STREAM) return true;
  if (connection.state & (STATE_CLOSE_SUBMITTED | STATE_CLOSED | STATE_OPENING)) return true;
  if (!decodePending(worker, slot, connection)) return eventRoom(worker) > 0;
  const ended = (connection.state & STATE_RECEIVE_ENDED) != 0 && !shownLater(connection);
  if (ended && (connection.state & STATE_FAILED) == 0) {
    if (!decodeStreamEnd(worker, connection)) return false;
  }
  const decoder = decoderOf(connection);
  if (decoder.error != 0 && (connection.state & STATE_FAILED) == 0) {
    connection.error = decoder.error;
    connection.state |= STATE_FAILED;
    port.failed += 1;
  }
  if (!reportFailure(worker, slot, connection)) return false;
  if (ended && (connection.state & STATE_RECEIVE_FINISHED) == 0) {
    if ((connection.state & STATE_FAILED) == 0) {
      if (eventRoom(worker) == 0) return false;
      if ((connection.state & STATE_DISCARD) == 0) emit(worker, EVENT_END, slot, 0, 0);
    }
    connection.state |= STATE_RECEIVE_FINISHED;
    markDirty(worker, slot);
  }
  return true;
}

function reportFailure(worker: Worker, slot: i32, connection: Connection): bool {
  if ((connection.state & (STATE_FAILED | STATE_FAIL_REPORTED)) != STATE_FAILED) return true;
  if (eventRoom(worker) == 0) return false;
  connection.state |= STATE_FAIL_REPORTED;
  emit(worker, EVENT_ERROR, slot, <u32>connection.error, <u32>connection.systemError);
  markDirty(worker, slot);
  return true;
}
