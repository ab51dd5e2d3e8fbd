/** Receives that have completed, in order (R3), and where a stream's end stands among them. */
import { appendPending } from '../buffer';
import { connectionFail } from '../connection/request';
import {
  COMPLETION_BUFFER,
  COMPLETION_MORE,
  Completion,
  Connection,
  ERROR_CANCELED,
  ERROR_NO_BUFFERS,
  NOTHING,
  PROFILE_EAGER_READ,
  PROFILE_READ_ORDER,
  Port,
  Profile,
  STATE_CANCEL_SUBMITTED,
  STATE_CLOSED,
  STATE_CLOSE_SUBMITTED,
  STATE_DISCARD,
  STATE_FILLED,
  STATE_READABLE,
  STATE_RECEIVE_ENDED,
  Worker,
} from '../layout';
import { hotDirty, hotReady, markDirty, markReady } from '../lists';
import { operationEnd } from '../operation';
import { poolRelease } from '../pool';
import { armReceives, receiveHeld } from '../receive';
import { hotConnection, hotOperation, operationAt, readStore } from '../records';
import { storeGetNext, storeProcessAndGetNext } from '../reorder';

/** What a connection may be in that lets nobody see its bytes. */
const UNDELIVERED: u32 = STATE_CLOSE_SUBMITTED | STATE_CLOSED | STATE_DISCARD | STATE_RECEIVE_ENDED;

/**
 * What `receivedSelected` does with bytes that are welcome, on a receive that stays armed: nearly
 * always. False, and nothing done, if it is something else.
 */
// @ts-ignore: decorator
@inline
export function receivedUsual(
  worker: Worker,
  port: Port,
  owner: i32,
  completion: Completion,
): bool {
  const result = completion.result;
  // Only where the backend selects buffers has `bufferValid` let one pass.
  if (completion.flags != (COMPLETION_MORE | COMPLETION_BUFFER) || owner < 0) return false;
  if (result <= 0 || <u32>result > port.bufferBytes) return false;
  const connection = hotConnection(port, owner);
  if (connection.state & UNDELIVERED) return false;
  connection.activityMs = port.nowMs;
  appendPending(port, connection, completion.buffer, result);
  hotReady(worker, port, connection, owner);
  connection.bytesReceived += <f64>result;
  return true;
}

/** A receive that stays armed: in order by itself, with a buffer that the backend chose. */
// @ts-ignore: decorator
@noinline
export function receivedSelected(
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
    if (result > 0 && (connection.state & UNDELIVERED) == 0) {
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
export function received(worker: Worker, port: Port, connection: Connection, slot: i32): void {
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
  const operation = hotOperation(port, slot);
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
  const operation = hotOperation(port, slot);
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
    hotReady(worker, port, connection, owner);
  }
  releaseReceive(port, connection, slot);
  if (result <= 0 && !ended && !isProbe)
    receiveEnded(worker, owner, connection, result, systemError);
  hotDirty(worker, port, connection, owner);
  if (
    changetype<Profile>(connection.profile).flags & PROFILE_EAGER_READ &&
    !receiveHeld(connection)
  ) {
    armReceives(worker, owner, connection);
  }
}

function releaseReceive(port: Port, connection: Connection, slot: i32): void {
  const buffer = hotOperation(port, slot).buffer;
  if (buffer >= 0) poolRelease(port.buffers, buffer);
  connection.receives--;
  operationEnd(port, slot);
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
