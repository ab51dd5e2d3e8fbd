/** Streams and datagrams on Linux's io_uring, by foreign calls: Node, Bun and Deno. */
import process from 'node:process';
import type {
  BackendHost,
  BackendSelection,
  PortSizes,
  Probe,
  Waker,
  WorkerDriver,
} from '../backend.ts';
import { UringDriver } from './driver.ts';
import { nativeBytes } from './memory.ts';
import { checkOptions, type UringOptions } from './options.ts';
import { loadSystem } from './system.ts';

export { reclaim } from './reclaim.ts';
export { openWaker } from './waker.ts';
export type { UringOptions, Waker };

export const name = 'uring';

/** Whether rings can be had here; loads koffi if this is Linux. */
export async function probe(): Promise<Probe> {
  try {
    await loadSystem();
    return { available: true, detail: 'io_uring of Linux' };
  } catch (error) {
    return { available: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Linux spreads connections over the sockets of one port, by a hash of the addresses. */
export function spreads(): Probe {
  return { available: true };
}

/**
 * In Bun the event loop's driver keeps one of the few threads of the host's pool
 * for as long as it waits: with several workers none is left for anything else.
 */
export function workerDrivers(): readonly WorkerDriver[] {
  return process.versions.bun === undefined ? ['loop', 'blocking'] : ['blocking'];
}

/** @throws RangeError on an impossible option; Error where `probe` fails, or rings of this size cannot be had */
export async function create(host: BackendHost, options: UringOptions = {}): Promise<UringDriver> {
  const checked = checkOptions(options);
  return new UringDriver(host, await loadSystem(), checked);
}

export function memoryBytes(options: UringOptions, sizes: PortSizes): number {
  return nativeBytes(checkOptions(options), sizes);
}

/** Chooses this backend with its options: `listen({ backend: uring({ entries: 4096 }) })`. */
export function uring(options: UringOptions = {}): BackendSelection<UringOptions> {
  return { name, options, probe, create, memoryBytes };
}
