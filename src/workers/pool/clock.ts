/** The pool's time: replaced in tests. */

export interface PoolClock {
  /** Milliseconds since whenever; never goes back. */
  now(): number;
  /** Calls `work` once after `delayMs`; does not keep the process alive. Returns how to cancel it. */
  after(delayMs: number, work: () => void): () => void;
}

/** Longer delays overflow the hosts' timers. */
const DELAY_MAX_MS = 2 ** 31 - 1;

export const systemClock: PoolClock = {
  now: () => performance.now(),
  after: (delayMs, work) => {
    const timer = setTimeout(work, Math.min(delayMs, DELAY_MAX_MS));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
