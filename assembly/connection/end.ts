/**
 * The end of a connection. A record is freed after its last completion and
 * after its CLOSE event was dispatched (R20); until then nothing that it lent
 * is touched.
 */
import { dropPending } from '../buffer';
import { invariant } from '../debug';
import { emit } from '../event';
import { decodeReset } from '../frame/decode';
import {
  CONNECTION_LISTENER,
  CONNECTION_STREAM,
  EVENT_CLOSE,
  NOTHING,
  Port,
  STATE_CLOSED,
  STATE_DIRTY,
  STATE_PARKED,
  STATE_READY,
  SendChunk,
  WORKER_DECODE_CONTEXT,
  Worker,
} from '../layout';
import { markDirty, markReady } from '../lists';
import { operationEnd } from '../operation';
import { poolCheck, poolRelease } from '../pool';
import { connectionAt, decoderOf, operationAt, portOf, readStore, writeStore } from '../records';
import { storeDrain } from '../reorder';
import { dropQueue } from '../send-queue';
import { linkClaim, tellListener } from '../shared-port';
import { resetParked } from './listener';

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
