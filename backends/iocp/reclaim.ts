/**
 * SOCKETs and completion ports belong to the process, not to the thread that
 * made them: when it dies they stay open, and the system goes on to write to the
 * memory of what is pending on them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as layout from '#generated/layout';
import * as c from './constants.ts';
import type { HandlesPlace } from './memory.ts';
import { loadSystem } from './system.ts';
import type { Handle } from './win32.ts';

/** Where a driver's sockets are found. */
export interface Remains extends HandlesPlace {
  /** Its completion port. */
  readonly port: Handle;
}

/** How long it may take until the system has given back what was pending. */
const DRAIN_MS = 3000;
const LOOK_MS = 2;
const ENTRIES = 64;

/** Memory that the system may still write to: it must not be collected. */
const kept: WebAssembly.Memory[] = [];

/**
 * Closes what the driver of a dead thread has open, with resets, and what was on
 * its way there; takes the packets of what was pending, and closes its port.
 */
export async function reclaim(
  memory: WebAssembly.Memory,
  remains: unknown,
  handedOver: readonly number[] = [],
): Promise<void> {
  const { port, sockets, handles, handleCount } = remains as Remains;
  const { win32 } = await loadSystem();
  const words = new Uint32Array(memory.buffer);
  // A thread of the host's pool may wait there for the one that is no more.
  win32.PostQueuedCompletionStatus(port, 0, layout.IOCP_KEY_WAKE, 0);
  // Once each: it may have been adopted, and not yet acknowledged.
  const open = new Set(handedOver);
  let pending = 0;
  for (let handle = 0; handle < handleCount; handle++) {
    const socket = words[(sockets >>> 2) + handle] as number;
    if (socket !== 0) open.add(socket);
    const record = handles + handle * layout.IOCP_HANDLE_BYTES;
    pending += words[(record + layout.IocpHandle.pending) >>> 2] as number;
  }
  const linger = new Uint8Array(Uint16Array.of(1, 0).buffer);
  for (const socket of open) {
    win32.setsockopt(socket, c.SOL_SOCKET, c.SO_LINGER, linger, linger.length);
    win32.CancelIoEx(socket, 0);
    win32.closesocket(socket);
  }
  const isDrained = await drain(port, pending);
  win32.CloseHandle(port);
  if (!isDrained) kept.push(memory);
}

/** Dequeues the packets of `pending` operations; false if they have not come in time. */
async function drain(port: Handle, pending: number): Promise<boolean> {
  const { win32, koffi } = await loadSystem();
  const entries = new Uint8Array(ENTRIES * layout.IOCP_ENTRY_BYTES + 8);
  const view = new DataView(entries.buffer);
  const at = Number(koffi.address(entries));
  const removedAt = ENTRIES * layout.IOCP_ENTRY_BYTES;
  const deadline = performance.now() + DRAIN_MS;
  let due = pending;
  while (due > 0) {
    if (win32.GetQueuedCompletionStatusEx(port, at, ENTRIES, at + removedAt, 0, 0) === 0) {
      if (performance.now() > deadline) return false;
      // Nothing keeps the process alive for it.
      await sleep(LOOK_MS, undefined, { ref: false });
      continue;
    }
    const count = view.getUint32(removedAt, true);
    for (let entry = 0; entry < count; entry++) {
      const key = view.getUint32(entry * layout.IOCP_ENTRY_BYTES + layout.IocpEntry.key, true);
      if (key >= layout.IOCP_KEY_HANDLES) due--;
    }
  }
  return true;
}
