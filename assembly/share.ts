/**
 * One port under several workers (R3, R4, R6). A connection is *claimed* by
 * one worker at a time, and only that worker touches its record; so all that
 * follows from a completion is as on a port with one worker. This file is the
 * edges: who takes a completion claims its connection, or hands it to the
 * worker that has it and goes on to other work; a claim is given up once the
 * connection needs nothing more. Nobody waits for another's handlers.
 *
 * Worker 0 is the I/O thread's. It has listeners, datagram sockets and what is
 * being opened for good, and it alone submits: see `handOver`.
 */
import { invariant } from './debug';
import { atomicAdd, atomicCompareExchange, atomicLoad, atomicStore, atomicSub } from './atomic';
import { dropCalls, runCalls } from './call';
import { connectionAbort, connectionClosed, expire, readStore, writeStore } from './connection';
import { decodeReclaim } from './frame/decode';
import { emit } from './event';
import {
  CLAIM_END,
  COMPLETION_POKE,
  CONNECTION_LISTENER,
  CONNECTION_STREAM,
  Completion,
  Connection,
  ERROR_ABORTED,
  EVENT_OPEN,
  IO_DUE,
  IO_QUIET,
  IO_TOLD,
  InOrderStore,
  NOTHING,
  Operation,
  Pool,
  Port,
  STATE_CLOSED,
  STATE_CLOSE_DUE,
  STATE_DIRTY,
  STATE_OPEN,
  STATE_OPEN_DUE,
  STATE_READY,
  SUBMISSION_BYTES,
  SharedPort,
  Submission,
  WORKER_DECODE_CONTEXT,
  Worker,
  PORT_SELECTS_BUFFERS,
} from './layout';
import { lockAcquire, lockRelease, stripeOf } from './lock';
import {
  connectionAt,
  markDirty,
  markReady,
  operationAt,
  portOf,
  submissionRoom,
  submit,
} from './operation';
import { poolCheck, poolRelease } from './pool';
import { queueLength, queuePop, queuePut, queueRouse } from './queue';
import { releaseBuffers } from './receive';

/** What `takeCompletion` found: nothing; one for somebody else; one that concerns no connection. */
export const NONE: i32 = -1;
export const PASSED_ON: i32 = -2;
export const UNCLAIMED: i32 = -3;

@inline
export function sharedOf(port: Port): SharedPort {
  return changetype<SharedPort>(port.shared);
}

export function workerAt(shared: SharedPort, index: i32): Worker {
  return changetype<Worker>(load<usize>(shared.workers + ((<usize>index) << 2)));
}

/** Address of the lock that guards a connection's claim and its calls. */
export function claimLock(shared: SharedPort, slot: i32): usize {
  return stripeOf(shared.locks, shared.lockCount, slot);
}

// @ts-ignore: decorator
@inline
function forwardedOf(connection: Connection): usize {
  return changetype<usize>(connection) + offsetof<Connection>('forwarded');
}

// ---------------------------------------------------------------- the I/O thread is told

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

// ---------------------------------------------------------------- claims

/** Into the worker's list of claims, unless it is there. */
export function linkClaim(worker: Worker, connection: Connection, slot: i32): void {
  if (connection.nextClaim != 0) return;
  connection.nextClaim = worker.claimHead;
  worker.claimHead = slot + 1;
}

/** Slot of the connection that a completion is about, or a negative number. */
function aboutOf(port: Port, completion: Completion): i32 {
  const token = completion.token;
  if (completion.flags & COMPLETION_POKE) return poolCheck(port.connections, token);
  return connectionOf(port, token);
}

/** Slot of the connection that an operation's token belongs to, or NOTHING. */
function connectionOf(port: Port, token: f64): i32 {
  const slot = poolCheck(port.operations, token);
  return slot < 0 ? NOTHING : operationAt(port, slot).connection;
}

