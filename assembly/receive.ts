/** Receives of a stream: how many are kept pending, and which of them lend a buffer. */
import {
  Connection,
  NOTHING,
  OPERATION_RECEIVE,
  PORT_PROBES_ALWAYS,
  PORT_PROBES_WHEN_SCARCE,
  PORT_SELECTS_BUFFERS,
  PROBE_RESERVE_LOG2,
  PROFILE_ADAPTIVE_DEPTH,
  PROFILE_HOLD_WHEN_BLOCKED,
  Pool,
  Port,
  Profile,
  STATE_BLOCKED,
  STATE_CLOSE_SUBMITTED,
  STATE_DISCARD,
  STATE_FILLED,
  STATE_HELD,
  STATE_PAUSED,
  STATE_READABLE,
  STATE_RECEIVE_ENDED,
  STATE_RESET,
  Worker,
} from './layout';
import { operationBegin, submissionRoom, submit } from './operation';
import { poolAcquire, poolInUse, poolRelease, slotAddress } from './pool';
import { hotOperation, portOf } from './records';
import { sharedOf, workerAt } from './shared-port';

/** Whether anything speaks against taking more bytes from the system. */
export function receiveHeld(connection: Connection): bool {
  const state = connection.state;
  if (state & (STATE_RECEIVE_ENDED | STATE_CLOSE_SUBMITTED | STATE_RESET)) return true;
  // What is dropped anyway is read on, to see the peer's end.
  if (state & STATE_DISCARD) return false;
  if (state & (STATE_PAUSED | STATE_HELD)) return true;
  const flags = changetype<Profile>(connection.profile).flags;
  return (state & STATE_BLOCKED) != 0 && (flags & PROFILE_HOLD_WHEN_BLOCKED) != 0;
}

/**
 * How many receives to keep pending. One is enough for a peer that waits for
 * its answers: the next is posted behind them, and often finds its bytes there
 * already. A peer that fills whole buffers and gets no answers gets as many as
 * there may be.
 */
function depthOf(profile: Profile, connection: Connection): u32 {
  const adaptive = (profile.flags & PROFILE_ADAPTIVE_DEPTH) != 0;
  return adaptive && (connection.state & STATE_FILLED) == 0 ? 1 : profile.receiveDepth;
}

/**
 * Whether the next receive asks only for readiness. A buffer lent to a silent
 * peer is lost to all others, so the last of them go where bytes wait already:
 * those receives end at once.
 */
function mustProbe(port: Port, connection: Connection): bool {
  if (connection.state & STATE_READABLE) return false;
  if (port.flags & PORT_PROBES_ALWAYS) return true;
  if ((port.flags & PORT_PROBES_WHEN_SCARCE) == 0) return false;
  const capacity = changetype<Pool>(port.buffers).capacity;
  return poolInUse(port.buffers) + (capacity >> PROBE_RESERVE_LOG2) >= capacity;
}

/** The I/O thread's driver provides them. */
function provided(port: Port): u32 {
  return port.shared == 0 ? port.provided : portOf(workerAt(sharedOf(port), 0)).provided;
}

/** Less than half of the operation records are free. */
// @ts-ignore: decorator
@inline
function recordsScarce(port: Port): bool {
  return poolInUse(port.operations) << 1 > changetype<Pool>(port.operations).capacity;
}

/**
 * Keeps as many receives pending as the profile asks for, as long as there are
 * records for all.
 * @returns false if one had to wait for a record, a buffer or the ring
 */
export function armReceives(worker: Worker, slot: i32, connection: Connection): bool {
  const port = portOf(worker);
  const profile = changetype<Profile>(connection.profile);
  const selects = (port.flags & PORT_SELECTS_BUFFERS) != 0;
  const depth: u32 = selects ? 1 : depthOf(profile, connection);
  while (connection.receives < depth) {
    // The last records are for connections that have no receive at all.
    if (connection.receives > 0 && recordsScarce(port)) return true;
    if (!submissionRoom(worker, 1)) return false;
    let buffer = NOTHING;
    const probes = !selects && mustProbe(port, connection);
    if (selects) {
      // Arming with no buffer free would fail at once, again and again.
      const taken = poolInUse(port.buffers) - provided(port);
      if (taken >= changetype<Pool>(port.buffers).capacity) return false;
    } else if (probes) {
      if (connection.receives > 0) return true;
    } else {
      buffer = poolAcquire(port.buffers);
      if (buffer < 0) {
        port.starved += 1;
        return false;
      }
    }
    const operationSlot = operationBegin(port, OPERATION_RECEIVE, slot);
    if (operationSlot < 0) {
      if (buffer >= 0) poolRelease(port.buffers, buffer);
      return false;
    }
    const operation = hotOperation(port, operationSlot);
    operation.sequence = connection.readSequence++;
    operation.buffer = buffer;
    operation.offset = buffer < 0 ? 0 : <u32>slotAddress(port.buffers, buffer);
    operation.length = buffer < 0 ? 0 : profile.receiveBytes;
    connection.state &= ~STATE_READABLE;
    connection.armedToken = operation.token;
    connection.receives++;
    submit(
      worker,
      OPERATION_RECEIVE,
      connection.handle,
      operation.token,
      operationSlot,
      operation.offset,
      operation.length,
      0,
    );
  }
  return true;
}
