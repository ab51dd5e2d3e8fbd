/**
 * What the workers of a shared port tell each other: who is to look at a
 * connection, and that something waits for the I/O thread. What a connection
 * does then is in `share`.
 */
import { atomicAdd, atomicCompareExchange, atomicLoad } from './atomic';
import {
  COMPLETION_POKE,
  Connection,
  IO_DUE,
  IO_QUIET,
  IO_TOLD,
  NOTHING,
  Port,
  SharedPort,
  Worker,
} from './layout';
import { lockAcquire, lockRelease, stripeOf } from './lock';
import { poolCheck } from './pool';
import { queuePut } from './queue';
import { connectionAt, portOf } from './records';

@inline
export function sharedOf(port: Port): SharedPort {
  return changetype<SharedPort>(port.shared);
}

export function workerAt(shared: SharedPort, index: i32): Worker {
  return changetype<Worker>(load<usize>(shared.workers + ((<usize>index) << 2)));
}

/** Address of the lock that guards a connection's claim and its calls. */
// @ts-ignore: decorator
@noinline
export function claimLock(shared: SharedPort, slot: i32): usize {
  return stripeOf(shared.locks, shared.lockCount, slot);
}

/** Address of the count of its completions in its owner's inbox. */
// @ts-ignore: decorator
@inline
export function forwardedOf(connection: Connection): usize {
  return changetype<usize>(connection) + offsetof<Connection>('forwarded');
}

/** Into the worker's list of claims, unless it is there. */
export function linkClaim(worker: Worker, connection: Connection, slot: i32): void {
  if (connection.nextClaim != 0) return;
  connection.nextClaim = worker.claimHead;
  worker.claimHead = slot + 1;
}

/** Something waits for the I/O thread. */
export function tellIo(shared: SharedPort): void {
  const io = changetype<usize>(shared) + offsetof<SharedPort>('io');
  if (atomicLoad<i32>(io) == IO_QUIET) atomicCompareExchange<i32>(io, IO_QUIET, IO_DUE);
}

/** 1 if the caller must wake the I/O thread: something waits for it, and nobody else does. */
export function ioWake(workerPointer: usize): i32 {
  const io = portOf(changetype<Worker>(workerPointer)).shared + offsetof<SharedPort>('io');
  if (atomicLoad<i32>(io) != IO_DUE) return 0;
  return atomicCompareExchange<i32>(io, IO_DUE, IO_TOLD) == IO_DUE ? 1 : 0;
}

/** Sends somebody to look at a connection that nobody has; its lock is held. False if the port is closed. */
export function poke(port: Port, connection: Connection): bool {
  if (connection.poked == 0) {
    if (queuePut(port.completions, connection.token, 0, COMPLETION_POKE, NOTHING, 0, 0) < 0) {
      return false;
    }
    connection.poked = 1;
  }
  return true;
}

/** Sends the I/O thread to look at a connection that it has; `closed` connections of a listener are gone. */
export function pokeIo(shared: SharedPort, connection: Connection, slot: i32, closed: i32): void {
  atomicAdd<u32>(forwardedOf(connection), 1);
  const inbox = workerAt(shared, 0).inbox;
  queuePut(inbox, connection.token, closed, COMPLETION_POKE, NOTHING, 0, slot);
  tellIo(shared);
}

/** A connection that the listener accepted is gone. */
export function tellListener(port: Port, token: f64): void {
  const slot = poolCheck(port.connections, token);
  if (slot < 0) return;
  const shared = sharedOf(port);
  const lock = claimLock(shared, slot);
  lockAcquire(lock);
  if (poolCheck(port.connections, token) == slot) {
    pokeIo(shared, connectionAt(port, slot), slot, 1);
  }
  lockRelease(lock);
}

/** A time of a connection that the I/O thread has not has run out: its owner, or the next one, is to look. */
export function pokeOverdue(port: Port, connection: Connection, slot: i32): bool {
  const lock = claimLock(sharedOf(port), slot);
  let sent = false;
  lockAcquire(lock);
  if (connection.owner == NOTHING && poolCheck(port.connections, connection.token) == slot) {
    sent = connection.poked == 0 && poke(port, connection);
  }
  lockRelease(lock);
  return sent;
}
