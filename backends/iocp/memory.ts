/** The backend's part of linear memory, and where all of it lies in the process. */
import * as layout from '#generated/layout';
import type { Core } from '../../src/core/core.ts';
import { type NativeExports, nativeOf } from '../../src/core/native.ts';
import type { BackendHost, PortSizes } from '../backend.ts';
import { ACCEPT_ADDRESS_EXTRA_BYTES, OVERLAPPED, sockaddr_storage } from './constants.ts';
import { Seats, seatsBytes } from './seats.ts';
import type { Address, Koffi } from './win32.ts';

/** Packets of one dequeue. */
export const ENTRY_CAPACITY = 256;
/** AcceptEx operations at once, of all listeners. */
export const ACCEPT_CAPACITY = 1024;
/** Connections are accepted and closed beside those that the loop has records for. */
const SPARE_HANDLES = 1024;

const ADDRESS_ROOM = sockaddr_storage.$size + ACCEPT_ADDRESS_EXTRA_BYTES;
/** An AcceptEx: its OVERLAPPED first, then out-parameters that the kernel writes. */
const ACCEPT = {
  received: OVERLAPPED.$size,
  output: OVERLAPPED.$size + 16,
  $size: OVERLAPPED.$size + 16 + 2 * ADDRESS_ROOM,
} as const;
/** Room for what a single call reads or writes: see `scratch`. */
const SCRATCH_BYTES = 512;

export function handleCapacityOf({ maxConnections }: PortSizes): number {
  return maxConnections + SPARE_HANDLES;
}

/** Packets that can be due, and handles that can come to their end, at once. */
function packetCapacity(sizes: PortSizes): number {
  return sizes.maxOperations + ACCEPT_CAPACITY + 2 * handleCapacityOf(sizes);
}

/** Bytes that `NativeMemory` reserves. */
export function nativeBytes(sizes: PortSizes): number {
  return (
    layout.IOCP_PORT_BYTES +
    2 * (ENTRY_CAPACITY * layout.IOCP_ENTRY_BYTES + 8) +
    handleCapacityOf(sizes) * (layout.IOCP_HANDLE_BYTES + 4) +
    ACCEPT_CAPACITY * ACCEPT.$size +
    sizes.maxOperations * 4 +
    SCRATCH_BYTES +
    9 * 64 +
    seatsBytes(sizes.workers ?? 0, packetCapacity(sizes))
  );
}

/** Where another thread finds what the driver has open: see `reclaim`. */
export interface HandlesPlace {
  /** Address of a SOCKET for each handle, 0 where there is none. */
  readonly sockets: number;
  /** Address of the IocpHandles. */
  readonly handles: number;
  readonly handleCount: number;
}

export class NativeMemory {
  readonly core: Core;
  /** What the core's native module does with the structures. */
  readonly native: NativeExports;
  /** Address of linear memory's first byte; offsets are added to it. */
  readonly base: Address;
  /** IocpPort record. */
  readonly port: number;
  /** OVERLAPPED_ENTRYs of this thread's dequeues. */
  readonly entries: number;
  readonly removed: number;
  /** ... and of the wait that runs on another thread. */
  readonly waitEntries: number;
  readonly waitRemoved: number;
  /** Slots of operations that were done as they were submitted, until they are reported. */
  readonly direct: number;
  /** Memory of a single call: the host may use all of it between two calls. */
  readonly scratch: number;
  readonly handleCapacity: number;
  /** Of workers that dequeue beside this thread; undefined where there are none. */
  readonly seats: Seats | undefined;
  readonly #handles: number;
  readonly #sockets: number;
  readonly #accepts: number;

  constructor(host: BackendHost, koffi: Koffi) {
    const { core } = host;
    this.core = core;
    this.native = nativeOf(core);
    this.base = Number(koffi.address(core.u8));
    this.handleCapacity = handleCapacityOf(host.sizes);
    this.port = core.reserve(layout.IOCP_PORT_BYTES);
    this.entries = core.reserve(ENTRY_CAPACITY * layout.IOCP_ENTRY_BYTES + 8);
    this.removed = this.entries + ENTRY_CAPACITY * layout.IOCP_ENTRY_BYTES;
    this.waitEntries = core.reserve(ENTRY_CAPACITY * layout.IOCP_ENTRY_BYTES + 8);
    this.waitRemoved = this.waitEntries + ENTRY_CAPACITY * layout.IOCP_ENTRY_BYTES;
    this.#handles = core.reserve(this.handleCapacity * layout.IOCP_HANDLE_BYTES);
    this.#sockets = core.reserve(this.handleCapacity * 4);
    this.#accepts = core.reserve(ACCEPT_CAPACITY * ACCEPT.$size);
    this.direct = core.reserve(host.sizes.maxOperations * 4);
    this.scratch = core.reserve(SCRATCH_BYTES);
    const { workers = 0 } = host.sizes;
    this.seats = workers === 0 ? undefined : new Seats(core, workers, packetCapacity(host.sizes));
  }

