/**
 * After a thread died: finds out from shared memory where it stood, settles
 * the job that it had and lets the order of that job's key go on.
 *
 * A thread dies in a handler, nearly always. But one that runs out of memory
 * can end between any two statements of ours, so every step that a thread
 * writes down has its case here. What holds it together: a job is claimed by
 * one compare-exchange, so queueing a job that may be lost is never wrong: of
 * two packets one finds the job claimed and is dropped.
 */

import type { Job } from './job.ts';
import type { JobBoard } from './job-board.ts';
import type { Lane } from './lane.ts';
import type { PoolMemory } from './pool-memory.ts';
import { JobRecord, JobState, ThreadRecord } from './records.ts';

export interface RecoveryHooks {
  /** Answers the job with the error of a dead thread. */
  fail(job: Job): void;
  /** Answers the job with its written outcome. */
  settle(job: Job): void;
  /** Slots that threads alive have in hand. */
  slotsInHand(): ReadonlySet<number>;
}

/** All packets of the dead thread have been seen. */
export function recover(
  memory: PoolMemory,
  board: JobBoard,
  { id, record }: { readonly id: number; readonly record: number },
  hooks: RecoveryHooks,
): void {
  const { u32 } = memory.core;
  const field = (offset: number) => Atomics.load(u32, (record + offset) >>> 2);
  const slot = field(ThreadRecord.current) - 1;
  const lane = board.laneAt(field(ThreadRecord.lane));
  const sequence = field(ThreadRecord.sequence);
  const job = slot < 0 ? undefined : board.inSlot(slot);
  const mine = job !== undefined && board.threadOf(job) === id ? job : undefined;
  const state = mine === undefined ? undefined : board.stateOf(mine);

  if (mine !== undefined && (state === JobState.TAKEN || state === JobState.SKIPPING)) {
    takeBack(memory, board, mine, state);
  } else if (mine !== undefined && state === JobState.RUNNING) {
    hooks.fail(mine);
  } else if (mine !== undefined && state === JobState.DONE) {
    // Its packet has not been pushed, or it would be answered by now.
    hooks.settle(mine);
  }
  if (lane !== undefined) leave(memory, board, lane, sequence, hooks);
  requeueLost(board);
}

/** A job that the thread had claimed, and not begun. */
function takeBack(memory: PoolMemory, board: JobBoard, job: Job, state: number): void {
  const { u32 } = memory.core;
  const resumed = u32[job.record + JobRecord.resumed / 4] === 1;
  if (job.lane !== undefined && !resumed) {
    const { store } = job.lane;
    if (job.lane.holds(job.sequence, job.slot)) return;
    // Nobody but the holder of a number processes it: its turn had come.
    if (store.next === job.sequence && store.processing) {
      u32[job.record + JobRecord.resumed / 4] = 1;
    }
  }
  board.push(job, state === JobState.SKIPPING ? JobState.WITHDRAWN : JobState.QUEUED);
}

/** The thread was processing `sequence` of the lane: does what it would have done next. */
function leave(
  memory: PoolMemory,
  board: JobBoard,
  lane: Lane<Job>,
  sequence: number,
  hooks: RecoveryHooks,
): void {
  const { store } = lane;
  if (!store.processing) return;
  if (store.next === sequence) {
    const job = board.numbered(lane, sequence);
    if (job !== undefined) {
      // Not begun. Taken back above, unless another thread had put it into the store.
      if (isHeld(board, job)) resume(memory, board, job);
      return;
    }
    const slot = store.processAndGetNext();
    const next = slot === undefined ? undefined : board.inSlot(slot);
    if (next !== undefined) resume(memory, board, next);
  } else if (store.next === (sequence + 1) >>> 0) {
    // It may have died with the next one just in hand; or another thread processes that.
    const job = board.numbered(lane, store.next);
    if (job === undefined || !isHeld(board, job)) return;
    if (!hooks.slotsInHand().has(job.slot)) resume(memory, board, job);
  }
}

/** Whether a thread has claimed the job, and none has begun it. */
function isHeld(board: JobBoard, job: Job): boolean {
  const state = board.stateOf(job);
  return state === JobState.TAKEN || state === JobState.SKIPPING;
}

/** Hands a job whose turn has come to whichever thread is free. */
function resume(memory: PoolMemory, board: JobBoard, job: Job): void {
  memory.core.u32[job.record + JobRecord.resumed / 4] = 1;
  const skipping = board.stateOf(job) === JobState.SKIPPING;
  board.push(job, skipping ? JobState.WITHDRAWN : JobState.QUEUED);
}

/** Jobs whose packet was taken by a thread that died before it claimed them. */
function requeueLost(board: JobBoard): void {
  const { taken } = board;
  for (const job of board.all()) {
    if (job.position < 0 || job.position >= taken) continue;
    const state = board.stateOf(job);
    if (state === JobState.QUEUED || state === JobState.WITHDRAWN) board.pushAgain(job);
  }
}
