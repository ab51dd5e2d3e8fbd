/** A worker's two lists of connections: *ready* ones may have something to report, *dirty* ones to submit. */
import { invariant } from './debug';
import { Connection, NOTHING, Port, STATE_DIRTY, STATE_READY, Worker } from './layout';
import { hotConnection, portOf } from './records';

/** Puts a connection at the end of the list of those that may have something to submit. */
// @ts-ignore: decorator
@noinline
export function markDirty(worker: Worker, slot: i32): void {
  hotDirty(worker, portOf(worker), hotConnection(portOf(worker), slot), slot);
}

/** The same without a call, of a record at hand. */
// @ts-ignore: decorator
@inline
export function hotDirty(worker: Worker, port: Port, connection: Connection, slot: i32): void {
  invariant(port.shared == 0 || connection.owner == worker.index);
  if (connection.state & STATE_DIRTY) return;
  connection.state |= STATE_DIRTY;
  connection.nextDirty = NOTHING;
  if (worker.dirtyTail >= 0) hotConnection(port, worker.dirtyTail).nextDirty = slot;
  else worker.dirtyHead = slot;
  worker.dirtyTail = slot;
}

/** Puts a connection at the end of the list of those with something to decode or report. */
// @ts-ignore: decorator
@noinline
export function markReady(worker: Worker, slot: i32): void {
  hotReady(worker, portOf(worker), hotConnection(portOf(worker), slot), slot);
}

/** The same without a call, of a record at hand. */
// @ts-ignore: decorator
@inline
export function hotReady(worker: Worker, port: Port, connection: Connection, slot: i32): void {
  invariant(port.shared == 0 || connection.owner == worker.index);
  if (connection.state & STATE_READY) return;
  connection.state |= STATE_READY;
  connection.nextReady = NOTHING;
  if (worker.readyTail >= 0) hotConnection(port, worker.readyTail).nextReady = slot;
  else worker.readyHead = slot;
  worker.readyTail = slot;
}

/** Takes the first ready connection, which this is, off its list. */
// @ts-ignore: decorator
@inline
export function takeReady(worker: Worker, connection: Connection): void {
  worker.readyHead = connection.nextReady;
  if (worker.readyHead < 0) worker.readyTail = NOTHING;
  connection.state &= ~STATE_READY;
}

/** Takes the first dirty connection, which this is, off its list. */
// @ts-ignore: decorator
@inline
export function takeDirty(worker: Worker, connection: Connection): void {
  worker.dirtyHead = connection.nextDirty;
  if (worker.dirtyHead < 0) worker.dirtyTail = NOTHING;
  connection.state &= ~STATE_DIRTY;
}
