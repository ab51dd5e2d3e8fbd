/**
 * A port: one core, one backend, and the loop between them (turn-loop.ts). This
 * is its life, and what connections, listeners and datagram sockets have of it.
 */
import * as layout from '#generated/layout';
import type { Driver, Leftovers } from '../backends/backend.ts';
import type { BatchGroup } from './batch.ts';
import { AddressRecords } from './core/address.ts';
import type { Core } from './core/core.ts';
import type { RegionSizes, Regions } from './core/regions.ts';
import { Dispatcher } from './dispatch.ts';
import type { Entity } from './entity.ts';
import { OverlappedError } from './errors.ts';
import { Payloads } from './payloads.ts';
import { openParts, type PortBackend, type PortParts } from './port-opening.ts';
import type { PortOptions } from './port-options.ts';
import { type PortPlace, THIS_THREAD } from './port-place.ts';
import type { PortShare } from './port-share.ts';
import { ProfileTable } from './profile.ts';
import { type PortStatistics, portStatistics } from './stats.ts';
import { Sweeps } from './sweeps.ts';
import { TurnLoop } from './turn-loop.ts';

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
  /** @internal By slot of the connection record. */
  readonly entities: (Entity | undefined)[] = [];
  /** @internal */
  readonly addresses: AddressRecords;
  /** @internal Messages on their way into the core. */
  readonly payloads: Payloads;
  /** @internal `Connection.id` less its token. */
  readonly idBase: number;
  /**
   * @internal Set where several threads work on it: a connection is this one's
   * only while it has claimed it.
   */
  readonly share: PortShare | undefined;
  /** @internal What a backend said of itself, for workers that have none. */
  readonly sizes: RegionSizes;

  readonly #dispatcher: Dispatcher;
  readonly #loop: TurnLoop;
  readonly #sweeps: Sweeps;
  readonly #errors = new Map<string, number>();
  #closing: Promise<PortLeftovers> | undefined;

  /** @internal See `open`, and `joinPort` for a port that threads share. */
  constructor({ core, regions, driver, backend, sizes }: PortParts, place: PortPlace) {
    this.core = core;
    this.regions = regions;
    this.driver = driver;
    this.backend = backend;
    this.sizes = sizes;
    this.receiveBufferBytes = sizes.receiveBufferBytes;
    this.profiles = new ProfileTable(core, regions.arena);
    this.addresses = new AddressRecords(core.u8);
    this.payloads = new Payloads(core, regions);
    this.idBase = place.idBase;
    this.share = place.share?.(this);
    this.#sweeps = new Sweeps(core, regions.worker, driver, {
      expired: () => this.#loop.run(),
      isNeeded: () =>
        this.share?.keepsSweeping() ?? this.entities.some((entity) => entity?.hasTimeLimit),
    });
    const { payloads, share } = this;
    const { watch } = place;
    const dispatcher = new Dispatcher(this);
    const loop = new TurnLoop({ core, regions, driver, dispatcher, payloads, share, watch });
    this.#dispatcher = dispatcher;
    this.#loop = loop;
    if (!place.isBlocking) driver.attach(() => loop.run());
  }

  /**
   * Makes a port of its own; `listen`, `connect` and `datagram` otherwise share
   * one for each choice of options.
   * @throws OverlappedError INVALID_OPTION, NOT_SUPPORTED if the backend cannot run here, NO_BUFFERS
   */
  static open(options: PortOptions = {}): Promise<Port> {
    return Port.openAt(options, THIS_THREAD);
  }

  /** @internal A port of a worker thread, or of several. @throws as `open` */
  static async openAt(options: PortOptions, place: PortPlace): Promise<Port> {
    return new Port(await openParts(options, place), place);
  }

  // ------------------------------------------------------------ life

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

  /** @internal Resets every connection, and closes. */
  abort(): Promise<PortLeftovers> {
    for (const entity of this.entities) entity?.abort();
    return this.close();
  }

  async #close(): Promise<PortLeftovers> {
    const open = this.entities.filter((entity) => entity !== undefined);
    const done = Promise.all(open.map((entity) => entity.shutDown()));
    const cancel = this.driver.setTimer(CLOSE_GRACE_MS, () => {
      for (const entity of this.entities) entity?.abort();
    });
    await done;
    cancel();
    this.#sweeps.stop();
    const { exports } = this.core;
    const left = await this.driver.dispose();
    this.#loop.run();
    return {
      ...left,
      lent: exports.poolInUse(this.regions.operations),
      buffers: exports.poolInUse(this.regions.buffers),
      connections: exports.poolInUse(this.regions.connections),
    };
  }

  // ------------------------------------------------------------ the loop

  /** @internal A turn now, because of what another thread did. */
  turnNow(): void {
    this.#loop.run();
  }

  /** @internal For a thread that has nothing else to do: waits for completions at most `timeoutMs`. */
  waitAndTurn(timeoutMs: number): void {
    this.driver.wait(timeoutMs);
    this.#loop.run();
  }

  /** @internal Something may be submitted: it goes out with the turn, or with this tick. */
  scheduleFlush(): void {
    this.#loop.scheduleFlush();
  }

  /** @internal What was paused has waited: a turn is needed though no completion comes. */
  scheduleTurn(): void {
    this.driver.wake();
  }

  /** @internal From now on connections are looked at for time limits, as often as `limitMs` needs. */
  watchTimeouts(limitMs: number): void {
    if (this.share?.sweepsElsewhere) this.share.askForSweeps();
    else this.#sweeps.watch(limitMs);
  }

  /** @internal See `Dispatcher.noteGroup`. */
  noteGroup(group: BatchGroup | undefined): void {
    this.#dispatcher.noteGroup(group);
  }

  // ------------------------------------------------------------ for connections and sockets

  /** @internal Address of a connection's record. */
  recordOf(slot: number): number {
    return this.core.exports.poolAddress(this.regions.connections, slot) >>> 0;
  }

  /**
   * @internal Queues a message, or raw bytes; the caller's bytes are copied.
   * @returns 1, 0 when the caller should wait for DRAIN, or a negative error
   */
  send(slot: number, message: Uint8Array | string, isRaw: boolean): number {
    const { payloads } = this;
    const { exports } = this.core;
    const at = payloads.place(message);
    if (at === 0) return layout.ERROR_NO_BUFFERS;
    const queue = isRaw ? exports.sendRaw : exports.send;
    const result = queue(this.regions.worker, slot, at, payloads.length);
    payloads.release();
    if (result >= 0) this.#loop.scheduleFlush();
    return result;
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

  /** @internal What a handler throws surfaces as the host's uncaught exception, after the turn. */
  surface(exception: unknown): void {
    queueMicrotask(() => {
      throw exception;
    });
  }
}
