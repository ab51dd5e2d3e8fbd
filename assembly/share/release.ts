/** Claims are given up at the end of a turn. */
import { atomicLoad } from '../atomic';
import { connectionAbort } from '../connection/request';
import {
  CLAIM_END,
  Connection,
  ERROR_ABORTED,
  NOTHING,
  Port,
  STATE_CLOSED,
  STATE_DIRTY,
  STATE_OPEN_DUE,
  STATE_READY,
  Worker,
} from '../layout';
import { lockAcquire, lockRelease } from '../lock';
import { poolRelease } from '../pool';
import { connectionAt, portOf } from '../records';
import { claimLock, forwardedOf, linkClaim, poke, sharedOf } from '../shared-port';
import { dropCalls } from './call';

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