  /** The loop's records are placed: what native code needs of them. */
  attach(host: BackendHost): void {
    const { IocpPort } = layout;
    const { u32 } = this.core;
    const put = (field: number, value: number) => {
      u32[(this.port + field) >>> 2] = value;
    };
    put(IocpPort.base, this.base % 2 ** 32);
    put(IocpPort.base + 4, Math.floor(this.base / 2 ** 32));
    put(IocpPort.operations, host.operations);
    put(IocpPort.operationCount, host.operationCapacity);
    put(IocpPort.completions, host.completions);
    put(IocpPort.handles, this.#handles);
    put(IocpPort.handleCount, this.handleCapacity);
    put(IocpPort.direct, this.direct);
    this.seats?.attach(this.port);
  }

  /** Which entries `iocpReap` reads. */
  useEntries(entries: number): void {
    this.core.u32[(this.port + layout.IocpPort.entries) >>> 2] = entries;
  }

  /** A fresh per-handle record. */
  openHandle(handle: number, family: 4 | 6): void {
    const record = this.handleAt(handle);
    this.core.u8.fill(0, record, record + layout.IOCP_HANDLE_BYTES);
    this.core.u32[(record + layout.IocpHandle.family) >>> 2] = family;
  }

  handleAt(handle: number): number {
    return this.#handles + handle * layout.IOCP_HANDLE_BYTES;
  }

  pendingOf(handle: number): number {
    return Atomics.load(this.core.u32, (this.handleAt(handle) + layout.IocpHandle.pending) >>> 2);
  }

  sendsOf(handle: number): number {
    return Atomics.load(this.core.u32, (this.handleAt(handle) + layout.IocpHandle.sends) >>> 2);
  }

  /** From now on the host looks at every packet of the handle. */
  watch(handle: number): void {
    const word = (this.handleAt(handle) + layout.IocpHandle.watched) >>> 2;
    Atomics.store(this.core.u32, word, 1);
  }

  /**
   * Whoever survives this thread can close the handle's SOCKET; 0: it is closed,
   * or about to be. (A SOCKET has 32 bits that matter.)
   */
  keepSocket(handle: number, socket: number): void {
    this.core.u32[(this.#sockets >>> 2) + handle] = socket;
  }

  get handlesPlace(): HandlesPlace {
    return { sockets: this.#sockets, handles: this.#handles, handleCount: this.handleCapacity };
  }

  // ------------------------------------------------------------ accepts

  /** A cleared AcceptEx record; all are in linear memory, by their index. */
  clearAccept(index: number): number {
    const record = this.#accepts + index * ACCEPT.$size;
    this.core.u8.fill(0, record, record + ACCEPT.$size);
    return record;
  }

  acceptReceived(record: number): number {
    return record + ACCEPT.received;
  }

  acceptOutput(record: number): number {
    return record + ACCEPT.output;
  }

  /** Which AcceptEx the OVERLAPPED at this address belongs to, or -1. */
  acceptIndex(overlapped: Address): number {
    const distance = overlapped - this.base - this.#accepts;
    if (distance < 0 || distance >= ACCEPT_CAPACITY * ACCEPT.$size) return -1;
    return distance % ACCEPT.$size === 0 ? distance / ACCEPT.$size : -1;
  }

  acceptRecord(index: number): number {
    return this.#accepts + index * ACCEPT.$size;
  }

  /** The NTSTATUS of a dequeued OVERLAPPED at this offset (never read before that). */
  statusOf(record: number): number {
    return this.core.u32[record >>> 2] as number;
  }

  // ------------------------------------------------------------ packets

  entryKey(entry: number): number {
    return this.core.u32[(entry + layout.IocpEntry.key) >>> 2] as number;
  }

  entryOverlapped(entry: number): Address {
    const word = (entry + layout.IocpEntry.overlapped) >>> 2;
    const { u32 } = this.core;
    return (u32[word] as number) + (u32[word + 1] as number) * 2 ** 32;
  }

  entryBytes(entry: number): number {
    return this.core.u32[(entry + layout.IocpEntry.bytes) >>> 2] as number;
  }
}

/** Room for one address in an AcceptEx's output, as its parameters want it. */
export const ACCEPT_ADDRESS_BYTES = ADDRESS_ROOM;
