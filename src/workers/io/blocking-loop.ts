/** Drives a port by waiting in the kernel, in a thread that has nothing else to do. */
import { setImmediate } from 'node:timers';
import type { Port } from '../../port.ts';

/** How late the thread's own timers, messages and promises of other work may be. */
const WAIT_MS = 10;

/**
 * Waits, turns, and lets the host's event loop turn once, until `isOver`. The
 * loop's turn costs about a microsecond, where nothing else is due.
 */
export function driveBlocking(port: Port, isOver: () => boolean): void {
  const pass = (): void => {
    if (isOver()) return;
    port.waitAndTurn(WAIT_MS);
    setImmediate(pass);
  };
  setImmediate(pass);
}
