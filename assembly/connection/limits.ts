/** Time limits of connections: idle, first message, close. */
import {
  CONNECTION_STREAM,
  Connection,
  ERROR_TIMED_OUT,
  Pool,
  Profile,
  STATE_CLOSED,
  STATE_CLOSE_SUBMITTED,
  STATE_GOT_MESSAGE,
  STATE_OPEN,
  STATE_RESET,
  Worker,
} from '../layout';
import { connectionAt, portOf } from '../records';
import { pokeOverdue } from '../shared-port';
import { connectionAbort, connectionFail } from './request';

/** Whether a connection is past one of its time limits. */
function isOverdue(connection: Connection, nowMs: u32): bool {
  const state = connection.state;
  if (connection.kind != CONNECTION_STREAM || (state & STATE_OPEN) == 0) return false;
  if (state & (STATE_CLOSE_SUBMITTED | STATE_CLOSED | STATE_RESET)) return false;
  const profile = changetype<Profile>(connection.profile);
  if (connection.closingMs != 0) return passed(nowMs, connection.closingMs, profile.closeTimeoutMs);
  return (
    passed(nowMs, connection.activityMs, profile.idleTimeoutMs) ||
    ((state & STATE_GOT_MESSAGE) == 0 &&
      passed(nowMs, connection.openedMs, profile.firstMessageTimeoutMs))
  );
}

/** `limitMs` 0 is no limit. A time that seems to come was read on another worker's clock. */
function passed(nowMs: u32, sinceMs: u32, limitMs: u32): bool {
  return limitMs != 0 && <i64>(<i32>(nowMs - sinceMs)) >= <i64>limitMs;
}

/** Ends a connection that is past one of its time limits. */
export function expire(worker: Worker, slot: i32, connection: Connection): bool {
  const port = portOf(worker);
  if (!isOverdue(connection, port.nowMs)) return false;
  if (connection.closingMs != 0) {
    connectionAbort(changetype<usize>(worker), slot, ERROR_TIMED_OUT);
  } else connectionFail(worker, slot, ERROR_TIMED_OUT, 0);
  port.timeouts += 1;
  return true;
}

/**
 * Looks for connections past one of their time limits (idle, first message, close).
 * Call it now and then; it costs a look at each open record.
 * @returns how many ran out of time: a turn is needed if any
 */
export function sweep(workerPointer: usize, nowMs: u32): u32 {
  const worker = changetype<Worker>(workerPointer);
  const port = portOf(worker);
  port.nowMs = nowMs;
  const fresh = changetype<Pool>(port.connections).fresh;
  let expired: u32 = 0;
  for (let slot: u32 = 0; slot < fresh; slot++) {
    const connection = connectionAt(port, slot);
    if (port.shared != 0 && connection.owner != worker.index) {
      if (isOverdue(connection, nowMs) && pokeOverdue(port, connection, slot)) expired++;
    } else if (expire(worker, slot, connection)) expired++;
  }
  return expired;
}
