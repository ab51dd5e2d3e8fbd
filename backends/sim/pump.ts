/**
 * Makes things happen: in tasks of the host's event loop it does a batch of
 * what is due, lets each loop handle what was reported to it, and moves virtual
 * time on when nothing is left at the current one. With nothing scheduled it
 * does not run, and keeps nothing alive.
 *
 * With several threads one of them pumps at a time, under the network's lock.
 */
import type { Frequent } from './counters.ts';
import { hostPause, hostTask, hostTaskUnreferenced } from './host-task.ts';
import type { SimSettings } from './options.ts';
import type { Scheduler } from './scheduler.ts';

/**
 * Passes that the program gets before time jumps to a timer: what it awaits
 * (files, other promises) goes on in real time, and a time-out must not fire
 * only because nobody has spoken for a microsecond.
 */
const PATIENCE_PASSES = 8;
/**
 * Real time between them where other threads have a part of the program: they may just be
 * waking up, or waiting for a processor.
 */
const PATIENCE_MS = 4;

/** What the pump needs of a driver. */
export interface PumpedDriver {
  /** Keeps the process alive while something is scheduled. */
  readonly isReferenced: boolean;
  /** Several threads may work on the memory of its port. */
  readonly isShared: boolean;
  /** Lets the loop handle what was reported. Called once a batch. */
  deliver(): void;
}

/** What the pump needs of its network. */
export interface PumpedNetwork {
  readonly settings: SimSettings;
  readonly scheduler: Scheduler;
  readonly frequent: Frequent;
  readonly drivers: Iterable<PumpedDriver>;
  /** Breaches of the contract since the last call: they are thrown. */
  takeViolations(): Error[];
}

export class Pump {
  readonly #network: PumpedNetwork;
  /** Number of the task that may run; older ones do nothing. */
  #task = 0;
  #isTaskPending = false;
  #doesTaskKeepAlive = false;
  #isTaskAPause = false;
  #isPassing = false;
  #patience = PATIENCE_PASSES;

  constructor(network: PumpedNetwork) {
    this.#network = network;
  }

  kick(): void {
    this.#patience = PATIENCE_PASSES;
    this.#schedule();
  }

  #schedule(): void {
    const { scheduler, settings } = this.#network;
    if (settings.paused || this.#isPassing || scheduler.pending === 0) return;
    const keepAlive = scheduler.networkPending > 0 || this.#isReferenced();
    const isPause = this.#mustWait && this.#isShared();
    const isKept = this.#doesTaskKeepAlive || !keepAlive;
    if (this.#isTaskPending && isKept && (isPause || !this.#isTaskAPause)) return;
    this.#task += 1;
    const task = this.#task;
    this.#isTaskPending = true;
    this.#doesTaskKeepAlive = keepAlive;
    this.#isTaskAPause = isPause;
    const run = () => {
      if (task !== this.#task) return;
      this.#isTaskPending = false;
      this.#run();
    };
    if (isPause) hostPause(run, PATIENCE_MS, keepAlive);
    else if (keepAlive) hostTask(run);
    else hostTaskUnreferenced(run);
  }

  /** Nothing is left to do but what a timer of the far future waits for. */
  get #mustWait(): boolean {
    const { scheduler } = this.#network;
    if (scheduler.networkPending > 0) return false;
    const next = scheduler.nextTimeMs();
    return next !== undefined && next > scheduler.nowMs;
  }

  #isShared(): boolean {
    for (const driver of this.#network.drivers) if (driver.isShared) return true;
    return false;
  }

  #isReferenced(): boolean {
    for (const driver of this.#network.drivers) if (driver.isReferenced) return true;
    return false;
  }

  #run(): void {
    const { scheduler } = this.#network;
    if (scheduler.nextTimeMs() === undefined) return;
    if (this.#mustWait && this.#patience > 0) {
      this.#patience -= 1;
      this.#schedule();
      return;
    }
    this.#patience = PATIENCE_PASSES;
    this.pass(Infinity);
  }

  /** One pass. False when nothing was left to do until `untilMs`, or from within a pass. */
  pass(untilMs: number): boolean {
    const { scheduler, settings, drivers } = this.#network;
    if (this.#isPassing) return false;
    const next = scheduler.nextTimeMs();
    if (next === undefined || next > untilMs) return false;
    scheduler.advance(next);
    this.#network.frequent.passes += 1;
    this.#isPassing = true;
    const errors: unknown[] = [];
    for (let done = 0; done < settings.batch; done += 1) {
      try {
        if (!scheduler.runDue()) break;
      } catch (error) {
        errors.push(error);
      }
    }
    for (const driver of [...drivers]) {
      try {
        driver.deliver();
      } catch (error) {
        errors.push(error);
      }
    }
    this.#isPassing = false;
    // After the loops have run: what they put into the host's queue comes first.
    this.#schedule();
    errors.push(...this.#network.takeViolations());
    const [first, ...others] = errors;
    for (const error of others) {
      hostTask(() => {
        throw error;
      });
    }
    if (errors.length > 0) throw first;
    return true;
  }
}
