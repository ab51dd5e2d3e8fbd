/**
 * The driver of a worker's part of a shared port: what is submitted goes to the
 * I/O thread, and completions come from the port's queue. Where the backend lets
 * every thread take them from the system (`Dequeuer`), the worker puts them there
 * itself. It sleeps in its event loop, so that whatever else its handlers wait for
 * goes on.
 */
import { clearImmediate, setImmediate } from 'node:timers';
import * as layout from '#generated/layout';
import type {
  BackendCounters,
  Dequeuer,
  Driver,
  Leftovers,
  Limits,
  SocketAddress,
  StreamOptions,
} from '../../../backends/backend.ts';
import type { Core } from '../../core/core.ts';
import { BATCH } from '../../core/region-sizes.ts';
import type { Regions } from '../../core/regions.ts';
import { ring, waitAsync } from './bell.ts';

/** Passes of the event loop that find nothing before the worker sleeps. */
const IDLE_PASSES = 2;
/** Claims that wait for a buffer or a record are looked at again after this. */
const STARVED_MS = 2;
/** Longest sleep, so that a host that loses a wake is not stuck for good. */
const SLEEP_MS = 1000;

/** What the driver asks of the I/O thread's. */
export interface RemoteDriver {
  localAddress(handle: number): SocketAddress | undefined;
  remoteAddress(handle: number): SocketAddress | undefined;
  systemErrorName(systemError: number): string | undefined;
  configure(handle: number, options: StreamOptions): void;
  setReferenced(handle: number, referenced: boolean): void;
}

export class HandOverDriver implements Driver {
  readonly limits: Limits;
  readonly #core: Core;
  readonly #regions: Regions;
  readonly #remote: RemoteDriver;
  readonly #dequeuer: Dequeuer | undefined;
  readonly #bell: number;
  readonly #names = new Map<number, string | undefined>();
  readonly #worker: number;
  /** Indices of words. */
  readonly #sleepers: number;
  readonly #posts: number;
  readonly #claimHead: number;
  readonly #clock: number;
  #ready: (() => void) | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #keeper: NodeJS.Timeout | undefined;
  #isAsleep = false;
  #idlePasses = 0;
  #isOver = false;
  #sleeps = 0;
  #rings = 0;

  /** `bell`: index of the word that wakes the I/O thread. */
  constructor(
    core: Core,
    regions: Regions,
    limits: Limits,
    bell: number,
    remote: RemoteDriver,
    dequeuer: Dequeuer | undefined,
  ) {
    this.limits = limits;
    this.#dequeuer = dequeuer;
    this.#core = core;
    this.#regions = regions;
    this.#remote = remote;
    this.#bell = bell;
    this.#worker = regions.worker;
    const { sleepers, posts } = layout.CompletionQueue;
    this.#sleepers = (regions.completions + sleepers) >>> 2;
    this.#posts = (regions.completions + posts) >>> 2;
    this.#claimHead = (regions.worker + layout.Worker.claimHead) >>> 2;
    const io = regions.sharing?.workers[0]?.port ?? regions.port;
    this.#clock = (io + layout.Port.nowMs) >>> 2;
    // The I/O thread is to know that there is one more that dequeues.
    if (dequeuer !== undefined) this.#ring();
  }

  // ------------------------------------------------------------ loop

  attach(ready: () => void): void {
    this.#ready = ready;
    // One timer for all sleeps: a time limit of their own would be one for each of them.
    this.#keeper = setInterval(this.#woken, SLEEP_MS);
    this.#keeper.unref();
    this.#soon();
  }

  wait(): boolean {
    return false;
  }

  wake(): void {
    this.#idlePasses = 0;
    this.#soon();
  }

