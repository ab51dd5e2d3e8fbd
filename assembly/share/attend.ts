/** What a worker owes the connections that it has, beside their completions. */
import { atomicStore } from '../atomic';
import { connectionClosed } from '../connection/end';
import { expire } from '../connection/limits';
import { invariant } from '../debug';
import { emit } from '../event';
import {
  CONNECTION_LISTENER,
  CONNECTION_STREAM,
  Completion,
  EVENT_OPEN,
  IO_QUIET,
  InOrderStore,
  Port,
  STATE_CLOSED,
  STATE_CLOSE_DUE,
  STATE_OPEN,
  STATE_OPEN_DUE,
  SharedPort,
  Worker,
} from '../layout';
import { markDirty, markReady } from '../lists';
import { connectionAt, portOf, readStore, writeStore } from '../records';
import { linkClaim } from '../shared-port';
import { runCalls } from './call';

/** A turn begins: what came up on connections that this worker has kept since its last one. */
export function beginShared(worker: Worker, port: Port): void {
  // Who pushes from here on must tell the I/O thread again.
  if (worker.index == 0) atomicStore<i32>(port.shared + offsetof<SharedPort>('io'), IO_QUIET);
  let link = worker.claimHead;
  while (link > 0) {
    const slot = link - 1;
    const connection = connectionAt(port, slot);
    link = connection.nextClaim;
    if (connection.state & STATE_CLOSED) continue;
    if (connection.callsHead != 0) runCalls(worker, slot);
    expire(worker, slot, connection);
  }
}

/** What a connection may owe when it comes into a worker's hands. Needs room for one event. */
export function attend(worker: Worker, slot: i32): void {
  const connection = connectionAt(portOf(worker), slot);
  if (connection.state & STATE_OPEN_DUE) {
    connection.state &= ~STATE_OPEN_DUE;
    emit(worker, EVENT_OPEN, slot, 0, 0);
    markDirty(worker, slot);
  }
  if (connection.callsHead != 0) runCalls(worker, slot);
}

/** A poke was taken: somebody has called, a time has run out, or a listener has room again. */
export function poked(worker: Worker, slot: i32): void {
  const port = portOf(worker);
  const connection = connectionAt(port, slot);
  if (connection.kind == CONNECTION_LISTENER) {
    // Calls on it have pokes of their own, which name no result.
    const closed = changetype<Completion>(worker.scratch).result;
    connection.accepted -= closed;
    if (closed != 0) {
      markDirty(worker, slot);
      if (connection.pendingHead >= 0) markReady(worker, slot);
    }
    return;
  }
  expire(worker, slot, connection);
}

/**
 * Another worker may have taken a completion that came before the close, and
 * may not have passed it on yet: the connection is closed with the last of them.
 */
export function closeIfLast(worker: Worker, slot: i32): void {
  const connection = connectionAt(portOf(worker), slot);
  if ((connection.state & STATE_CLOSE_DUE) == 0) return;
  // Those in the stores will not come to their turn any more.
  const stored =
    changetype<InOrderStore>(readStore(connection)).stored +
    changetype<InOrderStore>(writeStore(connection)).stored;
  if (connection.operations != stored) return;
  connection.state &= ~STATE_CLOSE_DUE;
  connectionClosed(worker, slot);
}

/** Gives the workers a stream connection that the I/O thread has opened: one of them reports OPEN. */
export function connectionOffer(workerPointer: usize, slot: i32): void {
  const worker = changetype<Worker>(workerPointer);
  const connection = connectionAt(portOf(worker), slot);
  invariant(connection.kind == CONNECTION_STREAM && (connection.state & STATE_OPEN) != 0);
  connection.state |= STATE_OPEN_DUE;
  linkClaim(worker, connection, slot);
}
