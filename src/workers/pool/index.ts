/** The ordered pool's public names; its code is loaded with the first pool. */

import type { PoolHandle } from './desk-memory.ts';
import type { OrderedPoolOptions } from './options.ts';
import type { OrderedPool } from './ordered-pool.ts';
import type { PoolClient } from './pool-client.ts';

export type { PoolHandle } from './desk-memory.ts';
export type { PoolContext, PoolHandler } from './handler.ts';
export type { PoolKey } from './lane.ts';
export type { OrderedPoolOptions } from './options.ts';
export type { DispatchOptions, OrderedPool, PoolLeftovers } from './ordered-pool.ts';
export type { PoolClient } from './pool-client.ts';
export type { OrderedPoolStatistics } from './statistics.ts';

/**
 * Opens an ordered pool and starts its first threads.
 *
 * ```ts
 * const pool = await orderedPool<Uint8Array>({ handler: new URL('./work.js', import.meta.url) });
 * const reply = await pool.dispatch(bytes, { key: connection.id });
 * await pool.close();
 * ```
 *
 * Rejects with an OverlappedError: `INVALID_OPTION` for an option, and for a
 * handler module that does not exist, throws while loading or exports no
 * function (`cause` is the exception); `TIMED_OUT` if it does not load in
 * time; `ABORTED` if it ends its thread; `NO_BUFFERS` if there is not enough
 * memory.
 */
export async function orderedPool<Result = unknown>(
  options: OrderedPoolOptions,
): Promise<OrderedPool<Result>> {
  const { OrderedPool: Pool } = await import('./ordered-pool.ts');
  return Pool.open<Result>(options);
}

/**
 * Dispatches from this thread to a pool that another one opened, by what its `share`
 * returned. `PoolClient` says what the order is when several threads do.
 *
 * ```ts
 * // where the pool is
 * const pool = await orderedPool({ handler: new URL('./work.js', import.meta.url) });
 * await listen({ workers: 4, scheduling: 'shared', handlers, workerData: pool.share() });
 *
 * // handlers.js, in each I/O worker
 * export default async ({ data }) => {
 *   const pool = await attachPool(data);
 *   return {
 *     message(connection, bytes) {
 *       pool.dispatch(bytes, { key: connection.id }).then((reply) => connection.send(reply));
 *     },
 *   };
 * };
 * ```
 *
 * Rejects with an OverlappedError: `CLOSED` if the pool is closed; `NO_BUFFERS` if 64
 * threads are attached to it.
 */
export async function attachPool<Result = unknown>(
  handle: PoolHandle,
): Promise<PoolClient<Result>> {
  const { PoolClient: Client } = await import('./pool-client.ts');
  return new Client<Result>(handle);
}
