/** Where a port's records lie in linear memory. */
import * as layout from '#generated/layout';
import type { Limits } from '../../backends/backend.ts';
import { OverlappedError } from '../errors.ts';
import type { Core } from './core.ts';
import {
  BATCH,
  completionCount,
  log2Above,
  operationCount,
  pokedCount,
  type RegionSizes,
  RINGS,
  receiveBufferStride,
  type SharingSizes,
  WINDOW_LOG2_MAX,
} from './region-sizes.ts';

export {
  EVENT_CAPACITY,
  operationCount,
  REPLY_CAPACITY,
  type RegionSizes,
  type RingSizes,
  receiveBufferStride,
  regionBytes,
  SCRATCH_BYTES,
  type SharingSizes,
  SUBMISSION_CAPACITY,
} from './region-sizes.ts';

/** What one worker has for itself. */
export interface WorkerRegions {
  /** Its number: 0 is the I/O thread, and the only one of an ordinary port. */
  readonly index: number;
  readonly port: number;
  readonly worker: number;
  readonly events: number;
  readonly submissions: number;
  readonly replies: number;
  readonly scratch: number;
}

/** Where everything lies: numbers only, so that another thread can be given it. */
export interface Regions extends WorkerRegions {
  readonly arena: number;
  readonly operations: number;
  /** Of the record in slot 0. */
  readonly firstOperation: number;
  readonly operationCapacity: number;
  readonly connections: number;
  readonly buffers: number;
  readonly completions: number;
  /** The user's part of a connection's record: where it begins in it, and its size. */
  readonly stateOffset: number;
  readonly stateBytes: number;
  /** Of a shared port. */
  readonly sharing?: SharedPort;
}

/** A port that several workers share. */
export interface SharedPort {
  /** Of the SharedPort record. */
  readonly address: number;
  /** By number. */
  readonly workers: readonly WorkerRegions[];
}

function windowLog2(depth: number): number {
  return Math.min(depth <= 1 ? 0 : log2Above(depth), WINDOW_LOG2_MAX);
}

function portFlags({ selectsBuffers, probes = 'never' }: Limits): number {
  if (selectsBuffers) return layout.PORT_SELECTS_BUFFERS;
  if (probes === 'always') return layout.PORT_PROBES_ALWAYS;
  return probes === 'scarce' ? layout.PORT_PROBES_WHEN_SCARCE : 0;
}

/** Most operations of one kind that a connection can have pending: what its in-order store can hold. */
export const DEPTH_MAX = 2 ** WINDOW_LOG2_MAX;

function put(core: Core, base: number, field: number, value: number): void {
  core.u32[(base + field) >>> 2] = value;
}

function placeQueue(core: Core, capacity: number): number {
  const queue = core.reserve(layout.QUEUE_BYTES);
  const log2 = log2Above(capacity);
  core.exports.queueInit(queue, core.reserve(layout.COMPLETION_BYTES * 2 ** log2), log2);
  return queue;
}

/** A Worker record with its rings, on the Port record at `port`. */
function placeWorker(
  core: Core,
  { rings = RINGS }: RegionSizes,
  index: number,
  port: number,
  arena: number,
): WorkerRegions {
  const worker = core.reserve(layout.WORKER_BYTES);
  const events = core.reserve(rings.events * layout.EVENT_BYTES);
  const submissions = core.reserve(rings.submissions * layout.SUBMISSION_BYTES);
  const replies = core.reserve(rings.replies * layout.REPLY_BYTES);
  const fields = layout.Worker;
  put(core, worker, fields.port, port);
  put(core, worker, fields.events, events);
  put(core, worker, fields.eventCapacity, rings.events);
  put(core, worker, fields.submissions, submissions);
  put(core, worker, fields.submissionCapacity, rings.submissions);
  put(core, worker, fields.replies, replies);
  put(core, worker, fields.replyCapacity, rings.replies);
  put(core, worker, fields.scratch, core.reserve(layout.COMPLETION_BYTES));
  for (const list of [
    fields.readyHead,
    fields.readyTail,
    fields.dirtyHead,
    fields.dirtyTail,
    fields.releaseHead,
    fields.closedHead,
  ]) {
    put(core, worker, list, layout.NOTHING);
  }
  put(core, worker, fields.index, index);
  put(core, worker, fields.claimHead, layout.CLAIM_END);
  put(core, worker, layout.WORKER_DECODE_CONTEXT, arena); // DecodeContext.arena
  return {
    index,
    port,
    worker,
    events,
    submissions,
    replies,
    scratch: core.reserve(rings.scratchBytes),
  };
}

