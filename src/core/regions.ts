/** Where a port's records lie in linear memory, and how much of it they take. */
import * as layout from '#generated/layout';
import type { Limits } from '../../backends/backend.ts';
import { OverlappedError } from '../errors.ts';
import type { Core } from './core.ts';

export interface RegionSizes {
  readonly maxConnections: number;
  readonly receiveBufferBytes: number;
  readonly receiveBuffers: number;
  readonly arenaBytes: number;
}

/** Events of one turn, submissions of one flush, replies of one batch. */
export const EVENT_CAPACITY = 4096;
export const SUBMISSION_CAPACITY = 1024;
export const REPLY_CAPACITY = 4096;
/** Where the host puts a message before the core frames it. */
export const SCRATCH_BYTES = 64 * 1024;
/** Records beside those that connections need: listeners, timers, posted packets. */
const SPARE_OPERATIONS = 1024;
const WINDOW_LOG2_MAX = 6;

export interface Regions {
  readonly port: number;
  readonly worker: number;
  readonly events: number;
  readonly submissions: number;
  readonly replies: number;
  readonly scratch: number;
  readonly arena: number;
  readonly operations: number;
  /** Of the record in slot 0. */
  readonly firstOperation: number;
  readonly operationCapacity: number;
  readonly connections: number;
  readonly buffers: number;
  readonly completions: number;
}

/** Operation records of a port. */
export function operationCount({ maxConnections }: RegionSizes): number {
  // A connection at rest has one receive pending; one at work adds sends and a close.
  return Math.min(4 * maxConnections + SPARE_OPERATIONS, layout.POOL_CAPACITY_MAX);
}

function log2Above(value: number): number {
  return Math.ceil(Math.log2(Math.max(value, 2)));
}

/** An upper bound of what `placeRegions` reserves, whatever the backend's limits are. */
export function regionBytes(sizes: RegionSizes): number {
  const operations = operationCount(sizes);
  const perConnection = layout.CONNECTION_WINDOWS + 2 * (4 << WINDOW_LOG2_MAX) + 8;
  return (
    sizes.maxConnections * (perConnection + 8) +
    operations * (layout.OPERATION_BYTES + 8) +
    sizes.receiveBuffers * (sizes.receiveBufferBytes + layout.BUFFER_LINK_BYTES + 8) +
    2 ** log2Above(operations + sizes.receiveBuffers) * layout.COMPLETION_BYTES +
    sizes.arenaBytes * (1 + 2 ** -layout.ARENA_MIN_LOG2) +
    EVENT_CAPACITY * layout.EVENT_BYTES +
    SUBMISSION_CAPACITY * layout.SUBMISSION_BYTES +
    REPLY_CAPACITY * layout.REPLY_BYTES +
    SCRATCH_BYTES +
    64 * 1024
  );
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

/** Reserves and initialises everything that a port with one worker needs. */
export function placeRegions(core: Core, sizes: RegionSizes, limits: Limits): Regions {
  const { exports, u32 } = core;
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
  const connections = pool(
    exports.connectionBytes(readWindowLog2, writeWindowLog2),
    sizes.maxConnections,
  );
  const buffers = pool(sizes.receiveBufferBytes, sizes.receiveBuffers);
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

  const completions = core.reserve(layout.QUEUE_BYTES);
  // Every operation can have one final completion waiting, and every buffer one more.
  const cellsLog2 = log2Above(operationCapacity + sizes.receiveBuffers);
  exports.queueInit(completions, core.reserve(layout.COMPLETION_BYTES * 2 ** cellsLog2), cellsLog2);

  const port = core.reserve(layout.PORT_BYTES);
  const put = (base: number, field: number, value: number) => {
    u32[(base + field) >>> 2] = value;
  };
  const portRecord = layout.Port;
  put(port, portRecord.completions, completions);
  put(port, portRecord.operations, operations);
  put(port, portRecord.connections, connections);
  put(port, portRecord.buffers, buffers);
  put(port, portRecord.bufferLinks, bufferLinks);
  put(port, portRecord.arena, arena);
  put(port, portRecord.flags, portFlags(limits));
  put(port, portRecord.maxTransferBytes, limits.maxTransferBytes);
  put(port, portRecord.bufferBytes, sizes.receiveBufferBytes);
  put(port, portRecord.readWindowLog2, readWindowLog2);
  put(port, portRecord.writeWindowLog2, writeWindowLog2);

  const worker = core.reserve(layout.WORKER_BYTES);
  const events = core.reserve(EVENT_CAPACITY * layout.EVENT_BYTES);
  const submissions = core.reserve(SUBMISSION_CAPACITY * layout.SUBMISSION_BYTES);
  const replies = core.reserve(REPLY_CAPACITY * layout.REPLY_BYTES);
  const workerRecord = layout.Worker;
  put(worker, workerRecord.port, port);
  put(worker, workerRecord.events, events);
  put(worker, workerRecord.eventCapacity, EVENT_CAPACITY);
  put(worker, workerRecord.submissions, submissions);
  put(worker, workerRecord.submissionCapacity, SUBMISSION_CAPACITY);
  put(worker, workerRecord.replies, replies);
  put(worker, workerRecord.replyCapacity, REPLY_CAPACITY);
  put(worker, workerRecord.scratch, core.reserve(layout.COMPLETION_BYTES));
  for (const list of [
    workerRecord.readyHead,
    workerRecord.readyTail,
    workerRecord.dirtyHead,
    workerRecord.dirtyTail,
    workerRecord.releaseHead,
    workerRecord.closedHead,
  ]) {
    put(worker, list, layout.NOTHING);
  }
  put(worker, layout.WORKER_DECODE_CONTEXT, arena); // DecodeContext.arena
  return {
    port,
    worker,
    events,
    submissions,
    replies,
    scratch: core.reserve(SCRATCH_BYTES),
    arena,
    operations,
    firstOperation: exports.poolAddress(operations, 0) >>> 0,
    operationCapacity,
    connections,
    buffers,
    completions,
  };
}
