/** Sends that have completed, in order (R5). */
import { CALM } from '../connection/advance';
import { connectionFail } from '../connection/request';
import { invariant } from '../debug';
import { emit } from '../event';
import {
  Connection,
  ERROR_BROKEN_PIPE,
  EVENT_DRAIN,
  NOTHING,
  PROFILE_WRITE_ORDER,
  Port,
  Profile,
  STATE_CLOSED,
  STATE_CLOSE_SUBMITTED,
  Worker,
} from '../layout';
import { hotDirty } from '../lists';
import { poolRelease } from '../pool';
import { hotOperation, writeStore } from '../records';
import { storeGetNext, storeProcessAndGetNext } from '../reorder';
import { drainDue, sendCompleted } from '../send-queue';

/** A send of a stream. */
export function sent(worker: Worker, port: Port, connection: Connection, slot: i32): void {
  const profile = changetype<Profile>(connection.profile);
  if (
    (profile.flags & PROFILE_WRITE_ORDER) == 0 ||
    profile.sendDepth <= 1 ||
    connection.state & (STATE_CLOSE_SUBMITTED | STATE_CLOSED)
  ) {
    finishSend(worker, port, connection, slot);
    return;
  }
  const operation = hotOperation(port, slot);
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
export function closeProgressed(port: Port, connection: Connection): void {
  if (connection.closingMs != 0) connection.closingMs = max(port.nowMs, 1);
}

function finishSend(worker: Worker, port: Port, connection: Connection, slot: i32): void {
  const operation = hotOperation(port, slot);
  const owner = operation.connection;
  const result = operation.result;
  const systemError = operation.systemError;
  if (result < 0) operation.result = 0;
  const whole = sendCompleted(port, connection, operation);
  connection.sends--;
  // As `operationEnd`, with the connection at hand.
  invariant(connection.operations > 0);
  connection.operations--;
  const released = poolRelease(port.operations, slot);
  invariant(released == 0);
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
  hotDirty(worker, port, connection, owner);
}
