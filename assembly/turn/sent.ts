/** Sends that have completed, in order (R5). */
import { connectionFail } from '../connection/request';
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
  STATE_DIRTY,
  STATE_FILLED,
  STATE_GOT_MESSAGE,
  STATE_OPEN,
  STATE_READABLE,
  STATE_READY,
  STATE_TRUNCATABLE,
  Worker,
} from '../layout';
import { markDirty } from '../lists';
import { operationEnd } from '../operation';
import { operationAt, writeStore } from '../records';
import { storeGetNext, storeProcessAndGetNext } from '../reorder';
import { drainDue, sendCompleted } from '../send-queue';

/** What a connection may be in, besides open, that asks for nothing when a send is done. */
const CALM: u32 =
  STATE_OPEN |
  STATE_TRUNCATABLE |
  STATE_GOT_MESSAGE |
  STATE_READY |
  STATE_DIRTY |
  STATE_READABLE |
  STATE_FILLED;

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
export function closeProgressed(port: Port, connection: Connection): void {
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
