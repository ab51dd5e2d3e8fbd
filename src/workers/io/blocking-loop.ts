/** Drives a port by waiting in the kernel, in a thread that has nothing else to do. */
import { setImmediate } from 'node:timers';
import type { Port } from '../../port.ts';

/**
 * How late the thread's own timers and promises of other work may be; and its
 * messages, where whoever posts them cannot wake it.
 */
export const WAIT_MS = 10;

export interface BlockingLoop {
  /** Longest wait. */
  readonly waitMs: number;
  isOver(): boolean;
  /** A message is on its way to this thread: the host's event loop is to bring it. */
  hasPost(): boolean;
}

/**
 * Waits, turns, and lets the host's event loop turn once, until `isOver`. The
 * loop's turn costs about a microsecond, where nothing else is due.
 */
export function driveBlocking(port: Port, loop: BlockingLoop): void {
  const pass = (): void => {
    if (loop.isOver()) return;
    // Whoever posts wakes the port afterwards: a post that is not seen here ends the wait.
    port.waitAndTurn(loop.hasPost() ? 0 : loop.waitMs);
    setImmediate(pass);
  };
  setImmediate(pass);
}
