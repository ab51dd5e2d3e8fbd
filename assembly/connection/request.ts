/** What is asked of a connection, by the program or by a failure: state only; `advance` submits what it asks for. */
import {
  STATE_CLOSED,
  STATE_CLOSE_SUBMITTED,
  STATE_CLOSING,
  STATE_DISCARD,
  STATE_ENDING,
  STATE_FAILED,
  STATE_FAIL_REPORTED,
  STATE_HELD,
  STATE_OPENING,
  STATE_PAUSED,
  STATE_RECEIVE_ENDED,
  STATE_RESET,
  Worker,
} from '../layout';
import { markDirty, markReady } from '../lists';
import { connectionAt, portOf } from '../records';

/**
 * The transport failed, or a limit was passed: what was received before is still
 * delivered, then ERROR, then the connection is reset. The first failure counts.
 */
export function connectionFail(worker: Worker, slot: i32, error: i32, systemError: i32): void {
  const port = portOf(worker);
  const connection = connectionAt(port, slot);
  if (connection.state & (STATE_RESET | STATE_CLOSE_SUBMITTED | STATE_CLOSED)) return;
  if ((connection.state & STATE_FAILED) == 0) {
    connection.error = error;
    connection.systemError = systemError;
    port.failed += 1;
  }
  connection.state |= STATE_FAILED | STATE_RECEIVE_ENDED | STATE_RESET;
  markReady(worker, slot);
  if (connection.state & STATE_FAIL_REPORTED) markDirty(worker, slot);
}

/** Half-close: what is queued is sent, then the send side ends. */
export function connectionEnd(workerPointer: usize, slot: i32): void {
  const worker = changetype<Worker>(workerPointer);
  connectionAt(portOf(worker), slot).state |= STATE_ENDING;
  markDirty(worker, slot);
}

/** Orderly close: what is queued is sent, what comes in is dropped, the peer's end is awaited. */
export function connectionClose(workerPointer: usize, slot: i32): void {
  const worker = changetype<Worker>(workerPointer);
  const connection = connectionAt(portOf(worker), slot);
  if (connection.closingMs == 0) connection.closingMs = max(portOf(worker).nowMs, 1);
  connection.state |= STATE_ENDING | STATE_CLOSING | STATE_DISCARD;
  if (connection.state & STATE_OPENING) connection.state |= STATE_RESET;
  markReady(worker, slot);
  markDirty(worker, slot);
}

/** Reset: nothing more is sent or delivered. `error` is what CLOSE reports. */
export function connectionAbort(workerPointer: usize, slot: i32, error: i32): void {
  const worker = changetype<Worker>(workerPointer);
  const connection = connectionAt(portOf(worker), slot);
  if (connection.state & (STATE_CLOSE_SUBMITTED | STATE_CLOSED)) return;
  if (connection.error == 0) connection.error = error;
  // Already told: no ERROR event on top of what the caller knows.
  connection.state |= STATE_RESET | STATE_DISCARD | STATE_FAILED | STATE_FAIL_REPORTED;
  markDirty(worker, slot);
}

/**
 * The host found the peer at fault and has reported it: what is queued is still
 * sent, what comes in is dropped, and CLOSE carries `error`.
 */
export function connectionReject(workerPointer: usize, slot: i32, error: i32): void {
  const worker = changetype<Worker>(workerPointer);
  const connection = connectionAt(portOf(worker), slot);
  if (connection.state & (STATE_FAILED | STATE_CLOSE_SUBMITTED | STATE_CLOSED)) return;
  connection.error = error;
  connection.state |= STATE_FAILED | STATE_FAIL_REPORTED | STATE_DISCARD;
  portOf(worker).failed += 1;
  markReady(worker, slot);
  markDirty(worker, slot);
}

/** A listener whose accept had failed, or a datagram socket whose receives had, tries again. */
export function listenerResume(workerPointer: usize, slot: i32): void {
  const worker = changetype<Worker>(workerPointer);
  connectionAt(portOf(worker), slot).state &= ~STATE_PAUSED;
  markDirty(worker, slot);
}

/** No more events of this connection until `connectionResume`, and no more bytes taken from the system. */
export function connectionPause(workerPointer: usize, slot: i32): void {
  const worker = changetype<Worker>(workerPointer);
  connectionAt(portOf(worker), slot).state |= STATE_PAUSED;
  markDirty(worker, slot);
}

/** No more bytes are taken from the system until `connectionResume`; what was taken is delivered. */
export function connectionHold(workerPointer: usize, slot: i32): void {
  const worker = changetype<Worker>(workerPointer);
  connectionAt(portOf(worker), slot).state |= STATE_HELD;
  markDirty(worker, slot);
}

/** Ends a pause or a hold. Returns 1 if a turn is needed for what has waited. */
export function connectionResume(workerPointer: usize, slot: i32): i32 {
  const worker = changetype<Worker>(workerPointer);
  const connection = connectionAt(portOf(worker), slot);
  connection.state &= ~(STATE_PAUSED | STATE_HELD);
  markDirty(worker, slot);
  if (connection.pendingHead < 0 && (connection.state & STATE_RECEIVE_ENDED) == 0) return 0;
  markReady(worker, slot);
  return 1;
}
