/** What the sockets of one driver share. */
import { Buffer } from 'node:buffer';
import type { BackendCounters, BackendHost } from '../backend.ts';
import type { Begun, Entry } from '../stream/driver.ts';
import { HandleTable } from '../stream/handles.ts';
import type { Lookout } from '../stream/lookout.ts';
import type { Reporter } from '../stream/reporter.ts';
import type { StreamConnection } from './connection.ts';
import type { WriteRequest } from './direct-write.ts';
import type { SendRecord } from './sends.ts';

/** Most bytes of one read. */
export const SCRATCH_BYTES = 65536;

/** Views kept for writes, a power of two. */
const VIEWS = 1024;

export class NetContext {
  readonly reporter: Reporter;
  readonly lookout: Lookout;
  readonly handles = new HandleTable<Entry>();
  readonly begun = new Set<Begun>();
  /** Handles whose close is under way. */
  readonly closing = new Set<number>();
  /** All linear memory, as the kind of view whose parts node:net writes without wrapping them again. */
  readonly bytes: Buffer;
  /**
   * Where sockets read to: one range for all of them. The host calls back right
   * after the read, the bytes are copied on within the call, and the range is
   * free again, so idle connections hold no buffer and a read allocates nothing.
   */
  readonly scratch: Uint8Array;
  readonly scratchOffset: number;
  /** The scratch range alone. */
  readonly scratchRange: Uint8Array;
  /** Whether accepted connections may go without a net.Socket. */
  readonly bareHandles: boolean;
  readonly sendPool: SendRecord[] = [];
  /** Of the last write on a bare handle, if the kernel took it at once: it serves the next. */
  idleRequest: WriteRequest | undefined;
  /** Whether a socket's `writableLength` says at once what the kernel took. */
  readonly seesWritten = process.versions.bun === undefined && process.versions.deno === undefined;
  readonly #views: (Buffer | undefined)[] = new Array(VIEWS).fill(undefined);

  /** Connections with sends of this turn: the first `dirtyCount`. Not emptied, as growing it again costs. */
  readonly dirty: StreamConnection[] = [];
  dirtyCount = 0;
  readonly counts = {
    accepted: 0,
    connected: 0,
    acceptsHeld: 0,
    acceptsReset: 0,
    acceptErrors: 0,
    connectErrors: 0,
    streamErrors: 0,
    hiddenResets: 0,
    staleSocketsReplaced: 0,
    /** Accepted without a net.Socket. */
    bareHandles: 0,
    /** Writes on bare handles that the kernel took at once, and the others. */
    writesAtOnce: 0,
    writesUnderWay: 0,
    datagramsReceived: 0,
    datagramsSent: 0,
    datagramsDropped: 0,
    datagramErrors: 0,
  };
  bytesSent = 0;
  #streams = 0;

  constructor(host: BackendHost, reporter: Reporter, lookout: Lookout, bareHandles: boolean) {
    this.lookout = lookout;
    this.bareHandles = bareHandles;
    const { core } = host;
    this.reporter = reporter;
    this.bytes = Buffer.from(core.u8.buffer as ArrayBuffer);
    const offset = reserve(host);
    this.scratch = offset === 0 ? new Uint8Array(SCRATCH_BYTES) : core.u8;
    this.scratchOffset = offset;
    this.scratchRange = this.scratch.subarray(offset, offset + SCRATCH_BYTES);
  }

  /** A view for a write. Send blocks are used again and again, so most views are too. */
  view(offset: number, length: number): Buffer {
    const views = this.#views;
    const index = ((offset >>> 12) ^ (offset >>> 5)) & (VIEWS - 1);
    const known = views[index];
    if (known !== undefined && known.length === length && known.byteOffset === offset) return known;
    const view = this.bytes.subarray(offset, offset + length);
    views[index] = view;
    return view;
  }

  count(name: keyof NetContext['counts']): void {
    this.counts[name]++;
  }

  /** A handle for a socket that is open now. */
  open(entry: Entry): number {
    return this.handles.add(entry);
  }

  closed(handle: number): void {
    this.closing.delete(handle);
    this.handles.release(handle);
  }

  openStream(entry: Entry): number {
    this.reporter.alone = ++this.#streams === 1;
    return this.open(entry);
  }

  closedStream(handle: number): void {
    this.reporter.alone = --this.#streams === 1;
    this.closed(handle);
  }

  forget(begun: Begun): void {
    this.begun.delete(begun);
  }

  counters(): BackendCounters {
    return {
      ...this.counts,
      bytesSent: this.bytesSent,
      passes: this.reporter.passes,
      ...this.lookout.counters(),
    };
  }
}

/** The scratch range in linear memory if there is room, so that copying on needs no view; else 0. */
function reserve(host: BackendHost): number {
  try {
    return host.core.reserve(SCRATCH_BYTES);
  } catch {
    return 0;
  }
}
