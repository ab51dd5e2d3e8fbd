/**
 * One port under several workers (R3, R4, R6). A connection is *claimed* by
 * one worker at a time, and only that worker touches its record; so all that
 * follows from a completion is as on a port with one worker. `share` is the
 * edges: who takes a completion claims its connection, or hands it to the
 * worker that has it and goes on to other work; a claim is given up once the
 * connection needs nothing more. Nobody waits for another's handlers.
 *
 * Worker 0 is the I/O thread's. It has listeners, datagram sockets and what is
 * being opened for good, and it alone submits: see `handOver`.
 */
import { atomicAdd, atomicStore, atomicSub } from '../atomic';
import { invariant } from '../debug';
import {
  COMPLETION_POKE,
  Completion,
  Connection,
  NOTHING,
  PORT_SELECTS_BUFFERS,
  Port,
  SharedPort,
  Worker,
} from '../layout';
import { lockAcquire, lockRelease } from '../lock';
import { poolCheck } from '../pool';
import { queueLength, queuePop, queuePut } from '../queue';
import { connectionAt, operationAt } from '../records';
import { claimLock, forwardedOf, linkClaim, sharedOf, tellIo, workerAt } from '../shared-port';

/** What `takeCompletion` found: nothing; one for somebody else; one that concerns no connection. */
export const NONE: i32 = -1;
export const PASSED_ON: i32 = -2;
export const UNCLAIMED: i32 = -3;

/** Slot of the connection that an operation's token belongs to, or NOTHING. */
function connectionOf(port: Port, token: f64): i32 {
  const slot = poolCheck(port.operations, token);
  return slot < 0 ? NOTHING : operationAt(port, slot).connection;
}

/** Slot of the connection that a completion is about, or a negative number. */
function aboutOf(port: Port, completion: Completion): i32 {
  const token = completion.token;
  if (completion.flags & COMPLETION_POKE) return poolCheck(port.connections, token);
  return connectionOf(port, token);
}

/** Into the inbox of the worker that has the connection, whose lock is held. */
export function forward(
  shared: SharedPort,
  connection: Connection,
  slot: i32,
  completion: Completion,
): void {
  atomicAdd<u32>(forwardedOf(connection), 1);
  const pushed = queuePut(
    workerAt(shared, connection.owner).inbox,
    completion.token,
    completion.result,
    completion.flags,
    completion.buffer,
    completion.systemError,
    slot,
  );
  // It holds as many as can be pending.
  invariant(pushed == 0);
  if (connection.owner == 0) tellIo(shared);
}

/**
 * The completion in the worker's scratch came out of the port's queue.
 * @returns the slot of its connection, which is this worker's now; UNCLAIMED if
 *          there is none; PASSED_ON
 */
function claim(worker: Worker, port: Port, shared: SharedPort): i32 {
  const completion = changetype<Completion>(worker.scratch);
  const isPoke = (completion.flags & COMPLETION_POKE) != 0;
  const stale = isPoke ? PASSED_ON : UNCLAIMED;
  const slot = aboutOf(port, completion);
  if (slot < 0) return stale;
  const lock = claimLock(shared, slot);
  let result = slot;
  lockAcquire(lock);
  // Looked at again: until the lock was held, whoever has it could end it.
  if (aboutOf(port, completion) != slot) result = stale;
  else {
    const connection = connectionAt(port, slot);
    const owner = connection.owner;
    if (isPoke) {
      connection.poked = 0;
      // The owner looks for itself before it lets go.
      if (owner != NOTHING && owner != worker.index) result = PASSED_ON;
    } else if (owner != NOTHING && (owner != worker.index || connection.forwarded != 0)) {
      // Its own, too, where an earlier one waits in the inbox.
      forward(shared, connection, slot, completion);
      result = PASSED_ON;
    }
    if (owner == NOTHING) {
      connection.owner = worker.index;
      linkClaim(worker, connection, slot);
    }
  }
  lockRelease(lock);
  return result;
}

/** Takes one completion to the worker's scratch: its connection's slot, or NONE, PASSED_ON, UNCLAIMED. */
export function takeCompletion(worker: Worker, port: Port): i32 {
  const shared = sharedOf(port);
  if (queuePop(worker.inbox, worker.scratch) == 1) {
    const completion = changetype<Completion>(worker.scratch);
    const connection = connectionAt(port, completion.connection);
    atomicSub<u32>(forwardedOf(connection), 1);
    if (completion.flags & COMPLETION_POKE) {
      atomicStore<u32>(changetype<usize>(connection) + offsetof<Connection>('poked'), 0);
    }
    return completion.connection;
  }
  if (worker.index == 0) return NONE;
  // One token completes many times where the backend selects buffers: taking
  // and claiming in one step keeps the order.
  const ordered = (port.flags & PORT_SELECTS_BUFFERS) != 0;
  if (ordered) lockAcquire(shared.dequeueLock);
  let result = NONE;
  if (queuePop(port.completions, worker.scratch) == 1) result = claim(worker, port, shared);
  if (ordered) lockRelease(shared.dequeueLock);
  return result;
}

/** 1 if completions wait that this worker may take. */
export function completionsWait(worker: Worker, port: Port): bool {
  if (queueLength(worker.inbox) != 0) return true;
  return worker.index != 0 && queueLength(port.completions) != 0;
}

/** As `complete` of a port with one worker; called by the I/O thread. */
export function completeShared(
  port: Port,
  token: f64,
  result: i32,
  flags: u32,
  buffer: i32,
  systemError: i32,
): i32 {
  const shared = sharedOf(port);
  const slot = connectionOf(port, token);
  let queue = port.completions;
  if (slot >= 0) {
    // It becomes and ceases to be this thread's at this thread's own hands.
    const connection = connectionAt(port, slot);
    if (connection.owner == 0) {
      atomicAdd<u32>(forwardedOf(connection), 1);
      queue = workerAt(shared, 0).inbox;
    }
  }
  return queuePut(queue, token, result, flags, buffer, systemError, slot);
}
