/** A listener's limit, and what came in above it: parked until others have gone, or closed at once. */
import {
  CLOSE_RESET,
  Connection,
  NOTHING,
  OPERATION_CLOSE,
  Port,
  Profile,
  STATE_CLOSED,
  STATE_CLOSE_SUBMITTED,
  STATE_ENDING,
  STATE_PARKED,
  STATE_RESET,
  Worker,
} from '../layout';
import { markDirty } from '../lists';
import { operationBegin, submit } from '../operation';
import { connectionAt, operationAt, portOf } from '../records';

/** States in which a listener takes no connection. */
export const UNACCEPTING: u32 = STATE_ENDING | STATE_RESET | STATE_CLOSE_SUBMITTED | STATE_CLOSED;

/** True while a listener's profile allows no further connection. */
// @ts-ignore: decorator
@noinline
export function listenerFull(listener: Connection): bool {
  const limit = changetype<Profile>(listener.profile).maxConnections;
  return limit != 0 && listener.accepted >= limit;
}

/** A backend accepts ahead: what is above the limit waits here as it would in the system's queue. */
export function park(port: Port, listener: Connection, slot: i32, handle: i32): void {
  const connection = connectionAt(port, slot);
  connection.state = STATE_PARKED;
  connection.handle = handle;
  if (listener.pendingTail >= 0) connectionAt(port, listener.pendingTail).nextReady = slot;
  else listener.pendingHead = slot;
  listener.pendingTail = slot;
}

/** Takes the connection that has waited longest: its slot, or NOTHING if none may go on. */
export function unpark(port: Port, listener: Connection): i32 {
  const slot = listener.pendingHead;
  if (slot < 0 || listenerFull(listener) || listener.state & UNACCEPTING) return NOTHING;
  const connection = connectionAt(port, slot);
  connection.state &= ~STATE_PARKED;
  listener.pendingHead = connection.nextReady;
  if (listener.pendingHead < 0) listener.pendingTail = NOTHING;
  connection.nextReady = NOTHING;
  return slot;
}

/** The listener closes: nobody will hear of these. */
export function resetParked(worker: Worker, listener: Connection): void {
  const port = portOf(worker);
  let slot = listener.pendingHead;
  listener.pendingHead = NOTHING;
  listener.pendingTail = NOTHING;
  while (slot >= 0) {
    const connection = connectionAt(port, slot);
    const next = connection.nextReady;
    connection.nextReady = NOTHING;
    connection.state |= STATE_RESET;
    markDirty(worker, slot);
    slot = next;
  }
}

/** A handle without a record: closed by reset at once. Needs room for one submission. */
export function closeOrphan(worker: Worker, handle: i32): void {
  const port = portOf(worker);
  const operationSlot = operationBegin(port, OPERATION_CLOSE, NOTHING);
  if (operationSlot < 0) return;
  const token = operationAt(port, operationSlot).token;
  submit(worker, OPERATION_CLOSE, handle, token, operationSlot, 0, 0, CLOSE_RESET);
}
