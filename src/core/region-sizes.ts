/** How large a port's records are to be, and how much memory they take. */
import * as layout from '#generated/layout';
import { CACHE_LINE_BYTES } from './memory.ts';

export interface RegionSizes {
  readonly maxConnections: number;
  readonly receiveBufferBytes: number;
  readonly receiveBuffers: number;
  readonly arenaBytes: number;
  /** The user's part of each connection's record. Default 0. */
  readonly stateBytes?: number;
  /** Lengths of a worker's rings, and its scratch. Default: as below. */
  readonly rings?: RingSizes;
  /** Most operations at once. Default, and at most: 4 * `maxConnections` + 1024. */
  readonly maxOperations?: number;
  /** Several workers on one port: see assembly/share. Default: one, on an ordinary port. */
  readonly sharing?: SharingSizes;
}

export interface RingSizes {
  readonly events: number;
  readonly submissions: number;
  readonly replies: number;
  readonly scratchBytes: number;
}

export interface SharingSizes {
  /** Workers beside the I/O thread, which is number 0. */
  readonly workers: number;
  /** Locks among which the connections are spread (R6): 1 to `maxConnections`. */
  readonly locks: number;
  /** Most completions that a worker takes in one turn. Default 64. */
  readonly batch?: number;
}

/** Events of one turn, submissions of one flush, replies of one batch. */
export const EVENT_CAPACITY = 4096;
export const SUBMISSION_CAPACITY = 1024;
export const REPLY_CAPACITY = 4096;
/** Where the host puts a message before the core frames it. */
export const SCRATCH_BYTES = 64 * 1024;
export const RINGS: RingSizes = {
  events: EVENT_CAPACITY,
  submissions: SUBMISSION_CAPACITY,
  replies: REPLY_CAPACITY,
  scratchBytes: SCRATCH_BYTES,
};
/** Records beside those that connections need: listeners, timers, posted packets. */
const SPARE_OPERATIONS = 1024;
export const WINDOW_LOG2_MAX = 6;
export const BATCH = 64;

/**
 * Bytes from one receive buffer to the next: an odd number of cache lines. At a power of two
 * the fronts of all buffers, where short messages lie, would share a few sets of the cache.
 */
export function receiveBufferStride({ receiveBufferBytes }: RegionSizes): number {
  return (Math.ceil(receiveBufferBytes / CACHE_LINE_BYTES) | 1) * CACHE_LINE_BYTES;
}

/** Operation records of a port. */
export function operationCount({ maxConnections, maxOperations }: RegionSizes): number {
  // A connection at rest has one receive pending; one at work adds sends and a close.
  const most = Math.min(4 * maxConnections + SPARE_OPERATIONS, layout.POOL_CAPACITY_MAX);
  return Math.min(maxOperations ?? most, most);
}

export function log2Above(value: number): number {
  return Math.ceil(Math.log2(Math.max(value, 2)));
}

/** Bytes of a connection's record before the user's part. */
const RECORD_BYTES_MAX = layout.CONNECTION_WINDOWS + 2 * (4 << WINDOW_LOG2_MAX) + 8;

/** Everything that can be pending, and can wait as a completion, at once. */
export function completionCount(sizes: RegionSizes): number {
  // Every operation can have one final completion waiting, and every buffer one more.
  return operationCount(sizes) + sizes.receiveBuffers;
}

function queueBytes(capacity: number): number {
  return layout.QUEUE_BYTES + 2 ** log2Above(capacity) * layout.COMPLETION_BYTES;
}

function workerBytes({ rings = RINGS }: RegionSizes): number {
  return (
    rings.events * layout.EVENT_BYTES +
    rings.submissions * layout.SUBMISSION_BYTES +
    rings.replies * layout.REPLY_BYTES +
    rings.scratchBytes +
    1024
  );
}

/** Cells of a queue that also takes pokes: one a connection, and one for its listener. */
export function pokedCount(sizes: RegionSizes): number {
  return completionCount(sizes) + 2 * sizes.maxConnections;
}

function sharingBytes(sizes: RegionSizes): number {
  const { sharing } = sizes;
  if (sharing === undefined) return 0;
  const { workers, locks } = sharing;
  return (
    (workers + 2) * queueBytes(pokedCount(sizes)) +
    queueBytes(operationCount(sizes) + sizes.maxConnections) +
    workers * workerBytes(sizes) +
    (locks + 1) * layout.LOCK_STRIDE +
    4 * (workers + 1)
  );
}

/** An upper bound of what `placeRegions` reserves, whatever the backend's limits are. */
export function regionBytes(sizes: RegionSizes): number {
  const operations = operationCount(sizes);
  return (
    sizes.maxConnections * (RECORD_BYTES_MAX + (sizes.stateBytes ?? 0) + 16) +
    operations * (layout.OPERATION_BYTES + 8) +
    sizes.receiveBuffers * (receiveBufferStride(sizes) + layout.BUFFER_LINK_BYTES + 8) +
    queueBytes(completionCount(sizes)) +
    sizes.arenaBytes * (1 + 2 ** -layout.ARENA_MIN_LOG2) +
    workerBytes(sizes) +
    sharingBytes(sizes) +
    64 * 1024
  );
}
