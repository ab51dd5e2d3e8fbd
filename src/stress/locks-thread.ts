/** A thread of the lock experiment (R6): makes one operation after the other, on connections at random. */
import { InOrderStore, LOCK_STRIDE, NOTHING } from '#generated/layout';
import type { Core } from '../core/core.ts';
import type { Stage } from './board.ts';

/** Where a connection's record of this experiment has its parts. */
export const CONNECTION = {
  sequencer: 0,
  store: 64,
  values: 64 + InOrderStore.$size,
  windowLog2: 3,
  /** Two cache lines and what the values take, so that neighbours share none. */
  $size: 192,
} as const;

/** One cell of the table, as all threads of it are told. */
export interface LocksCell {
  /** Address of the first lock. */
  readonly locks: number;
  readonly lockCount: number;
  /** Address of the first connection. */
  readonly base: number;
  readonly connections: number;
}

export interface LocksTask extends LocksCell {
  readonly thread: number;
  readonly ms: number;
}

export interface LocksResult {
  /** Those that were measured. */
  readonly operations: number;
  /** All, with those before. */
  readonly made: number;
  readonly ms: number;
  /** Operations that were not handed out in their turn. */
  readonly violations: number;
}

/** Operations between two looks at the clock. */
const BATCH = 2000;
const WARM_UP = 20_000;

export async function runLocks({ core, board }: Stage, task: LocksTask) {
  const { thread, ms } = task;
  let state = (thread + 1) * 0x9e3779b1;
  let violations = 0;
  const makeSome = (count: number): void => {
    for (let i = 0; i < count; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      violations += operate(core, task, (state >>> 8) % task.connections);
    }
  };
  return (): LocksResult => {
    makeSome(WARM_UP);
    const startedAt = performance.now();
    let operations = 0;
    let elapsedMs = 0;
    while (elapsedMs < ms && !board.stopped) {
      makeSome(BATCH);
      operations += BATCH;
      elapsedMs = performance.now() - startedAt;
    }
    return { operations, made: operations + WARM_UP, ms: elapsedMs, violations };
  };
}

/** Lock, number, store, release: what each operation on a connection costs. 1 if it was not in its turn. */
function operate(core: Core, cell: LocksCell, slot: number): number {
  const { exports } = core;
  const connection = cell.base + slot * CONNECTION.$size;
  const store = connection + CONNECTION.store;
  const lock = cell.locks + (slot % cell.lockCount) * LOCK_STRIDE;
  exports.lockAcquire(lock);
  const sequence = exports.sequenceTake(connection + CONNECTION.sequencer);
  const wasNext = exports.storeGetNext(store, sequence, slot) === slot;
  const isLast = exports.storeProcessAndGetNext(store) === NOTHING;
  exports.lockRelease(lock);
  return wasNext && isLast ? 0 : 1;
}