/** Into the inbox of the worker that has the connection, whose lock is held. */
function forward(
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

/**
 * After `finish`, and after the submissions were handed over: gives up every
 * claim that needs nothing more, and frees the records of connections whose
 * CLOSE event has been dispatched. `worker.more` is 1 if one that is kept needs
 * a turn at once; the others wait for a buffer or a record.
 * @returns how many are kept: a worker that keeps any must not sleep for long
 */
export function releaseClaims(workerPointer: usize): i32 {
  const worker = changetype<Worker>(workerPointer);
  const port = portOf(worker);
  let link = worker.claimHead;
  worker.claimHead = CLAIM_END;
  let kept = 0;
  while (link > 0) {
    const slot = link - 1;
    const connection = connectionAt(port, slot);
    link = connection.nextClaim;
    connection.nextClaim = 0;
    const linked = connection.state & (STATE_READY | STATE_DIRTY);
    if (linked != 0 || !release(worker, port, connection, slot)) {
      if (linked != STATE_DIRTY) worker.more = 1;
      linkClaim(worker, connection, slot);
      kept++;
    }
  }
  return kept;
}

/** False if something came in that its owner has to see to first. */
function release(worker: Worker, port: Port, connection: Connection, slot: i32): bool {
  const lock = claimLock(sharedOf(port), slot);
  let calls: usize = 0;
  let released = false;
  lockAcquire(lock);
  if (atomicLoad<u32>(forwardedOf(connection)) == 0) {
    if (connection.state & STATE_CLOSED) {
      calls = connection.callsHead;
      connection.owner = NOTHING;
      poolRelease(port.connections, slot);
      released = true;
    } else if (connection.callsHead == 0) {
      released = (connection.state & STATE_OPEN_DUE) == 0 || poke(port, connection);
      if (released) connection.owner = NOTHING;
      else {
        // The port is closed: nobody will take it any more.
        connection.state &= ~STATE_OPEN_DUE;
        connectionAbort(changetype<usize>(worker), slot, ERROR_ABORTED);
      }
    }
  }
  lockRelease(lock);
  dropCalls(port, calls);
  return released;
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

/** Gives the workers a stream connection that the I/O thread has opened: one of them reports OPEN. */
export function connectionOffer(workerPointer: usize, slot: i32): void {
  const worker = changetype<Worker>(workerPointer);
  const connection = connectionAt(portOf(worker), slot);
  invariant(connection.kind == CONNECTION_STREAM && (connection.state & STATE_OPEN) != 0);
  connection.state |= STATE_OPEN_DUE;
  linkClaim(worker, connection, slot);
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

// ---------------------------------------------------------------- submissions

/** From the worker's ring into the port's queue: how many. */
function queueSubmissions(worker: Worker, shared: SharedPort): u32 {
  const count = worker.submissionCount;
  for (let index: u32 = 0; index < count; index++) {
    const entry = changetype<Submission>(worker.submissions + <usize>index * SUBMISSION_BYTES);
    const pushed = queuePut(
      shared.submissions,
      entry.token,
      entry.handle,
      (entry.flags << 8) | entry.kind,
      entry.operation,
      0,
      0,
    );
    // It holds one for each operation and each cancel.
    invariant(pushed == 0);
  }
  worker.submissionCount = 0;
  return count;
}

/**
 * Passes what this worker submits to the I/O thread, while it still has the
 * connections concerned (R2).
 * @returns 1 if the caller must wake the I/O thread
 */
export function handOver(workerPointer: usize): i32 {
  const worker = changetype<Worker>(workerPointer);
  const shared = sharedOf(portOf(worker));
  if (queueSubmissions(worker, shared) != 0) tellIo(shared);
  return ioWake(workerPointer);
}

/**
 * For the I/O thread: moves what is submitted into its ring, as far as there is
 * room. What it submits itself goes through the queue like all others': a
 * connection that it took over may have something there.
 * @returns how many lie in the ring, for the driver
 */
export function takeSubmissions(workerPointer: usize): u32 {
  const worker = changetype<Worker>(workerPointer);
  const port = portOf(worker);
  queueSubmissions(worker, sharedOf(port));
  const taken = changetype<Completion>(worker.scratch);
  while (submissionRoom(worker, 1) && queuePop(sharedOf(port).submissions, worker.scratch) == 1) {
    const slot = taken.buffer;
    // A cancel has no record.
    const operation = slot < 0 ? changetype<Operation>(0) : operationAt(port, slot);
    submit(
      worker,
      taken.flags & 255,
      taken.result,
      taken.token,
      slot,
      slot < 0 ? 0 : operation.offset,
      slot < 0 ? 0 : operation.length,
      taken.flags >> 8,
    );
    // Counted by the worker that submitted it.
    port.submitted -= 1;
  }
  return worker.submissionCount;
}

// ---------------------------------------------------------------- death

/**
 * The thread of `deadPointer` is gone, outside of the core: the I/O thread takes
 * what it had. Its connections are reset, and what it borrowed is given back;
 * its record is as new. Needs a turn.
 * @returns how many connections it had
 */
export function takeOver(workerPointer: usize, deadPointer: usize): i32 {
  const worker = changetype<Worker>(workerPointer);
  const dead = changetype<Worker>(deadPointer);
  const port = portOf(worker);
  const shared = sharedOf(port);
  const fresh = atomicLoad<u32>(port.connections + offsetof<Pool>('fresh'));
  let count = 0;
  handOver(deadPointer);
  for (let slot: u32 = 0; slot < fresh; slot++) {
    const connection = connectionAt(port, slot);
    const owner = changetype<usize>(connection) + offsetof<Connection>('owner');
    if (atomicLoad<i32>(owner) != dead.index) continue;
    // From here on others forward to this worker.
    const lock = claimLock(shared, slot);
    lockAcquire(lock);
    connection.owner = worker.index;
    lockRelease(lock);
    connection.state &= ~(STATE_READY | STATE_DIRTY | STATE_OPEN_DUE);
    connection.nextClaim = 0;
    linkClaim(worker, connection, slot);
    connectionAbort(workerPointer, slot, ERROR_ABORTED);
    port.failed += 1;
    count++;
  }
  while (queuePop(dead.inbox, dead.scratch) == 1) {
    const completion = changetype<Completion>(dead.scratch);
    const connection = connectionAt(port, completion.connection);
    atomicSub<u32>(forwardedOf(connection), 1);
    forward(shared, connection, completion.connection, completion);
  }
  releaseBuffers(port, dead);
  decodeReclaim(deadPointer + WORKER_DECODE_CONTEXT);
  dead.readyHead = NOTHING;
  dead.readyTail = NOTHING;
  dead.dirtyHead = NOTHING;
  dead.dirtyTail = NOTHING;
  dead.claimHead = CLAIM_END;
  dead.eventCount = 0;
  dead.more = 0;
  // It may have been woken for a completion that it did not take.
  queueRouse(port.completions);
  return count;
}
