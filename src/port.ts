/**
 * A port: one core, one backend, and the loop between them. A turn takes the
 * completions that the backend reported, lets the core put them in order and
 * frame them, dispatches the events, and submits what follows from all that.
 */
import * as layout from '#generated/layout';
import type { BackendHost, Driver, Leftovers } from '../backends/backend.ts';
import { type BatchGroup, BatchRunner } from './batch.ts';
import { AddressRecords } from './core/address.ts';
import { Core } from './core/core.ts';
import {
  operationCount,
  placeRegions,
  type RegionSizes,
  type Regions,
  receiveBufferStride,
  regionBytes,
  SCRATCH_BYTES,
} from './core/regions.ts';
import type { Entity } from './entity.ts';
import { OverlappedError } from './errors.ts';
import { integerOption, invalidOption } from './options.ts';
import type { PortOptions } from './port-options.ts';
import { type PortPlace, type PortSharing, THIS_THREAD } from './port-place.ts';
import { ProfileTable } from './profile.ts';
import { type BackendReport, chooseBackend } from './registry.ts';
import { type PortStatistics, portStatistics } from './stats.ts';
import { drainSubmissions } from './submissions.ts';

/** Turns in one pass of the host's loop before other work gets its chance. */
const TURNS_AT_ONCE = 8;
const SWEEP_LEAST_MS = 5;
const SWEEP_MOST_MS = 500;
const EVENT_WORDS = layout.EVENT_BYTES / 4;
const WORKER = layout.Worker;

/** Which backend a port runs on, and why that one. */
export interface PortBackend {
  readonly name: string;
  readonly reason: string;
  readonly tried: readonly BackendReport[];
}

/** What a closed port left behind: all zero after an orderly end. */
export interface PortLeftovers extends Leftovers {
  /** Operations whose memory is still lent. */
  readonly lent: number;
  readonly buffers: number;
  readonly connections: number;
}

/** Ends closing connections that have not ended within this, at `Port.close`. */
const CLOSE_GRACE_MS = 10_000;

export class Port {
  readonly backend: PortBackend;
  readonly core: Core;
  /** @internal */
  readonly regions: Regions;
  /** @internal */
  readonly driver: Driver;
  /** @internal */
  readonly profiles: ProfileTable;
  /** @internal Largest receive, in bytes. */
  readonly receiveBufferBytes: number;
  /** @internal Of a shared port. */
  sharing: PortSharing | undefined;
  /** @internal By slot of the connection record. */
  readonly entities: (Entity | undefined)[] = [];
  /** @internal */
  readonly addresses: AddressRecords;
  /** @internal `Connection.id` less its token. */
  readonly idBase: number;
  /** @internal Several threads work on it: a connection is this one's only while it has claimed it. */
  readonly isShared: boolean;
  /** @internal What a backend said of itself, for workers that have none. */
  readonly sizes: RegionSizes;

  readonly #batch: BatchRunner;
  readonly #errors = new Map<string, number>();
  readonly #encoder = new TextEncoder();
  readonly #buffer: ArrayBufferLike;
  readonly #watch: Float64Array | undefined;
  /** The view last handed to a handler, and where its bytes lie: what an echo sends. */
  #borrowed: Uint8Array | undefined;
  #borrowedOffset = 0;
  /** The batch group of all connections so far, null where they differ. */
  #onlyGroup: BatchGroup | null | undefined;
  #turning = false;
  #flushScheduled = false;
  #submitting = false;
  #closing: Promise<PortLeftovers> | undefined;
  #cancelSweep: (() => void) | undefined;
  #sweepMs = 0;

