/** The ordered pool's public names. */
export type { PoolContext, PoolHandler } from './handler.ts';
export type { PoolKey } from './lane.ts';
export type { OrderedPoolOptions } from './options.ts';
export {
  type DispatchOptions,
  OrderedPool,
  orderedPool,
  type PoolLeftovers,
} from './ordered-pool.ts';
export type { OrderedPoolStatistics } from './statistics.ts';
