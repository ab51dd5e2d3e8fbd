/** What a connection has becomes events: messages first, then its end or its failure. */
import { decodePending, decodeStreamEnd, shownLater } from '../decoding';
import { emit, eventRoom } from '../event';
import {
  CONNECTION_LISTENER,
  CONNECTION_STREAM,
  Connection,
  EVENT_END,
  EVENT_ERROR,
  Port,
  STATE_CLOSED,
  STATE_CLOSE_SUBMITTED,
  STATE_DISCARD,
  STATE_FAILED,
  STATE_FAIL_REPORTED,
  STATE_OPENING,
  STATE_RECEIVE_ENDED,
  STATE_RECEIVE_FINISHED,
  Worker,
} from '../layout';
import { markDirty } from '../lists';
import { decoderOf } from '../records';
import { admitParked } from './opened';

/**
 * Decodes and reports what a connection has: messages first, then its end or
 * its failure.
 * @returns false if the event ring is full
 */
export function report(worker: Worker, port: Port, slot: i32, connection: Connection): bool {
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
