/** Ends a wait on a completion port from another thread: by a packet. */
import { IOCP_KEY_WAKE } from '#generated/layout';
import type { Waker } from '../backend.ts';
import * as c from './constants.ts';
import { loadSystem } from './system.ts';

/**
 * In any thread of the process: what wakes the driver whose `waker` this is, or
 * ends its next wait. The driver must be open now; later it need not be.
 * @throws Error in words for a person
 */
export async function openWaker(waker: number): Promise<Waker> {
  const { win32 } = await loadSystem();
  const copy = new BigInt64Array(1);
  const self = win32.GetCurrentProcess();
  const bytes = new Uint8Array(copy.buffer);
  // A handle of its own: the number may soon be somebody else's.
  if (win32.DuplicateHandle(self, waker, self, bytes, 0, 0, c.DUPLICATE_SAME_ACCESS) === 0) {
    throw new Error(`DuplicateHandle: Windows error ${win32.GetLastError()}`);
  }
  const port = Number(copy[0]);
  let isOpen = true;
  return {
    wake() {
      if (isOpen) win32.PostQueuedCompletionStatus(port, 0, IOCP_KEY_WAKE, 0);
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      win32.CloseHandle(port);
    },
  };
}
