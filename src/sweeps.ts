/** Looks at connections for time limits, for as long as one has any. */
import type { Driver } from '../backends/backend.ts';
import type { Core } from './core/core.ts';

/** Looks per time limit, and how far apart they are at least and at most. */
const LOOKS = 8;
const LEAST_MS = 5;
const MOST_MS = 500;

export interface SweepHooks {
  /** Connections have expired: a turn is due. */
  expired(): void;
  /** Whether any connection still has a time limit. */
  isNeeded(): boolean;
}

export class Sweeps {
  readonly #core: Core;
  readonly #worker: number;
  readonly #driver: Driver;
  readonly #hooks: SweepHooks;
  #cancel: (() => void) | undefined;
  #periodMs = 0;

  constructor(core: Core, worker: number, driver: Driver, hooks: SweepHooks) {
    this.#core = core;
    this.#worker = worker;
    this.#driver = driver;
    this.#hooks = hooks;
  }

  /** From now on, as often as `limitMs` needs. */
  watch(limitMs: number): void {
    this.#lookEvery(Math.min(Math.max(limitMs / LOOKS, LEAST_MS), MOST_MS));
  }

  stop(): void {
    this.#cancel?.();
  }

  #lookEvery(periodMs: number): void {
    if (this.#cancel !== undefined) {
      if (this.#periodMs <= periodMs) return;
      this.#cancel();
    }
    this.#periodMs = periodMs;
    this.#cancel = this.#driver.setTimer(periodMs, () => {
      this.#cancel = undefined;
      const expired = this.#core.exports.sweep(this.#worker, this.#driver.now() >>> 0);
      if (expired > 0) this.#hooks.expired();
      if (this.#hooks.isNeeded()) this.#lookEvery(periodMs);
    });
  }
}
