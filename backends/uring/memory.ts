/** The backend's part of linear memory, and where all of it lies in the process. */
import * as layout from '#generated/layout';
import type { Core } from '../../src/core/core.ts';
import { type NativeExports, nativeOf } from '../../src/core/native.ts';
import type { BackendHost, PortSizes } from '../backend.ts';
import { sockaddr_storage } from './constants.ts';
import type { Address } from './libc.ts';
import type { CheckedOptions } from './options.ts';
import type { System } from './system.ts';

/** Connections are accepted and closed beside those that the loop has records for. */
const SPARE_HANDLES = 1024;
/** Room for what a single call reads or writes: see `scratch`. */
const SCRATCH_BYTES = 512;
/** Heads, tails and flags of both rings, before their entries. */
const RING_HEADER_BYTES = 1024;
const CACHE_LINE_BYTES = 64;

/** With an Address before it and a length behind: see `scratch`. */
export const NAME_OFFSET = 64;
export const NAME_LENGTH_OFFSET = NAME_OFFSET + sockaddr_storage.$size;

/** Descriptors of a driver that are no sockets: words of `NativeMemory.descriptors`, -1 where there is none. */
export const DESCRIPTOR_RING = 0;
export const DESCRIPTOR_BELL = 1;
export const DESCRIPTOR_WAKER = 2;
/** Of the thread that sleeps for several drivers: see `Waiter`. */
export const DESCRIPTOR_SET = 3;
export const DESCRIPTOR_SET_BELL = 4;
export const DESCRIPTOR_COUNT = 5;

function handleCapacityOf({ maxConnections }: PortSizes): number {
  return maxConnections + SPARE_HANDLES;
}

interface Sizes {
  /** Heads, tails and CQEs, and the submission ring's indices. */
  readonly rings: number;
  readonly sqes: number;
  readonly buffers: number;
}

function sizesOf(options: CheckedOptions): Sizes {
  const { entries, completionEntries, providedBuffers } = options;
  return {
    rings: RING_HEADER_BYTES + completionEntries * layout.URING_CQE_BYTES + entries * 4,
    sqes: entries * layout.URING_SQE_BYTES,
    buffers: providedBuffers * layout.URING_BUFFER_BYTES,
  };
}

/** Bytes that `NativeMemory` reserves. Pages are not known yet: the largest there are. */
export function nativeBytes(options: CheckedOptions, sizes: PortSizes): number {
  const { rings, sqes, buffers } = sizesOf(options);
  const pages = 6 * 65536;
  return (
    rings +
    sqes +
    buffers +
    pages +
    layout.URING_PORT_BYTES +
    options.providedBuffers * 4 +
    handleCapacityOf(sizes) * layout.URING_HANDLE_BYTES +
    layout.SUBMISSION_BYTES +
    SCRATCH_BYTES +
    DESCRIPTOR_COUNT * 4 +
    9 * CACHE_LINE_BYTES
  );
}

export class NativeMemory {
  readonly core: Core;
  /** What the core's native module does with the structures. */
  readonly native: NativeExports;
  /** Address of linear memory's first byte; offsets are added to it. */
  readonly base: Address;
  /** UringPort record. */
  readonly port: number;
  /** Whole pages: both rings, the entries to submit, the ring of buffers. */
  readonly rings: number;
  readonly ringsBytes: number;
  readonly sqes: number;
  readonly sqesBytes: number;
  readonly buffers: number;
  /** See `UringPort.bufferSlots`. */
  readonly bufferSlots: number;
  /** A submission ring of one entry: for those who submit by calls. */
  readonly single: number;
  /**
   * Memory of a single call, which may use all of it: an Address, a sockaddr at
   * NAME_OFFSET, its length at NAME_LENGTH_OFFSET.
   */
  readonly scratch: number;
  /** Address of the words that name the driver's own descriptors: see `reclaim`. */
  readonly descriptors: number;
  readonly handleCapacity: number;
  readonly #handles: number;
  readonly #pageBytes: number;
  readonly #bufferCount: number;
  #operations = 0;
  #owner = 0;

