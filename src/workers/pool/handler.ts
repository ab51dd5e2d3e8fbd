/** What a program's handler module is, and what goes between its thread and the dispatcher. */
import type { MessagePort } from 'node:worker_threads';
import type { PoolMemoryHandle } from './pool-memory.ts';

/** Second argument of a `PoolHandler`. */
export interface PoolContext<Data = unknown> {
  /** Number of the thread, from 1 on; a thread that replaces another may have its number. */
  readonly thread: number;
  /** The pool's option `data`, cloned once a thread. */
  readonly data: Data;
}

/**
 * Does one job, in one of the pool's threads. `bytes` are the job's; by
 * default they are a view on shared memory, borrowed until the handler returns
 * or its promise settles (some functions refuse such views: see the option
 * `bytes`). The result, or what the promise resolves with, goes to the
 * dispatcher: a `Uint8Array` is copied through the pool's memory; anything
 * else must be something that can be cloned. What it throws rejects the
 * dispatch, as a clone.
 *
 * A thread sleeps while it has no job: timers and sockets that a handler
 * leaves open get only glimpses of time.
 */
export type PoolHandler<Result = unknown, Data = unknown> = (
  bytes: Uint8Array,
  context: PoolContext<Data>,
) => Result | Promise<Result>;

/** `workerData` of a thread. */
export interface PoolThreadData {
  readonly memory: PoolMemoryHandle;
  /** From 1 on. */
  readonly id: number;
  readonly record: number;
  readonly handler: string;
  readonly owned: boolean;
  readonly data: unknown;
  /** For results and exceptions that are not bytes; the dispatcher reads it when a packet says so. */
  readonly values: MessagePort;
}

/** Posted by a thread; 0: there are finished jobs. */
export type PoolThreadMessage =
  | 0
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'ended' };
