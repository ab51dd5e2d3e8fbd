/** A clock that stands still until a test moves it. */
import type { PoolClock } from '../../../src/workers/pool/clock.ts';

interface Timer {
  readonly dueMs: number;
  readonly work: () => void;
}

export class FakeClock implements PoolClock {
  #nowMs = 1000;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, work: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, work };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that have not been called or cancelled. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** Lets `timeMs` pass: calls what becomes due, in its order. */
  advance(timeMs: number): void {
    const endMs = this.#nowMs + timeMs;
    for (;;) {
      const due = [...this.#timers].filter((timer) => timer.dueMs <= endMs);
      due.sort((a, b) => a.dueMs - b.dueMs);
      const first = due[0];
      if (first === undefined) break;
      this.#timers.delete(first);
      this.#nowMs = Math.max(this.#nowMs, first.dueMs);
      first.work();
    }
    this.#nowMs = endMs;
  }
}
