/**
 * Sockets and rings belong to the process, not to the thread that made them. As
 * a thread ends, the kernel calls off what it had asked for; its descriptors stay
 * open, and nobody would ever close them: a listening socket would go on to take
 * connections that nobody serves.
 */
import * as layout from '#generated/layout';
import * as c from './constants.ts';
import { DESCRIPTOR_COUNT, DESCRIPTOR_SET_BELL } from './memory.ts';
import { loadSystem } from './system.ts';

/** Where a driver's descriptors are found. */
export interface Remains {
  /** Address of the words with its own: see `DESCRIPTOR_RING` and those behind it. */
  readonly descriptors: number;
  /** Address of its UringHandles, in its linear memory. */
  readonly handles: number;
  readonly handleCount: number;
}

/** Closes what the driver of a dead thread has open; its connections are reset. */
export async function reclaim(memory: WebAssembly.Memory, remains: unknown): Promise<void> {
  const { descriptors, handles, handleCount } = remains as Remains;
  const { libc } = await loadSystem();
  const words = new Int32Array(memory.buffer);
  const linger = new Uint8Array(Uint32Array.of(1, 0).buffer);
  for (let handle = 0; handle < handleCount; handle++) {
    const at = handles + handle * layout.URING_HANDLE_BYTES + layout.UringHandle.fd;
    const fd = descriptorOf(words[at >>> 2] as number);
    if (fd < 0) continue;
    libc.setsockopt(fd, c.SOL_SOCKET, c.SO_LINGER, linger, c.linger.$size);
    libc.close(fd);
  }
  // A thread of the host's pool may wait there for the one that is no more.
  const setBell = words[(descriptors >>> 2) + DESCRIPTOR_SET_BELL] as number;
  if (setBell >= 0) libc.write(setBell, new Uint8Array(BigUint64Array.of(1n).buffer), 8);
  // What it has closed itself is not named here any more.
  for (let which = 0; which < DESCRIPTOR_COUNT; which++) {
    const fd = words[(descriptors >>> 2) + which] as number;
    if (fd >= 0) libc.close(fd);
  }
}

/** An open handle has its descriptor, a closing one -2 less it, others -1. */
function descriptorOf(word: number): number {
  return word >= 0 ? word : word <= -2 ? -2 - word : -1;
}
