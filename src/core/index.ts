/** `overlapped/core`: the parts of the core for use on their own. */
export { OverlappedError } from '../errors.ts';
export { Arena, type ArenaOptions } from './arena.ts';
export {
  CompletionQueue,
  type CompletionQueueOptions,
  type CompletionRecord,
} from './completion-queue.ts';
export { Core, type CoreHandle, type CoreOptions } from './core.ts';
export { Lock, StripedLock } from './lock.ts';
export { Pool, type PoolOptions } from './pool.ts';
export { ReorderBuffer, type ReorderBufferOptions } from './reorder-buffer.ts';
export { Sequencer } from './sequencer.ts';