  /** @internal See `open`, and `joinPort` for a port that threads share. */
  constructor(
    core: Core,
    regions: Regions,
    driver: Driver,
    backend: PortBackend,
    sizes: RegionSizes,
    place: PortPlace,
  ) {
    this.core = core;
    this.regions = regions;
    this.driver = driver;
    this.backend = backend;
    this.receiveBufferBytes = sizes.receiveBufferBytes;
    this.profiles = new ProfileTable(core, regions.arena);
    this.#buffer = core.memory.buffer;
    this.addresses = new AddressRecords(core.u8);
    this.idBase = place.idBase;
    this.isShared = regions.sharing !== undefined;
    this.sizes = sizes;
    this.#watch = place.watch;
    this.#batch = new BatchRunner(this);
    if (!place.isBlocking) driver.attach(() => this.#run());
  }

  /**
   * Makes a port of its own; `listen`, `connect` and `datagram` otherwise share
   * one for each choice of options.
   * @throws OverlappedError INVALID_OPTION, NOT_SUPPORTED if the backend cannot run here, NO_BUFFERS
   */
  static open(options: PortOptions = {}): Promise<Port> {
    return Port.#open(options, THIS_THREAD, new Map());
  }

  /** @internal A port of a worker thread. @throws as `open` */
  static openInWorker(options: PortOptions, place: PortPlace): Promise<Port> {
    return Port.#open(options, place, new Map());
  }

  /** `failed`: see `chooseBackend`. */
  static async #open(
    options: PortOptions,
    place: PortPlace,
    failed: Map<string, string>,
  ): Promise<Port> {
    const choice = await chooseBackend(options.backend, failed);
    const sizes: RegionSizes = {
      maxConnections: integerOption('maxConnections', options.maxConnections, 16_384, 1, 2 ** 20),
      receiveBufferBytes: integerOption(
        'receiveBufferBytes',
        options.receiveBufferBytes,
        65_536,
        64,
        2 ** 24,
      ),
      receiveBuffers: integerOption('receiveBuffers', options.receiveBuffers, 1024, 1, 2 ** 20),
      arenaBytes: integerOption('arenaBytes', options.arenaBytes, 2 ** 27, 2 ** 16, 2 ** 30),
      stateBytes: integerOption('stateBytes', options.stateBytes, 0, 0, 2 ** 16),
      ...(place.sharing === undefined ? {} : { sharing: place.sharing }),
    };
    const { selection } = choice;
    const portSizes = {
      maxConnections: sizes.maxConnections,
      maxOperations: operationCount(sizes),
    };
    const ownBytes = selection.memoryBytes?.(selection.options, portSizes) ?? 0;
    const memoryBytes = regionBytes(sizes) + ownBytes;
    if (memoryBytes > 2 ** 31) {
      throw invalidOption(
        'receiveBuffers × receiveBufferBytes + arenaBytes + maxConnections',
        `${memoryBytes} bytes in all`,
        'at most 2 GiB',
      );
    }
    const core = Core.create({
      shared: options.shared ?? place.sharing !== undefined,
      memoryBytes,
    });
    const late: { regions?: Regions } = {};
    const { exports } = core;
    const bufferBytes = sizes.receiveBufferBytes;
    const bufferStride = receiveBufferStride(sizes);
    let buffersAt = 0;
    const host: BackendHost = {
      core,
      sizes: portSizes,
      bufferBytes,
      complete(token, result, flags = 0, buffer = layout.NOTHING, systemError = 0) {
        const worker = (late.regions as Regions).worker;
        const queued = exports.complete(worker, token, result, flags, buffer, systemError);
        // The queue holds as many as can be pending: more is a backend's error.
        if (queued < 0) throw OverlappedError.fromResult(queued, 'complete');
      },
      takeBuffer: () => exports.bufferTake((late.regions as Regions).worker),
      bufferOffset: (slot) => buffersAt + slot * bufferStride,
      returnBuffer(slot) {
        exports.bufferReturn((late.regions as Regions).worker, slot);
      },
      get operations() {
        return (late.regions as Regions).firstOperation;
      },
      get operationCapacity() {
        return (late.regions as Regions).operationCapacity;
      },
      get completions() {
        return (late.regions as Regions).completions;
      },
      get port() {
        return (late.regions as Regions).port;
      },
    };
    let driver: Driver;
    try {
      driver = await selection.create(host, selection.options);
    } catch (cause) {
      // The system had no more of what it needs: where nothing was asked for, the next will do.
      if ((options.backend ?? 'auto') !== 'auto') throw cause;
      failed.set(selection.name, cause instanceof Error ? cause.message : String(cause));
      return Port.#open(options, place, failed);
    }
    if (place.isBlocking && driver.blocks !== true) {
      await driver.dispose();
      const message = `the backend ${selection.name} cannot wait: it needs the host's event loop`;
      throw new OverlappedError('NOT_SUPPORTED', message);
    }
    const regions = placeRegions(core, sizes, driver.limits);
    buffersAt = exports.poolAddress(regions.buffers, 0) >>> 0;
    late.regions = regions;
    const backend = { name: selection.name, reason: choice.reason, tried: choice.tried };
    return new Port(core, regions, driver, backend, sizes, place);
  }

