/** The I/O thread takes what a worker that is gone had. */
import { atomicLoad, atomicSub } from '../atomic';
import { releaseBuffers } from '../buffer';
import { connectionAbort } from '../connection/request';
import { decodeReclaim } from '../frame/decode';
import {
  CLAIM_END,
  Completion,
  Connection,
  ERROR_ABORTED,
  NOTHING,
  Pool,
  STATE_DIRTY,
  STATE_OPEN_DUE,
  STATE_READY,
  WORKER_DECODE_CONTEXT,
  Worker,
} from '../layout';
import { lockAcquire, lockRelease } from '../lock';
import { queuePop, queueRouse } from '../queue';
import { connectionAt, portOf } from '../records';
import { claimLock, forwardedOf, linkClaim, sharedOf } from '../shared-port';
import { forward } from './claim';
import { handOver } from './submissions';

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
