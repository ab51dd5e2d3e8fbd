/** A completion is checked, and goes to where its kind is handled. */
import { bufferBack, dropCompletionBuffer } from '../buffer';
import { connectionClosed } from '../connection/end';
import { connectionFail } from '../connection/request';
import { emit } from '../event';
import {
  ADDRESS_BYTES,
  COMPLETION_BUFFER,
  COMPLETION_MORE,
  Completion,
  ERROR_UNKNOWN,
  EVENT_RESULT,
  OPERATION_ACCEPT,
  OPERATION_CLOSE,
  OPERATION_POST,
  OPERATION_RECEIVE,
  OPERATION_RECEIVE_FROM,
  OPERATION_SEND,
  OPERATION_SEND_TO,
  OPERATION_SHUTDOWN,
  Operation,
  PORT_SELECTS_BUFFERS,
  Port,
  STATE_CLOSE_DUE,
  STATE_CLOSE_SUBMITTED,
  STATE_SEND_DOWN,
  Worker,
} from '../layout';
import { markDirty } from '../lists';
import { operationEnd } from '../operation';
import { poolCheck, poolRelease } from '../pool';
import { connectionAt, hotConnection, hotOperation, operationAt } from '../records';
import { receivedFrom, sentTo } from './datagrams';
import { accepted, opened } from './opened';
import { received, receivedSelected, receivedUsual } from './received';
import { closeProgressed, sent } from './sent';

/** One completion, with its connection in this worker's hands. */
// @ts-ignore: decorator
@noinline
export function completed(worker: Worker, port: Port, completion: Completion): void {
  port.completed += 1;
  const slot = poolCheck(port.operations, completion.token);
  if (slot < 0) {
    stale(port, completion);
    return;
  }
  const operation = hotOperation(port, slot);
  const kind = operation.kind;
  if (operation.completed != 0 || !bufferValid(port, kind, completion)) {
    port.stale += 1;
    return;
  }
  const owner = operation.connection;
  if (kind == OPERATION_RECEIVE && receivedUsual(worker, port, owner, completion)) return;
  operation.completed = completion.flags & COMPLETION_MORE ? 0 : 1;
  operation.result = plausible(port, operation, completion);
  operation.systemError = completion.systemError;
  if (kind == OPERATION_RECEIVE && owner >= 0) {
    const connection = hotConnection(port, owner);
    connection.activityMs = port.nowMs;
    if (port.flags & PORT_SELECTS_BUFFERS) {
      receivedSelected(worker, port, connection, slot, completion);
    } else received(worker, port, connection, slot);
  } else if (kind == OPERATION_SEND && owner >= 0) {
    const connection = hotConnection(port, owner);
    connection.activityMs = port.nowMs;
    sent(worker, port, connection, slot);
  } else completedOther(worker, port, slot, completion);
}

/** Its operation has ended already, or never was. */
// @ts-ignore: decorator
@noinline
function stale(port: Port, completion: Completion): void {
  port.stale += 1;
  dropCompletionBuffer(port, completion.flags, completion.buffer);
}

/** Neither a receive nor a send of a stream. */
// @ts-ignore: decorator
@noinline
function completedOther(worker: Worker, port: Port, slot: i32, completion: Completion): void {
  const operation = operationAt(port, slot);
  const owner = operation.connection;
  const kind = operation.kind;
  if (owner < 0) {
    operationEnd(port, slot);
    return;
  }
  const connection = connectionAt(port, owner);
  if (kind == OPERATION_ACCEPT) {
    accepted(worker, port, connection, slot, completion);
  } else if (kind == OPERATION_RECEIVE_FROM) {
    receivedFrom(worker, port, connection, slot);
  } else if (kind == OPERATION_SEND_TO) {
    sentTo(worker, port, connection, slot);
  } else if (kind == OPERATION_SHUTDOWN) {
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
    operationEnd(port, slot);
    // It completes last, but need not be taken last.
    if (port.shared != 0) connection.state |= STATE_CLOSE_DUE;
    else connectionClosed(worker, owner);
  } else if (kind == OPERATION_POST) {
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
