/** The linear memory of a pool: made by the dispatcher, attached to by each thread. */
import { Arena } from '../../core/arena.ts';
import { CompletionQueue } from '../../core/completion-queue.ts';
import { Core, type CoreHandle } from '../../core/core.ts';
import { Pool } from '../../core/pool.ts';
import { createDeskMemory, type DeskMemory, deskBytes } from './desk-memory.ts';
import { JobRecord, LANE_WINDOW, ThreadRecord } from './records.ts';

/** Where things lie, for `postMessage` to a thread. */
export interface PoolMemoryHandle {
  readonly core: CoreHandle;
  /** Queue of jobs: the pool's completion port. */
  readonly jobs: number;
  /** Queue of finished jobs. */
  readonly done: number;
  readonly slots: number;
  readonly arena: number;
  /** A word: 1 while the dispatcher wants to be woken. */
  readonly wake: number;
}

export interface PoolMemory {
  readonly core: Core;
  readonly jobs: CompletionQueue;
  readonly done: CompletionQueue;
  readonly slots: Pool;
  readonly arena: Arena;
  readonly wake: number;
  readonly handle: PoolMemoryHandle;
  /** Used once the pool is shared; nobody touches it before. */
  readonly desk: DeskMemory;
}

export interface PoolMemorySize {
  readonly capacity: number;
  readonly maxWaiting: number;
  readonly maxThreads: number;
  readonly arenaBytes: number;
  readonly debug: boolean;
}

const powerOfTwo = (least: number) => 2 ** Math.ceil(Math.log2(Math.max(least, 2)));

export function createPoolMemory(size: PoolMemorySize): PoolMemory {
  const { capacity, maxThreads, arenaBytes, debug } = size;
  // A job is queued at most twice (once more after a thread died), a thread's end once.
  const queued = powerOfTwo(2 * capacity + 2 * maxThreads);
  const memoryBytes =
    arenaBytes * (1 + 1 / 512) +
    queued * 2 * 32 +
    capacity * (JobRecord.$size + 8) +
    capacity * (128 + LANE_WINDOW * 4) +
    maxThreads * 2 * ThreadRecord.$size +
    deskBytes(size) +
    65536;
  const core = Core.create({ shared: true, debug, memoryBytes: Math.ceil(memoryBytes) });
  const jobs = CompletionQueue.create(core, { capacity: queued });
  const done = CompletionQueue.create(core, { capacity: queued });
  const slots = Pool.create(core, { capacity, strideBytes: JobRecord.$size });
  const arena = Arena.create(core, { sizeBytes: arenaBytes });
  const wake = core.reserve(64);
  const handle: PoolMemoryHandle = {
    core: core.handle,
    jobs: jobs.address,
    done: done.address,
    slots: slots.address,
    arena: arena.address,
    wake,
  };
  const desk = createDeskMemory(core, size);
  return { core, jobs, done, slots, arena, wake, handle, desk };
}
