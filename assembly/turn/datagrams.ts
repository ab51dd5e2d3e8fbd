/** Datagrams that came, and that were sent. */
import { bufferLink } from '../buffer';
import { datagramSent } from '../datagram';
import { emit } from '../event';
import {
  ADDRESS_BYTES,
  Connection,
  ERROR_CANCELED,
  EVENT_DATAGRAM,
  EVENT_DATAGRAM_ERROR,
  EVENT_DRAIN,
  Port,
  STATE_CLOSED,
  STATE_CLOSE_SUBMITTED,
  STATE_DISCARD,
  STATE_PAUSED,
  Worker,
} from '../layout';
import { markDirty } from '../lists';
import { operationEnd } from '../operation';
import { poolAddress, poolRelease } from '../pool';
import { operationAt } from '../records';
import { drainDue } from '../send-queue';

/** After so many datagram receives that failed in a row the host decides when to try again. */
const FAILURES_MAX: u32 = 16;

/** A datagram's buffer is lent to its event until the turn is over. */
export function receivedFrom(worker: Worker, port: Port, connection: Connection, slot: i32): void {
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

export function sentTo(worker: Worker, port: Port, connection: Connection, slot: i32): void {
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
