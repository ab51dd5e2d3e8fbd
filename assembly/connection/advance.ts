/** The only place that decides what is submitted for a connection, listener or datagram socket. */
import { advanceDatagram } from '../datagram';
import {
  CLOSE_RESET,
  CONNECTION_DATAGRAM,
  CONNECTION_STREAM,
  Connection,
  NOTHING,
  OPERATION_ACCEPT,
  OPERATION_CANCEL,
  OPERATION_CLOSE,
  OPERATION_SHUTDOWN,
  PORT_SELECTS_BUFFERS,
  PROFILE_ALLOW_HALF_OPEN,
  Profile,
  STATE_CANCEL_SUBMITTED,
  STATE_CLOSED,
  STATE_CLOSE_SUBMITTED,
  STATE_CLOSING,
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
  STATE_RECEIVE_FINISHED,
  STATE_RESET,
  STATE_SEND_DOWN,
  STATE_SHUTDOWN_SUBMITTED,
  STATE_TRUNCATABLE,
  Worker,
} from '../layout';
import { operationBegin, submissionRoom, submit } from '../operation';
import { armReceives, receiveHeld } from '../receive';
import { operationAt, portOf } from '../records';
import { dropUnsubmitted, nothingQueued, submitSends } from '../send-queue';
import { listenerFull } from './listener';

/** States of an open connection that ask for nothing but sends and receives. */
export const CALM: u32 =
  STATE_OPEN |
  STATE_TRUNCATABLE |
  STATE_GOT_MESSAGE |
  STATE_READY |
  STATE_DIRTY |
  STATE_READABLE |
  STATE_FILLED;

/**
 * Submits what the connection's state asks for.
 * @returns false if something had to wait for a record, a buffer or the ring:
 *          the connection then stays dirty
 */
export function advance(worker: Worker, slot: i32, connection: Connection): bool {
  if (connection.kind == CONNECTION_STREAM && (connection.state & ~CALM) == 0) {
    const sent = connection.queueSubmit == 0 || submitSends(worker, slot, connection);
    const isArmed = connection.receives != 0 && portOf(worker).flags & PORT_SELECTS_BUFFERS;
    return (isArmed || armReceives(worker, slot, connection)) && sent;
  }
  return advanceElse(worker, slot, connection);
}

/** It opens, ends, is paused or blocked, or is no stream. */
// @ts-ignore: decorator
@noinline
function advanceElse(worker: Worker, slot: i32, connection: Connection): bool {
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
