/** Connections that were connected or accepted; listeners and sockets that were bound. */
import { connectionClosed } from '../connection/end';
import { UNACCEPTING, closeOrphan, listenerFull, park, unpark } from '../connection/listener';
import { connectionBegin, connectionOpened } from '../connection/record';
import { emit, eventRoom } from '../event';
import {
  COMPLETION_MORE,
  CONNECTION_STREAM,
  Completion,
  Connection,
  ERROR_CANCELED,
  ERROR_NO_BUFFERS,
  EVENT_ERROR,
  EVENT_OPEN,
  OPERATION_CONNECT,
  Port,
  STATE_CANCEL_SUBMITTED,
  STATE_CLOSE_SUBMITTED,
  STATE_OPENING,
  STATE_PAUSED,
  STATE_RESET,
  Worker,
} from '../layout';
import { markDirty } from '../lists';
import { operationEnd } from '../operation';
import { connectionAt, operationAt } from '../records';
import { connectionOffer } from '../share/attend';

/** Connect, listen or bind is done. */
export function opened(worker: Worker, port: Port, connection: Connection, slot: i32): void {
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

/** A connection came in, or the listener's accept has ended. */
export function accepted(
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
export function admitParked(worker: Worker, port: Port, listener: Connection): bool {
  while (listener.pendingHead >= 0) {
    if (eventRoom(worker) == 0) return false;
    const slot = unpark(port, listener);
    if (slot < 0) break;
    admit(worker, port, listener, slot, connectionAt(port, slot).handle);
  }
  return true;
}