/** The other workers, and what all share; worker 0 and its Port record are made. */
function placeSharing(
  core: Core,
  sizes: RegionSizes,
  sharing: SharingSizes,
  first: WorkerRegions,
  arena: number,
): SharedPort {
  const address = core.reserve(layout.SHARED_PORT_BYTES);
  put(core, first.port, layout.Port.shared, address);
  const count = sharing.workers + 1;
  const workers = [first];
  for (let index = 1; index < count; index++) {
    // A copy, so that counters and clock are its own.
    const port = core.reserve(layout.PORT_BYTES);
    core.u8.copyWithin(port, first.port, first.port + layout.PORT_BYTES);
    workers.push(placeWorker(core, sizes, index, port, arena));
  }
  const table = core.reserve(4 * count);
  for (const { index, worker } of workers) {
    put(core, table, 4 * index, worker);
    put(core, worker, layout.Worker.inbox, placeQueue(core, pokedCount(sizes)));
    put(core, worker, layout.Worker.batch, sharing.batch ?? BATCH);
  }
  const fields = layout.SharedPort;
  put(core, address, fields.workers, table);
  put(core, address, fields.workerCount, count);
  put(core, address, fields.locks, core.reserve(sharing.locks * layout.LOCK_STRIDE));
  put(core, address, fields.lockCount, sharing.locks);
  put(core, address, fields.dequeueLock, core.reserve(layout.LOCK_STRIDE));
  // Each operation is submitted once; a connection asks for one cancel at a time.
  const submitted = operationCount(sizes) + sizes.maxConnections;
  put(core, address, fields.submissions, placeQueue(core, submitted));
  return { address, workers };
}

/**
 * Reserves and initialises everything that a port needs, for one worker or for
 * all of them: the regions of worker 0.
 */
export function placeRegions(core: Core, sizes: RegionSizes, limits: Limits): Regions {
  const { exports } = core;
  const pool = (stride: number, capacity: number): number => {
    const address = core.reserve(layout.Pool.$size);
    const links = core.reserve(exports.poolLinksBytes(capacity));
    exports.poolInit(address, links, core.reserve(stride * capacity), stride, capacity);
    return address;
  };
  const readWindowLog2 = windowLog2(limits.receiveDepth);
  const writeWindowLog2 = windowLog2(limits.sendDepth);
  const operationCapacity = operationCount(sizes);
  const operations = pool(layout.OPERATION_BYTES, operationCapacity);
  const stateBytes = sizes.stateBytes ?? 0;
  const stateOffset = exports.connectionBytes(readWindowLog2, writeWindowLog2);
  const recordBytes = stateOffset + Math.ceil(stateBytes / 8) * 8;
  const connections = pool(recordBytes, sizes.maxConnections);
  const buffers = pool(receiveBufferStride(sizes), sizes.receiveBuffers);
  const bufferLinks = core.reserve(sizes.receiveBuffers * layout.BUFFER_LINK_BYTES);

  const arena = core.reserve(layout.ARENA_BYTES);
  const arenaLog2 = Math.log2(sizes.arenaBytes);
  if (!Number.isInteger(arenaLog2) || sizes.arenaBytes < 2 ** layout.ARENA_MIN_LOG2) {
    throw new OverlappedError(
      'INVALID_OPTION',
      `arenaBytes is ${sizes.arenaBytes}; allowed is a power of two from ${2 ** layout.ARENA_MIN_LOG2}`,
    );
  }
  const orders = core.reserve(sizes.arenaBytes / 2 ** layout.ARENA_MIN_LOG2);
  exports.arenaInit(arena, core.reserve(sizes.arenaBytes, 4096), arenaLog2, orders);

  const { sharing } = sizes;
  const completions = placeQueue(
    core,
    sharing === undefined ? completionCount(sizes) : pokedCount(sizes),
  );

  const port = core.reserve(layout.PORT_BYTES);
  const fields = layout.Port;
  put(core, port, fields.completions, completions);
  put(core, port, fields.operations, operations);
  put(core, port, fields.connections, connections);
  put(core, port, fields.buffers, buffers);
  put(core, port, fields.bufferLinks, bufferLinks);
  put(core, port, fields.arena, arena);
  put(core, port, fields.flags, portFlags(limits));
  put(core, port, fields.maxTransferBytes, limits.maxTransferBytes);
  put(core, port, fields.bufferBytes, sizes.receiveBufferBytes);
  put(core, port, fields.readWindowLog2, readWindowLog2);
  put(core, port, fields.writeWindowLog2, writeWindowLog2);
  put(core, port, fields.stateOffset, stateOffset);
  put(core, port, fields.stateBytes, stateBytes);

  const first = placeWorker(core, sizes, 0, port, arena);
  const shared =
    sharing === undefined ? undefined : placeSharing(core, sizes, sharing, first, arena);
  return {
    ...first,
    arena,
    operations,
    firstOperation: exports.poolAddress(operations, 0) >>> 0,
    operationCapacity,
    connections,
    buffers,
    completions,
    stateOffset,
    stateBytes,
    ...(shared === undefined ? {} : { sharing: shared }),
  };
}

/** The regions of worker `index` of the shared port that `regions`, of any of its workers, describe. */
export function attachWorker(regions: Regions, index: number): Regions {
  const own = regions.sharing?.workers[index];
  if (own === undefined) {
    throw new OverlappedError('INVALID_OPTION', `the port has no worker ${index}`);
  }
  return { ...regions, ...own };
}

/** Addresses of all Port records of a port: its counters are the sums of theirs. */
export function portRecords({ port, sharing }: Regions): readonly number[] {
  return sharing === undefined ? [port] : sharing.workers.map((worker) => worker.port);
}
