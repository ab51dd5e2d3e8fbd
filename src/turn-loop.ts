/**
 * The host's half of the loop. A turn takes the completions that the backend
 * reported, lets the core put them in order and frame them, dispatches the
 * events, and submits what follows from all that.
 */
import * as layout from '#generated/layout';
import type { Driver } from '../backends/backend.ts';
import type { Core } from './core/core.ts';
import type { Regions } from './core/regions.ts';
import type { Dispatcher } from './dispatch.ts';
import type { Payloads } from './payloads.ts';
import type { PortShare } from './port-share.ts';
import { drainSubmissions } from './submissions.ts';

/** Turns in one pass of the host's loop before other work gets its chance. */
const TURNS_AT_ONCE = 8;
const WORKER = layout.Worker;

/** What a loop goes round between. */
export interface LoopParts {
  readonly core: Core;
  readonly regions: Regions;
  readonly driver: Driver;
  readonly dispatcher: Dispatcher;
  readonly payloads: Payloads;
  readonly share: PortShare | undefined;
  /** See `PortPlace`. */
  readonly watch: Float64Array | undefined;
}

export class TurnLoop {
  readonly #core: Core;
  readonly #driver: Driver;
  readonly #dispatcher: Dispatcher;
  readonly #payloads: Payloads;
  readonly #share: PortShare | undefined;
  readonly #watch: Float64Array | undefined;
  readonly #worker: number;
  readonly #submissions: number;
  /** Of words that every turn looks at, in `u32`: how many submissions wait, and whether work is left. */
  readonly #countWord: number;
  readonly #moreWord: number;
  #turning = false;
  #flushScheduled = false;
  #submitting = false;

  constructor({ core, regions, driver, dispatcher, payloads, share, watch }: LoopParts) {
    this.#core = core;
    this.#driver = driver;
    this.#dispatcher = dispatcher;
    this.#payloads = payloads;
    this.#share = share;
    this.#watch = watch;
    this.#worker = regions.worker;
    this.#submissions = regions.submissions;
    this.#countWord = (regions.worker + WORKER.submissionCount) >>> 2;
    this.#moreWord = (regions.worker + WORKER.more) >>> 2;
  }

  /** Turns, as long as there is something at once; then the host's other work has its chance. */
  run(): void {
    if (this.#turning) return;
    const { exports, u32 } = this.#core;
    const worker = this.#worker;
    const watch = this.#watch;
    const share = this.#share;
    for (let turn = 0; turn < TURNS_AT_ONCE; turn++) {
      this.#turning = true;
      if (watch !== undefined) watch[0] = Date.now();
      const count = exports.turn(worker, this.#driver.now() >>> 0);
      if (u32[this.#countWord] !== 0) this.#submit();
      share?.meet(count);
      if (count !== 0) {
        this.#dispatcher.dispatch(count);
        this.#payloads.endBorrowing();
      }
      share?.dispatched(count);
      this.#turning = false;
      if (watch !== undefined) watch[0] = 0;
      this.#finish();
      if (!this.#hasMore) return;
    }
    this.#driver.wake();
  }

  /** Something may be submitted: it goes out with the turn, or with this tick. */
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
    if (this.#share !== undefined && this.#hasMore) this.#driver.wake();
  };

  get #hasMore(): boolean {
    return this.#core.u32[this.#moreWord] !== 0;
  }

  #finish(): void {
    if (this.#submitting) return;
    this.#submitting = true;
    const { finish } = this.#core.exports;
    let again: number;
    do {
      again = finish(this.#worker);
      this.#submit();
    } while (again !== 0);
    this.#share?.release(this.#submitRing);
    this.#driver.flush();
    this.#submitting = false;
  }

  #submit(): void {
    if (this.#share === undefined) this.#submitRing();
    else this.#share.submit(this.#submitRing);
  }

  readonly #submitRing = (): void => {
    const { u32 } = this.#core;
    const count = u32[this.#countWord] as number;
    if (count === 0) return;
    const driver = this.#driver;
    if (driver.submit !== undefined) driver.submit(this.#submissions, count);
    else drainSubmissions(this.#core, driver, this.#submissions, count);
    u32[this.#countWord] = 0;
  };
}
