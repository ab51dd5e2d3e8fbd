/** Where a pool and the threads that are attached to it meet, in the pool's memory. */
import { CompletionQueue } from '../../core/completion-queue.ts';
import type { Core, CoreHandle } from '../../core/core.ts';
import { Pool } from '../../core/pool.ts';
import {
  DeskRecord,
  DISPATCHERS_MAX,
  DispatcherRecord,
  TICKETS_MAX,
  TicketRecord,
} from './desk-records.ts';

/**
 * What a thread needs to dispatch to a pool: made by `OrderedPool.share`, taken
 * by `attachPool`. Can be cloned: send it by `workerData` or `postMessage`.
 */
export interface PoolHandle {
  readonly core: CoreHandle;
  readonly desk: number;
  readonly tickets: number;
  readonly requests: number;
  readonly said: number;
  readonly dispatchers: number;
  readonly queued: number;
  readonly arena: number;
  readonly arenaBytes: number;
  readonly capacity: number;
}

export interface DeskMemory {
  readonly core: Core;
  /** Address of the `DeskRecord`. */
  readonly desk: number;
  readonly tickets: Pool;
  /** Tickets of dispatches, in the order of their calls. */
  readonly requests: CompletionQueue;
  /** Tickets of results whose thread is done with them. */
  readonly said: CompletionQueue;
  /** Address of the first `DispatcherRecord`. */
  readonly dispatchers: number;
  /** Completions that each queue holds: a ticket is in one queue at a time. */
  readonly queued: number;
}

export interface DeskSize {
  readonly capacity: number;
  readonly maxWaiting: number;
}

function ticketsOf({ capacity, maxWaiting }: DeskSize): number {
  return Math.min(capacity + maxWaiting, TICKETS_MAX);
}

function queuedOf(size: DeskSize): number {
  return 2 ** Math.ceil(Math.log2(Math.max(ticketsOf(size), 2)));
}

export function deskBytes(size: DeskSize): number {
  return (
    ticketsOf(size) * (TicketRecord.$size + 8) +
    // Requests, what was said, and the answers to each thread.
    (2 + DISPATCHERS_MAX) * (queuedOf(size) * 32 + 512) +
    DISPATCHERS_MAX * DispatcherRecord.$size +
    4096
  );
}

export function createDeskMemory(core: Core, size: DeskSize): DeskMemory {
  const queued = queuedOf(size);
  return {
    core,
    desk: core.reserve(DeskRecord.$size),
    tickets: Pool.create(core, { capacity: ticketsOf(size), strideBytes: TicketRecord.$size }),
    requests: CompletionQueue.create(core, { capacity: queued }),
    said: CompletionQueue.create(core, { capacity: queued }),
    dispatchers: core.reserve(DISPATCHERS_MAX * DispatcherRecord.$size),
    queued,
  };
}
