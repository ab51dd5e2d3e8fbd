/** Where a decoder or encoder that is used on its own has its memory. */
import type { Framing } from '../framing.ts';
import { Arena } from './arena.ts';
import { Core } from './core.ts';
import { PAGE_BYTES } from './memory.ts';

/** Where the memory comes from. Left out, each object makes a small core of its own. */
export interface FrameWorkspaceOptions {
  /** With `arena`: work on this core, and give everything back on `close`. */
  readonly core?: Core | undefined;
  /** An arena of `core`; any number of decoders and encoders may share one. */
  readonly arena?: Arena | undefined;
}

export interface FrameWorkspace {
  readonly core: Core;
  readonly arena: Arena;
}

/** Frames without a limit of their own (`raw`) need no more than this at once. */
const UNLIMITED_FRAME_BYTES = 2 ** 20;
const ARENA_BYTES_LEAST = 2 ** 18;
const ARENA_BYTES_MOST = 2 ** 31;

export function largestFrameBytes(framing: Framing): number {
  if (framing.kind === 'raw') return UNLIMITED_FRAME_BYTES;
  return framing.kind === 'fixed' ? framing.size : framing.maxFrameBytes;
}

/** The given core and arena, or ones large enough for a frame of the largest size that grows by moving. */
export function frameWorkspace(framing: Framing, options: FrameWorkspaceOptions): FrameWorkspace {
  const { core, arena } = options;
  if (core !== undefined && arena !== undefined) return { core, arena };
  const block = 2 ** Math.ceil(Math.log2(largestFrameBytes(framing) + 16));
  const sizeBytes = Math.min(Math.max(4 * block, ARENA_BYTES_LEAST), ARENA_BYTES_MOST);
  const owner = core ?? Core.create({ memoryBytes: sizeBytes + sizeBytes / 512 + PAGE_BYTES });
  return { core: owner, arena: Arena.create(owner, { sizeBytes }) };
}
