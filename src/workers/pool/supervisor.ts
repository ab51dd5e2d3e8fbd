/**
 * When the pool grows and shrinks, and when a dispatch has waited too long
 * (R8). It looks when the next of these is due and when threads come or go:
 * an idle pool at its smallest has no timer.
 */
import { OverlappedError } from '../../errors.ts';
import type { PoolClock } from './clock.ts';
import type { Crew } from './crew.ts';
import type { Intake, Survey } from './intake.ts';
import type { PoolSettings } from './options.ts';

export class Supervisor {
  /** Dispatches that no thread took within the dispatch timeout. */
  waited = 0;
  grown = 0;
  shrunk = 0;
  timedOut = 0;
  readonly #settings: PoolSettings;
  readonly #clock: PoolClock;
  readonly #crew: Crew;
  readonly #intake: Intake;
  readonly #endThreads: (count: number) => void;
  readonly #changed: () => void;
  #grownAtMs = -Infinity;
  #maintainAtMs: number;
  #dueMs = Infinity;
  #cancel: (() => void) | undefined;
  #stopped = false;

  /** `endThreads` queues exit packets; `changed`: dispatches were given up. */
  constructor(
    settings: PoolSettings,
    clock: PoolClock,
    crew: Crew,
    intake: Intake,
    hooks: { endThreads(count: number): void; changed(): void },
  ) {
    this.#settings = settings;
    this.#clock = clock;
    this.#crew = crew;
    this.#intake = intake;
    this.#endThreads = hooks.endThreads;
    this.#changed = hooks.changed;
    this.#maintainAtMs = clock.now() + settings.maintenancePeriodMs;
  }

  /** A dispatch began at `atMs`. */
  notice(atMs: number): void {
    const dueMs = atMs + this.#settings.dispatchTimeoutMs;
    if (dueMs < this.#dueMs) this.#arm(dueMs, atMs);
  }

  /** Does what is due. */
  look(): void {
    if (this.#stopped) return;
    const nowMs = this.#clock.now();
    const { dispatchTimeoutMs, dispatchTimeoutAtMaxMs, maintenancePeriodMs } = this.#settings;
    this.waited += this.#intake.markLate(nowMs - dispatchTimeoutMs);
    this.#growIfDue(this.#intake.survey(), nowMs);
    if (this.#cannotGrow()) this.#giveUp(nowMs - dispatchTimeoutAtMaxMs);
    if (nowMs >= this.#maintainAtMs) {
      this.#maintain();
      this.#maintainAtMs = nowMs + maintenancePeriodMs;
    }
    this.#arm(this.#nextMs(this.#intake.survey()), nowMs);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #cannotGrow(): boolean {
    return this.#crew.live >= this.#settings.maxThreads || this.#crew.blocked;
  }

  /**
   * One thread at a time, and another only if a dispatch waits past its
   * timeout once more: starting a thread takes longer than most jobs.
   */
  #growIfDue({ oldestMs }: Survey, nowMs: number): void {
    if (oldestMs === undefined || this.#cannotGrow() || this.#crew.starting > 0) return;
    if (nowMs < this.#growAtMs(oldestMs)) return;
    this.#grownAtMs = nowMs;
    this.grown++;
    this.#crew.start();
  }

  #growAtMs(oldestMs: number): number {
    return Math.max(oldestMs, this.#grownAtMs) + this.#settings.dispatchTimeoutMs;
  }

  #giveUp(limitMs: number): void {
    const { dispatchTimeoutAtMaxMs } = this.#settings;
    const count = this.#intake.giveUp(limitMs, () => {
      const message = `no thread took the job within ${dispatchTimeoutAtMaxMs} ms, and the pool cannot grow`;
      return new OverlappedError('TIMED_OUT', message);
    });
    this.timedOut += count;
    if (count > 0) this.#changed();
  }

  /** Ends threads that have nothing to do, and makes up for those that are missing. */
  #maintain(): void {
    const crew = this.#crew;
    const { minThreads, maxDormantThreads } = this.#settings;
    crew.blocked = false;
    while (crew.live < minThreads && !crew.blocked) crew.start();
    const spare = Math.min(crew.dormant - maxDormantThreads, crew.live - minThreads);
    if (spare <= 0) return;
    this.shrunk += spare;
    this.#endThreads(spare);
  }

  #nextMs({ oldestMs, oldestPunctualMs = Infinity }: Survey): number {
    const { minThreads, dispatchTimeoutMs, dispatchTimeoutAtMaxMs } = this.#settings;
    let nextMs = oldestPunctualMs + dispatchTimeoutMs;
    if (this.#crew.live !== minThreads || this.#crew.blocked) {
      nextMs = Math.min(nextMs, this.#maintainAtMs);
    }
    if (oldestMs === undefined) return nextMs;
    if (this.#cannotGrow()) return Math.min(nextMs, oldestMs + dispatchTimeoutAtMaxMs);
    // Else the thread that is starting will say when it has come up.
    return this.#crew.starting > 0 ? nextMs : Math.min(nextMs, this.#growAtMs(oldestMs));
  }

  #arm(dueMs: number, nowMs: number): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#dueMs = dueMs;
    if (this.#stopped || dueMs === Infinity) return;
    this.#cancel = this.#clock.after(Math.max(dueMs - nowMs, 0), () => {
      this.#dueMs = Infinity;
      this.look();
    });
  }
}
