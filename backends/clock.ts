/** Time in a host's event loop: for backends that have no clock of their own. */
import { clearTimeout, setTimeout } from 'node:timers';

/** Monotonic milliseconds. */
export function now(): number {
  return performance.now();
}

/** Calls back once after `delayMs`, without keeping the process alive; returns what calls it off. */
export function setTimer(delayMs: number, callback: () => void): () => void {
  const timer = setTimeout(callback, delayMs);
  timer.unref();
  return () => clearTimeout(timer);
}
