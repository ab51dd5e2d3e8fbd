/**
 * One turn: completions in, events out. The host calls `turn`, dispatches the
 * events, calls `finish`, and hands the submissions to the backend.
 */
import { releaseBuffers } from '../buffer';
import { advance } from '../connection/advance';
import { releaseClosed } from '../connection/end';
import { eventRoom } from '../event';
import { decodeReclaim } from '../frame/decode';
import { COMPLETION_POKE, Completion, Port, WORKER_DECODE_CONTEXT, Worker } from '../layout';
import { markDirty, markReady, takeDirty, takeReady } from '../lists';
import { submissionRoom } from '../operation';
import { queueLength, queuePop, queuePush, queueTake } from '../queue';
import { hotConnection, portOf } from '../records';
import { attend, beginShared, closeIfLast, poked } from '../share/attend';
import { NONE, PASSED_ON, completeShared, completionsWait, takeCompletion } from '../share/claim';
import { completed } from './completed';
import { report } from './report';

/** A completion puts at most this many events and submissions out by itself. */
const RESERVE: u32 = 2;

/** Reports a completion on behalf of a backend that has no structures of its own. */
export function complete(
  workerPointer: usize,
  token: f64,
  result: i32,
  flags: u32,
  buffer: i32,
  systemError: i32,
): i32 {
  const port = portOf(changetype<Worker>(workerPointer));
  if (port.shared != 0) return completeShared(port, token, result, flags, buffer, systemError);
  return queuePush(port.completions, token, result, flags, buffer, systemError);
}

/**
 * Takes completions and leaves events, as far as the event ring has room.
 * `worker.more` is 1 if work is left for another turn.
 * @returns the number of events
 */
export function turn(workerPointer: usize, nowMs: u32): i32 {
  const worker = changetype<Worker>(workerPointer);
  const port = portOf(worker);
  port.nowMs = nowMs;
  port.turns += 1;
  worker.eventCount = 0;
  worker.others = 0;
  if (port.shared != 0) takeShared(worker, port);
  while (port.shared == 0 && eventRoom(worker) >= RESERVE && submissionRoom(worker, RESERVE)) {
    const completion = nextCompletion(worker, port);
    if (completion == 0) break;
    completed(worker, port, changetype<Completion>(completion));
  }
  while (worker.readyHead >= 0 && eventRoom(worker) > 0) {
    const slot = worker.readyHead;
    const connection = hotConnection(port, slot);
    takeReady(worker, connection);
    if (!report(worker, port, slot, connection)) {
      markReady(worker, slot);
      break;
    }
  }
  const wait =
    port.shared == 0 ? queueLength(port.completions) != 0 : completionsWait(worker, port);
  worker.more = worker.readyHead >= 0 || wait ? 1 : 0;
  return worker.eventCount;
}

/** Address of the next completion, or 0. */
// @ts-ignore: decorator
@inline
function nextCompletion(worker: Worker, port: Port): usize {
  if (!ASC_FEATURE_THREADS) return queueTake(port.completions);
  return queuePop(port.completions, worker.scratch) == 1 ? worker.scratch : 0;
}

/** The same for one of several workers: what others have goes to them, and the batch is bounded. */
function takeShared(worker: Worker, port: Port): void {
  const completion = changetype<Completion>(worker.scratch);
  beginShared(worker, port);
  for (let left = worker.batch; left != 0; left--) {
    if (eventRoom(worker) <= RESERVE || !submissionRoom(worker, RESERVE)) return;
    const slot = takeCompletion(worker, port);
    if (slot == NONE) return;
    if (slot == PASSED_ON) continue;
    if (slot >= 0) attend(worker, slot);
    if (completion.flags & COMPLETION_POKE) poked(worker, slot);
    else {
      completed(worker, port, completion);
      if (slot >= 0) closeIfLast(worker, slot);
    }
  }
}

/**
 * The events have been dispatched: gives back what they borrowed, and submits
 * what handlers and freed credits ask for. Call again while it returns 1: the
 * submission ring was full.
 */
export function finish(workerPointer: usize): i32 {
  const worker = changetype<Worker>(workerPointer);
  const port = portOf(worker);
  releaseBuffers(port, worker);
  decodeReclaim(workerPointer + WORKER_DECODE_CONTEXT);
  let again = 0;
  const last = worker.dirtyTail;
  while (worker.dirtyHead >= 0) {
    const slot = worker.dirtyHead;
    const connection = hotConnection(port, slot);
    takeDirty(worker, connection);
    if (!advance(worker, slot, connection)) {
      markDirty(worker, slot);
      if (!submissionRoom(worker, 1)) {
        again = 1;
        break;
      }
    }
    if (slot == last) break;
  }
  releaseClosed(worker);
  return again;
}