  /** True once `close` has begun: nothing new may be opened on it. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  statistics(): PortStatistics {
    return portStatistics(this.core, this.regions, this.#errors, this.driver.counters());
  }

  /**
   * Closes every connection, listener and socket in order, aborts those that do
   * not end in time, waits until the backend has given everything back, and says
   * what was left.
   */
  close(): Promise<PortLeftovers> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal A turn now, because of what another thread did. */
  turnNow(): void {
    this.#run();
  }

  /** @internal Resets every connection, and closes. */
  abort(): Promise<PortLeftovers> {
    for (const entity of this.entities) entity?.abort();
    return this.close();
  }

  /** @internal For a thread that has nothing else to do: waits for completions at most `timeoutMs`. */
  waitAndTurn(timeoutMs: number): void {
    this.driver.wait(timeoutMs);
    this.#run();
  }

  async #close(): Promise<PortLeftovers> {
    const open = this.entities.filter((entity) => entity !== undefined);
    const done = Promise.all(open.map((entity) => entity.shutDown()));
    const cancel = this.driver.setTimer(CLOSE_GRACE_MS, () => {
      for (const entity of this.entities) entity?.abort();
    });
    await done;
    cancel();
    this.#cancelSweep?.();
    const { exports } = this.core;
    const left = await this.driver.dispose();
    this.#run();
    return {
      ...left,
      lent: exports.poolInUse(this.regions.operations),
      buffers: exports.poolInUse(this.regions.buffers),
      connections: exports.poolInUse(this.regions.connections),
    };
  }

  /** @internal Counts an error that is about to be reported. */
  countError(error: OverlappedError): OverlappedError {
    this.#errors.set(error.code, (this.#errors.get(error.code) ?? 0) + 1);
    return error;
  }

  /** @internal The error for a result of the core or the backend. */
  errorOf(result: number, syscall: string, systemError = 0): OverlappedError {
    const name = systemError === 0 ? undefined : this.driver.systemErrorName(systemError);
    return OverlappedError.fromResult(result, syscall, systemError, name);
  }

  /** @internal Address of a connection's record. */
  recordOf(slot: number): number {
    return this.core.exports.poolAddress(this.regions.connections, slot) >>> 0;
  }

  /**
   * @internal Queues a message, or raw bytes; the caller's bytes are copied.
   * @returns 1, 0 when the caller should wait for DRAIN, or a negative error
   */
  send(slot: number, message: Uint8Array | string, isRaw: boolean): number {
    const { exports, u8 } = this.core;
    const { worker, scratch, arena } = this.regions;
    const queue = isRaw ? exports.sendRaw : exports.send;
    if (message === this.#borrowed) {
      // An echo: the bytes lie in linear memory already.
      return this.#queued(queue(worker, slot, this.#borrowedOffset, message.length));
    }
    const bytes = typeof message === 'string' ? this.#encoder.encode(message) : message;
    const length = bytes.length;
    if (length <= SCRATCH_BYTES) {
      u8.set(bytes, scratch);
      return this.#queued(queue(worker, slot, scratch, length));
    }
    const block = exports.arenaAlloc(arena, length) >>> 0;
    if (block === 0) return layout.ERROR_NO_BUFFERS;
    u8.set(bytes, block);
    const result = queue(worker, slot, block, length);
    exports.arenaFree(arena, block);
    return this.#queued(result);
  }

  /** @internal A view of received bytes, for the length of one handler call. */
  borrow(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(this.#buffer, offset, length);
    this.#borrowed = bytes;
    this.#borrowedOffset = offset;
    return bytes;
  }

  #queued(result: number): number {
    if (result >= 0) this.scheduleFlush();
    return result;
  }

  /**
   * @internal Whether this thread may touch the connection's record now: always,
   * but on a shared port.
   */
  owns(slot: number): boolean {
    if (!this.isShared) return true;
    const owner = (this.recordOf(slot) + layout.Connection.owner) >>> 2;
    return Atomics.load(this.core.i32, owner) === this.regions.index;
  }

  /**
   * @internal On a shared port: has the connection's owner do it (R7).
   * @param call `CALL_*`
   * @returns 1, 0 when more is not welcome, or a negative error
   */
  post(token: number, call: number, payload: Uint8Array | string | number): number {
    const { exports, u8 } = this.core;
    const { worker, scratch, arena } = this.regions;
    let result: number;
    if (typeof payload === 'number') {
      result = exports.postCall(worker, token, call, payload, 0);
    } else if (payload === this.#borrowed) {
      result = exports.postCall(worker, token, call, this.#borrowedOffset, payload.length);
    } else {
      const bytes = typeof payload === 'string' ? this.#encoder.encode(payload) : payload;
      const { length } = bytes;
      const at = length <= SCRATCH_BYTES ? scratch : exports.arenaAlloc(arena, length) >>> 0;
      if (at === 0) return layout.ERROR_NO_BUFFERS;
      u8.set(bytes, at);
      result = exports.postCall(worker, token, call, at, length);
      if (at !== scratch) exports.arenaFree(arena, at);
    }
    if (call === layout.CALL_CLOSE) this.sharing?.askForSweeps();
    this.scheduleFlush();
    return result;
  }

  /** @internal Something may be submitted: it goes out with the turn, or with this tick. */
  scheduleFlush(): void {
    if (this.#turning || this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(this.#flushNow);
  }

  readonly #flushNow = (): void => {
    this.#flushScheduled = false;
    if (this.#turning) return;
    this.#finish();
    // What came to a claimed connection meanwhile.
    if (this.isShared && this.#hasMore) this.driver.wake();
  };

  get #hasMore(): boolean {
    return this.core.u32[(this.regions.worker + WORKER.more) >>> 2] !== 0;
  }

  /** @internal What was paused has waited: a turn is needed though no completion comes. */
  scheduleTurn(): void {
    this.driver.wake();
  }

  /** @internal From now on connections are looked at for time limits, as often as `limitMs` needs. */
  watchTimeouts(limitMs: number): void {
    if (this.sharing !== undefined && this.regions.index !== 0) {
      this.sharing.askForSweeps();
      return;
    }
    const wanted = Math.min(Math.max(limitMs / 8, SWEEP_LEAST_MS), SWEEP_MOST_MS);
    if (this.#cancelSweep !== undefined) {
      if (this.#sweepMs <= wanted) return;
      this.#cancelSweep();
    }
    this.#sweepMs = wanted;
    this.#cancelSweep = this.driver.setTimer(wanted, () => {
      this.#cancelSweep = undefined;
      const expired = this.core.exports.sweep(this.regions.worker, this.driver.now() >>> 0);
      if (expired > 0) this.#run();
      const goesOn =
        this.sharing?.keepsSweeping() ?? this.entities.some((entity) => entity?.hasTimeLimit);
      if (goesOn) this.watchTimeouts(wanted);
    });
  }

  /** @internal Calls a handler; what it throws surfaces as the host's uncaught exception, after the turn. */
  surface(exception: unknown): void {
    queueMicrotask(() => {
      throw exception;
    });
  }

  #run(): void {
    if (this.#turning) return;
    const { exports, u32 } = this.core;
    const { worker } = this.regions;
    const watch = this.#watch;
    for (let turn = 0; turn < TURNS_AT_ONCE; turn++) {
      this.#turning = true;
      if (watch !== undefined) watch[0] = Date.now();
      const count = exports.turn(worker, this.driver.now() >>> 0);
      if (u32[(worker + WORKER.submissionCount) >>> 2] !== 0) this.#submit();
      this.#dispatch(count);
      this.#borrowed = undefined;
      this.#turning = false;
      if (watch !== undefined) watch[0] = 0;
      this.#finish();
      if (u32[(worker + WORKER.more) >>> 2] === 0) return;
    }
    this.driver.wake();
  }

  #finish(): void {
    if (this.#submitting) return;
    this.#submitting = true;
    const { finish } = this.core.exports;
    let again: number;
    do {
      again = finish(this.regions.worker);
      this.#submit();
    } while (again !== 0);
    if (this.isShared) this.#exchange();
    this.driver.flush();
    this.#submitting = false;
  }

  /** Of a shared port: submits for the other workers, and gives up what needs nothing more. */
  #exchange(): void {
    const { releaseClaims, ioWake } = this.core.exports;
    const { worker, index } = this.regions;
    if (index === 0) this.#submit();
    releaseClaims(worker);
    // What this thread left for itself, which nobody else will tell it of.
    if (index === 0 && ioWake(worker) === 1) this.driver.wake();
  }

  #submit(): void {
    const { index, worker } = this.regions;
    if (!this.isShared || index !== 0) this.#submitRing();
    // In the order of all workers, its own submissions among them.
    else while (this.core.exports.takeSubmissions(worker) > 0) this.#submitRing();
  }

  #submitRing(): void {
    const { u32 } = this.core;
    const field = (this.regions.worker + WORKER.submissionCount) >>> 2;
    const count = u32[field] as number;
    if (count === 0) return;
    const { submissions } = this.regions;
    if (this.driver.submit !== undefined) this.driver.submit(submissions, count);
    else drainSubmissions(this.core, this.driver, submissions, count);
    u32[field] = 0;
  }

  /**
   * @internal A connection's messages go to this group; without one, to its own handler. Once a
   * port has had two groups it counts as mixed.
   */
  noteGroup(group: BatchGroup | undefined): void {
    if (this.#onlyGroup === undefined) this.#onlyGroup = group ?? null;
    else if (this.#onlyGroup !== group) this.#onlyGroup = null;
  }

  /** @internal True if all events of this turn are messages for `group`. */
  isUniform(group: BatchGroup): boolean {
    if (this.#onlyGroup !== group || this.isShared) return false;
    return this.core.u32[(this.regions.worker + WORKER.others) >>> 2] === 0;
  }

  #dispatch(count: number): void {
    const { u32, i32 } = this.core;
    const { entities } = this;
    const first = this.regions.events >>> 2;
    if (this.isShared) this.#meet(first, count);
    for (let index = 0; index < count; ) {
      const word = first + index * EVENT_WORDS;
      const kind = u32[word] as number;
      const slot = i32[word + 1] as number;
      let entity = entities[slot];
      if (entity === undefined && kind === layout.EVENT_OPEN) entity = this.#adopt(slot);
      if (entity === undefined) {
        index++;
      } else if (kind === layout.EVENT_MESSAGE && entity.batchGroup !== undefined) {
        index = this.#batch.run(entity.batchGroup, index, count);
      } else {
        entity.handle(kind, u32[word + 2] as number, u32[word + 3] as number);
        index++;
      }
    }
  }

  /** A worker of a shared port: makes objects for connections that others had before. */
  #meet(first: number, count: number): void {
    const { u32, i32, f64 } = this.core;
    const { entities } = this;
    for (let index = 0; index < count; index++) {
      const word = first + index * EVENT_WORDS;
      const slot = i32[word + 1] as number;
      const token = f64[(this.recordOf(slot) + layout.Connection.token) >>> 3];
      const entity = entities[slot];
      if (entity?.id === token || this.sharing?.adopt === undefined) continue;
      entities[slot] = this.sharing.adopt(slot, u32[word] as number);
    }
  }

  /** A connection was accepted: its listener makes an object for it. */
  #adopt(slot: number): Entity | undefined {
    const token = this.core.f64[(this.recordOf(slot) + layout.Connection.listenerToken) >>> 3];
    const listener = this.core.exports.poolCheck(this.regions.connections, token as number);
    const entity = listener < 0 ? undefined : this.entities[listener];
    if (entity?.adopt !== undefined) return entity.adopt(slot);
    this.core.exports.connectionAbort(this.regions.worker, slot, layout.ERROR_ABORTED);
    return undefined;
  }
}