  submit(): void {
    if (this.#core.exports.handOver(this.#worker) === 1) this.#ring();
  }

  flush(): void {
    if (this.#core.exports.ioWake(this.#worker) === 1) this.#ring();
  }

  #ring(): void {
    this.#rings++;
    ring(this.#core.i32, this.#bell);
  }

  #soon(): void {
    if (this.#isOver || this.#immediate !== undefined) return;
    clearTimeout(this.#timer);
    this.#immediate = setImmediate(this.#pass);
  }

  readonly #pass = (): void => {
    this.#immediate = undefined;
    if (this.#isOver) return;
    this.#dequeue();
    if (this.#waits) this.#idlePasses = 0;
    else this.#idlePasses++;
    this.#ready?.();
    // Either there is more at once, or it has been asked to come again.
    if (this.#immediate !== undefined) return;
    if (this.#idlePasses < IDLE_PASSES || this.#waits) this.#soon();
    else this.#sleep();
  };

  /** From the system to the port's queue: from there any worker takes them. */
  #dequeue(): void {
    const { queueLength } = this.#core.exports;
    // As many as one turn takes are there: the system keeps the others in order, and ready for all.
    if (this.#dequeuer === undefined || queueLength(this.#regions.completions) >= BATCH) return;
    if (this.#dequeuer.dequeue()) this.#ring();
  }

  /** Completions wait that this worker may take. */
  get #waits(): boolean {
    const { queueLength } = this.#core.exports;
    return queueLength(this.#regions.completions) !== 0;
  }

  #sleep(): void {
    if (this.#core.u32[this.#claimHead] !== layout.CLAIM_END) {
      this.#timer = setTimeout(this.#woken, STARVED_MS);
    }
    if (this.#isAsleep) {
      this.#rest();
      return;
    }
    const { i32 } = this.#core;
    // See assembly/queue.ts: announced, then looked once more.
    Atomics.add(i32, this.#sleepers, 1);
    const posts = Atomics.load(i32, this.#posts);
    const waiting = this.#waits ? undefined : waitAsync(i32, this.#posts, posts);
    if (!waiting?.async) {
      Atomics.sub(i32, this.#sleepers, 1);
      this.#soon();
      return;
    }
    this.#isAsleep = true;
    this.#sleeps++;
    this.#rest();
    void waiting.value.then(this.#rise);
  }

  /** From here on somebody else has to wait for the system. */
  #rest(): void {
    if (this.#dequeuer?.rest()) this.#ring();
  }

  readonly #rise = (): void => {
    this.#isAsleep = false;
    Atomics.sub(this.#core.i32, this.#sleepers, 1);
    this.#woken();
  };

  readonly #woken = (): void => {
    if (this.#isOver || this.#immediate !== undefined) return;
    clearTimeout(this.#timer);
    this.#idlePasses = 0;
    this.#pass();
  };

  // ------------------------------------------------------------ facts

  localAddress(handle: number): SocketAddress | undefined {
    return this.#remote.localAddress(handle);
  }

  remoteAddress(handle: number): SocketAddress | undefined {
    return this.#remote.remoteAddress(handle);
  }

  configure(handle: number, options: StreamOptions): void {
    this.#remote.configure(handle, options);
  }

  setReferenced(handle: number, referenced: boolean): void {
    this.#remote.setReferenced(handle, referenced);
  }

  systemErrorName(systemError: number): string | undefined {
    if (!this.#names.has(systemError)) {
      this.#names.set(systemError, this.#remote.systemErrorName(systemError));
    }
    return this.#names.get(systemError);
  }

  /** The I/O thread's clock, as of its last turn: all compare their times with it. */
  now(): number {
    return this.#core.u32[this.#clock] as number;
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  }

  counters(): BackendCounters {
    return { sleeps: this.#sleeps, wakes: this.#rings, ...this.#dequeuer?.counters() };
  }

  async dispose(): Promise<Leftovers> {
    this.#isOver = true;
    clearImmediate(this.#immediate);
    clearTimeout(this.#timer);
    clearInterval(this.#keeper);
    this.#dequeuer?.close();
    return { operations: 0, handles: 0 };
  }

  // ------------------------------------------------------------ the I/O thread's

  listen(): never {
    throw new Error('the I/O thread alone opens sockets');
  }
  readonly accept = this.listen;
  readonly connect = this.listen;
  readonly bind = this.listen;
  readonly receive = this.listen;
  readonly send = this.listen;
  readonly receiveFrom = this.listen;
  readonly sendTo = this.listen;
  readonly shutdown = this.listen;
  readonly cancel = this.listen;
  readonly close = this.listen;
  readonly post = this.listen;
}
