/** The memory of the order experiment's server: what its threads share, and where it lies. */
import { Arena } from '../core/arena.ts';
import { CompletionQueue } from '../core/completion-queue.ts';
import type { Core } from '../core/core.ts';
import { Lock } from '../core/lock.ts';
import { Pool } from '../core/pool.ts';
import { ReorderBuffer } from '../core/reorder-buffer.ts';
import { Sequencer } from '../core/sequencer.ts';
import { OverlappedError } from '../errors.ts';
import { StreamDecoder } from './stream-decoder.ts';

/** The switches of the documents' server, by their numbers there. */
export interface OrderSwitches {
  /** (1) Receives kept pending. */
  readonly reads: number;
  /** (2) Messages are put in order again by the pool. */
  readonly poolOrder: boolean;
  /** (3) Writes that an echo is sent in. */
  readonly fragments: number;
  /** (4) Receives are put in order by their numbers. */
  readonly readOrder: boolean;
  /** (5) Writes are put in order by their numbers. */
  readonly writeOrder: boolean;
  /** (6) The next receive is issued before this one has been processed. */
  readonly eagerRead: boolean;
}

/** A receive: its buffer lies elsewhere. */
export const ReceiveRecord = { sequence: 0, bytes: 4, $size: 8 } as const;
/** A packet on its way through the pool; `parts` of its echo are still to be written. */
export const JobRecord = {
  address: 0,
  bytes: 4,
  sequence: 8,
  parts: 12,
  checksum: 16,
  $size: 24,
} as const;
/** A write that was posted. */
export const WriteRecord = { job: 0, address: 4, bytes: 8, sequence: 12, $size: 16 } as const;

/** Packets in the server at once, at most: the client has fewer without reply. */
export const JOBS_MOST = 256;
const FRAGMENTS_MOST = 16;
export const WRITES_MOST = JOBS_MOST * FRAGMENTS_MOST;
const FRAME_BYTES_MOST = 4096;
export const RECEIVE_BYTES = 1024;

export interface OrderHandle {
  readonly receiveLock: number;
  /** The same address where receive and send are under one lock (R15). */
  readonly sendLock: number;
  readonly decodeLock: number;
  readonly decoder: number;
  readonly arena: number;
  readonly receives: number;
  readonly buffers: number;
  readonly jobs: number;
  readonly jobQueue: number;
  readonly writes: number;
  readonly sequencers: readonly [read: number, pool: number, write: number];
  readonly stores: readonly [read: number, pool: number, write: number];
  /** A word: receives that should be pending and are not. */
  readonly missing: number;
}

/** Receives and their buffers: what is pending, and what is stored or processed meanwhile. */
export function receiveCount({ reads }: OrderSwitches, threads: number): number {
  return 2 * reads + threads;
}

export function createOrderMemory(
  core: Core,
  switches: OrderSwitches,
  threads: number,
  separateLocks: boolean,
): OrderHandle {
  const receiveLock = Lock.create(core).address;
  const receives = receiveCount(switches, threads);
  const arena = Arena.create(core, { sizeBytes: 2 * JOBS_MOST * FRAME_BYTES_MOST });
  const pool = (capacity: number, strideBytes: number) =>
    Pool.create(core, { capacity, strideBytes }).address;
  const store = (window: number) => ReorderBuffer.create(core, { window }).address;
  const sequencer = () => Sequencer.create(core).address;
  return {
    receiveLock,
    sendLock: separateLocks ? Lock.create(core).address : receiveLock,
    decodeLock: Lock.create(core).address,
    decoder: StreamDecoder.create(core, arena),
    arena: arena.address,
    receives: pool(receives, ReceiveRecord.$size),
    buffers: core.reserve(receives * RECEIVE_BYTES),
    jobs: pool(JOBS_MOST, JobRecord.$size),
    jobQueue: CompletionQueue.create(core, { capacity: JOBS_MOST }).address,
    writes: pool(WRITES_MOST, WriteRecord.$size),
    sequencers: [sequencer(), sequencer(), sequencer()],
    stores: [store(1024), store(JOBS_MOST), store(WRITES_MOST)],
    missing: core.reserve(64),
  };
}

/** The same, attached to by one thread. */
export class OrderMemory {
  readonly core: Core;
  readonly receiveLock: Lock;
  readonly sendLock: Lock;
  readonly decodeLock: Lock;
  readonly decoder: StreamDecoder;
  readonly arena: Arena;
  readonly receives: Pool;
  readonly jobs: Pool;
  readonly jobQueue: CompletionQueue;
  readonly writes: Pool;
  readonly numbers: { readonly [kind in 'read' | 'pool' | 'write']: Sequencer };
  readonly stores: { readonly [kind in 'read' | 'pool' | 'write']: ReorderBuffer };
  readonly #handle: OrderHandle;

  constructor(core: Core, handle: OrderHandle) {
    this.core = core;
    this.#handle = handle;
    this.receiveLock = Lock.attach(core, handle.receiveLock);
    this.sendLock = Lock.attach(core, handle.sendLock);
    this.decodeLock = Lock.attach(core, handle.decodeLock);
    this.decoder = StreamDecoder.attach(core, handle.decoder);
    this.arena = Arena.attach(core, handle.arena);
    this.receives = Pool.attach(core, handle.receives);
    this.jobs = Pool.attach(core, handle.jobs);
    this.jobQueue = CompletionQueue.attach(core, handle.jobQueue);
    this.writes = Pool.attach(core, handle.writes);
    const [read, pool, write] = handle.sequencers;
    this.numbers = {
      read: Sequencer.attach(core, read),
      pool: Sequencer.attach(core, pool),
      write: Sequencer.attach(core, write),
    };
    const [readStore, poolStore, writeStore] = handle.stores;
    this.stores = {
      read: ReorderBuffer.attach(core, readStore),
      pool: ReorderBuffer.attach(core, poolStore),
      write: ReorderBuffer.attach(core, writeStore),
    };
  }

  bufferOf(slot: number): number {
    return this.#handle.buffers + slot * RECEIVE_BYTES;
  }

  /** @throws OverlappedError NO_BUFFERS: a client that keeps its window never sees it, a stream that is garbage may */
  acquire(pool: Pool): number {
    const slot = pool.acquire();
    if (slot === undefined) throw new OverlappedError('NO_BUFFERS', 'too much at once');
    return slot;
  }

  get(pool: Pool, slot: number, field: number): number {
    return this.core.u32[(pool.slotAddress(slot) + field) >>> 2] as number;
  }

  set(pool: Pool, slot: number, field: number, value: number): void {
    this.core.u32[(pool.slotAddress(slot) + field) >>> 2] = value;
  }

  /** Returns what there was before. */
  subtract(pool: Pool, slot: number, field: number, value: number): number {
    return Atomics.sub(this.core.u32, (pool.slotAddress(slot) + field) >>> 2, value);
  }

  addMissing(count: number): void {
    Atomics.add(this.core.i32, this.#handle.missing >>> 2, count);
  }

  /** Takes one receive upon itself; false if none is missing. */
  takeMissing(): boolean {
    const { i32 } = this.core;
    const at = this.#handle.missing >>> 2;
    if (Atomics.sub(i32, at, 1) > 0) return true;
    Atomics.add(i32, at, 1);
    return false;
  }
}
