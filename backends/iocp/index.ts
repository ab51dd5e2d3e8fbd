/** Streams and datagrams on Windows' completion ports, by foreign calls: Node and Bun on Windows. */
import * as layout from '#generated/layout';
import type { Core } from '../../src/core/core.ts';
import type {
  BackendHost,
  BackendSelection,
  Dequeuer,
  Driver,
  PortSizes,
  Probe,
  WorkerDriver,
} from '../backend.ts';
import { type Dequeuing, IocpDequeuer } from './dequeuer.ts';
import { IocpDriver } from './driver.ts';
import { nativeBytes } from './memory.ts';
import { checkOptions, type IocpOptions } from './options.ts';
import { loadSystem } from './system.ts';

export { reclaim } from './reclaim.ts';
export { openWaker } from './waker.ts';
export type { IocpOptions };

export const name = 'iocp';

/** Whether completion ports can be had here; loads koffi if this is Windows. */
export async function probe(): Promise<Probe> {
  try {
    await loadSystem();
    return { available: true, detail: 'completion ports of Windows' };
  } catch (error) {
    return { available: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** A second socket on a port that is listened on gets nothing, or all. */
export function spreads(): Probe {
  const reason = 'Windows does not spread connections over the sockets of one port';
  return { available: false, reason };
}

/** A socket is the process's, and may be associated with a port of another thread than accepted it. */
export const handsOver = true;

/**
 * The event loop's driver keeps one of the few threads of the host's pool for as
 * long as it waits (four in Node, as many as processors in Bun, for all threads
 * of the process): with several workers none is left for anything else.
 */
export function workerDrivers(): readonly WorkerDriver[] {
  return ['blocking'];
}

/** @throws RangeError on an impossible option; Error where `probe` fails */
export async function create(host: BackendHost, options: IocpOptions = {}): Promise<Driver> {
  const checked = checkOptions(options);
  return new IocpDriver(host, await loadSystem(), checked);
}

/** Workers of a shared port take packets from the completion port themselves. */
export async function openDequeuer(
  core: Core,
  dequeuing: unknown,
  worker: number,
): Promise<Dequeuer> {
  return new IocpDequeuer(core, await loadSystem(), dequeuing as Dequeuing, worker);
}

export function memoryBytes(_options: IocpOptions, sizes: PortSizes): number {
  return nativeBytes(sizes) + layout.SUBMISSION_BYTES + 64;
}

/**
 * Chooses this backend with its options: `listen({ backend: iocp({ receiveDepth: 20 }) })`.
 * @throws RangeError on an impossible option
 */
export function iocp(options: IocpOptions = {}): BackendSelection<IocpOptions> {
  checkOptions(options);
  return { name, options, probe, create, memoryBytes };
}
