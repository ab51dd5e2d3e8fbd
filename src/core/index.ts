/** `overlapped/core`: the parts of the core for use on their own. */
export { OverlappedError } from '../errors.ts';
export { Arena, type ArenaOptions } from './arena.ts';
export {
  CompletionQueue,
  type CompletionQueueOptions,
  type CompletionRecord,
} from './completion-queue.ts';
export { Core, type CoreHandle, type CoreOptions } from './core.ts';
export { FrameDecoder, type FrameDecoderOptions, type OnMessage } from './frame-decoder.ts';
export { FrameEncoder } from './frame-encoder.ts';
export { Lock, StripedLock } from './lock.ts';
export {
  CompletionLoop,
  type CompletionLoopOptions,
  type LoopCounters,
  type LoopOpening,
} from './loop.ts';
export {
  LoopEventKind,
  type LoopEvents,
  LoopOperation,
  type LoopSubmissions,
} from './loop-cursor.ts';
export type { LoopProfileOptions } from './loop-profile.ts';
export { Pool, type PoolOptions } from './pool.ts';
export { ReorderBuffer, type ReorderBufferOptions } from './reorder-buffer.ts';
export { Sequencer } from './sequencer.ts';
