/** A worker's two lists of connections: *ready* ones may have something to report, *dirty* ones to submit. */
import { invariant } from './debug';
import { NOTHING, STATE_DIRTY, STATE_READY, Worker } from './layout';
import { connectionAt, portOf } from './records';

/** Puts a connection at the end of the list of those that may have something to submit. */
export function markDirty(worker: Worker, slot: i32): void {
  const port = portOf(worker);
  const connection = connectionAt(port, slot);
  invariant(port.shared == 0 || connection.owner == worker.index);
  if (connection.state & STATE_DIRTY) return;
  connection.state |= STATE_DIRTY;
  connection.nextDirty = NOTHING;
  if (worker.dirtyTail >= 0) connectionAt(port, worker.dirtyTail).nextDirty = slot;
  else worker.dirtyHead = slot;
  worker.dirtyTail = slot;
}

/** Puts a connection at the end of the list of those with something to decode or report. */
export function markReady(worker: Worker, slot: i32): void {
  const port = portOf(worker);
  const connection = connectionAt(port, slot);
  invariant(port.shared == 0 || connection.owner == worker.index);
  if (connection.state & STATE_READY) return;
  connection.state |= STATE_READY;
  connection.nextReady = NOTHING;
  if (worker.readyTail >= 0) connectionAt(port, worker.readyTail).nextReady = slot;
  else worker.readyHead = slot;
  worker.readyTail = slot;
}

/** Takes the first ready connection off its list: its slot, or NOTHING. */
export function takeReady(worker: Worker): i32 {
  const slot = worker.readyHead;
  if (slot < 0) return NOTHING;
  const connection = connectionAt(portOf(worker), slot);
  worker.readyHead = connection.nextReady;
  if (worker.readyHead < 0) worker.readyTail = NOTHING;
  connection.state &= ~STATE_READY;
  return slot;
}

/** Takes the first dirty connection off its list: its slot, or NOTHING. */
export function takeDirty(worker: Worker): i32 {
  const slot = worker.dirtyHead;
  if (slot < 0) return NOTHING;
  const connection = connectionAt(portOf(worker), slot);
  worker.dirtyHead = connection.nextDirty;
  if (worker.dirtyHead < 0) worker.dirtyTail = NOTHING;
  connection.state &= ~STATE_DIRTY;
  return slot;
}