  constructor(host: BackendHost, { koffi, pageBytes }: System, options: CheckedOptions) {
    const { core } = host;
    const sizes = sizesOf(options);
    this.core = core;
    this.native = nativeOf(core);
    this.#pageBytes = pageBytes;
    this.#bufferCount = options.providedBuffers;
    this.base = Number(koffi.address(core.u8));
    this.handleCapacity = handleCapacityOf(host.sizes);
    this.ringsBytes = this.#pages(sizes.rings);
    this.rings = this.#reservePages(this.ringsBytes);
    this.sqesBytes = this.#pages(sizes.sqes);
    this.sqes = this.#reservePages(this.sqesBytes);
    this.buffers = this.#reservePages(this.#pages(sizes.buffers));
    this.port = core.reserve(layout.URING_PORT_BYTES);
    this.bufferSlots = core.reserve(options.providedBuffers * 4);
    this.#handles = core.reserve(this.handleCapacity * layout.URING_HANDLE_BYTES);
    this.single = core.reserve(layout.SUBMISSION_BYTES);
    this.scratch = core.reserve(SCRATCH_BYTES);
    this.descriptors = core.reserve(DESCRIPTOR_COUNT * 4);
    for (let which = 0; which < DESCRIPTOR_COUNT; which++) this.keep(which, -1);
    const none = layout.UringHandle.fd / 4;
    for (let handle = 0; handle < this.handleCapacity; handle++) {
      core.i32[this.#handleWord(handle) + none] = -1;
    }
  }

  #pages(bytes: number): number {
    return Math.ceil(bytes / this.#pageBytes) * this.#pageBytes;
  }

  /** Whole pages of the process: nothing else lies in them. */
  #reservePages(bytes: number): number {
    const at = this.core.reserve(bytes + this.#pageBytes);
    return at + ((this.#pageBytes - ((this.base + at) % this.#pageBytes)) % this.#pageBytes);
  }

  /** Writes a field of the UringPort. */
  put(field: number, value: number): void {
    this.core.u32[(this.port + field) >>> 2] = value;
  }

  /** The loop's records are placed: what native code needs of them. */
  attach(host: BackendHost, options: CheckedOptions): void {
    const { UringPort } = layout;
    const { u32 } = this.core;
    this.#operations = host.operations;
    this.#owner = host.port;
    this.put64(this.port + UringPort.base, this.base);
    this.put(UringPort.port, host.port);
    this.put(UringPort.operations, host.operations);
    this.put(UringPort.operationCount, host.operationCapacity);
    this.put(UringPort.completions, host.completions);
    this.put(UringPort.handles, this.#handles);
    this.put(UringPort.buffers, this.buffers);
    this.put(UringPort.bufferMask, options.providedBuffers - 1);
    this.put(UringPort.bufferSlots, this.bufferSlots);
    const pool = u32[(host.port + layout.Port.buffers) >>> 2] as number;
    const capacity = u32[(pool + layout.Pool.capacity) >>> 2] as number;
    // The rest is for datagrams, and for what waits to be decoded.
    const limit = Math.min(options.providedBuffers, Math.max(1, Math.floor((capacity * 3) / 4)));
    this.put(UringPort.bufferLimit, limit);
    this.put(UringPort.bufferTarget, Math.min(FIRST_BUFFERS, limit));
  }

  put64(at: number, value: number): void {
    const { u32 } = this.core;
    u32[at >>> 2] = value % 2 ** 32;
    u32[(at >>> 2) + 1] = Math.floor(value / 2 ** 32);
  }

  /**
   * Notes a descriptor where whoever survives this thread finds it; -1 before it
   * is closed here, since its number may then be another file's.
   */
  keep(which: number, fd: number): void {
    this.core.i32[(this.descriptors >>> 2) + which] = fd;
  }

  // ------------------------------------------------------------ handles

  #handleWord(handle: number): number {
    return (this.#handles + handle * layout.URING_HANDLE_BYTES) >>> 2;
  }

  /** A fresh per-handle record. */
  openHandle(handle: number, fd: number, isInet6: boolean): void {
    const { u32, i32 } = this.core;
    const word = this.#handleWord(handle);
    i32[word + layout.UringHandle.fd / 4] = fd;
    u32[word + layout.UringHandle.pending / 4] = 0;
    u32[word + layout.UringHandle.sends / 4] = 0;
    u32[word + layout.UringHandle.flags / 4] = isInet6 ? layout.URING_HANDLE_INET6 : 0;
  }

  /** From now on nothing is begun on it, and the host looks at what still ends. */
  closeHandle(handle: number): void {
    const word = this.#handleWord(handle) + layout.UringHandle.fd / 4;
    const fd = this.core.i32[word] as number;
    // Still to be found by whoever survives this thread: see `reclaim`.
    if (fd >= 0) this.core.i32[word] = -2 - fd;
    this.watch(handle);
  }

  /** Its descriptor has been closed. */
  forgetHandle(handle: number): void {
    this.core.i32[this.#handleWord(handle) + layout.UringHandle.fd / 4] = -1;
  }

  /** Address of the UringHandles. */
  get handleTable(): number {
    return this.#handles;
  }

  /** Whether operations may be begun on it. */
  takesOperations(handle: number): boolean {
    if (!(handle >= 0 && handle < this.handleCapacity)) return false;
    return (this.core.i32[this.#handleWord(handle) + layout.UringHandle.fd / 4] as number) >= 0;
  }

  pendingOf(handle: number): number {
    return this.core.u32[this.#handleWord(handle) + layout.UringHandle.pending / 4] as number;
  }

  sendsOf(handle: number): number {
    return this.core.u32[this.#handleWord(handle) + layout.UringHandle.sends / 4] as number;
  }

  /** An operation was begun on the handle, or (-1) its final completion has come. */
  count(handle: number, change: 1 | -1): void {
    const word = this.#handleWord(handle) + layout.UringHandle.pending / 4;
    this.core.u32[word] = (this.core.u32[word] as number) + change;
  }

  countSend(handle: number, change: 1 | -1): void {
    const word = this.#handleWord(handle) + layout.UringHandle.sends / 4;
    this.core.u32[word] = (this.core.u32[word] as number) + change;
  }

  /** From now on the host looks at every final completion of the handle. */
  watch(handle: number): void {
    const word = this.#handleWord(handle) + layout.UringHandle.flags / 4;
    const { u32 } = this.core;
    u32[word] = (u32[word] as number) | layout.URING_HANDLE_WATCHED;
  }

  // ------------------------------------------------------------ operations

  /** Offset of the record of an operation. */
  recordOf(slot: number): number {
    return this.#operations + slot * layout.OPERATION_BYTES;
  }

  /** Notes in an operation's record whose it is: for those that the host begins itself. */
  beginRecord(token: number, kind: number, handle: number): number {
    const { u32, f64 } = this.core;
    const record = this.recordOf(slotOf(token));
    f64[(record + layout.Operation.token) >>> 3] = token;
    u32[(record + layout.Operation.kind) >>> 2] = kind;
    u32[(record + layout.UringMessage.handle) >>> 2] = handle;
    return record;
  }

  tokenOf(record: number): number {
    return this.core.f64[(record + layout.Operation.token) >>> 3] as number;
  }

  kindOf(record: number): number {
    return this.core.u32[(record + layout.Operation.kind) >>> 2] as number;
  }

  handleOf(record: number): number {
    return this.core.u32[(record + layout.UringMessage.handle) >>> 2] as number;
  }

  // ------------------------------------------------------------ buffers

  /** The pool's slot of a buffer that the kernel has given back, or NOTHING. */
  takeBack(id: number): number {
    const word = (this.bufferSlots >>> 2) + id;
    const { u32 } = this.core;
    const slot = (u32[word] as number) - 1;
    u32[word] = 0;
    if (slot < 0) return layout.NOTHING;
    const provided = (this.#owner + layout.Port.provided) >>> 2;
    u32[provided] = (u32[provided] as number) - 1;
    return slot;
  }

  /** Buffers that the kernel holds ready. */
  get provided(): number {
    return this.#owner === 0
      ? 0
      : (this.core.u32[(this.#owner + layout.Port.provided) >>> 2] as number);
  }

  /** The slots of all that the kernel held: it has forgotten them. */
  takeBackAll(): number[] {
    const slots: number[] = [];
    for (let id = 0; id < this.#bufferCount; id++) {
      const slot = this.takeBack(id);
      if (slot >= 0) slots.push(slot);
    }
    return slots;
  }
}

/** Buffers provided at first: what a few connections need, and what stays in the cache. */
const FIRST_BUFFERS = 32;

/** The slot that a token names: its low 20 bits. */
export function slotOf(token: number): number {
  return token & (2 ** layout.TOKEN_SLOT_BITS - 1);
}
