/** Streams and datagrams by Bun's own sockets: Bun only. */
import process from 'node:process';
import type { BackendHost, BackendSelection, Probe } from '../backend.ts';
import { bunApi } from './bun-api.ts';
import { BunDriver, type BunOptions } from './driver.ts';

export type { BunOptions };

export const name = 'bun';

/** Earlier versions lack parts of the interface or behave otherwise. */
const OLDEST = [1, 4, 5] as const;

export function probe(): Probe {
  if (bunApi === undefined) return { available: false, reason: 'this host is not Bun' };
  const { version } = bunApi;
  if (isOlder(version)) {
    return { available: false, reason: `Bun ${version} is older than ${OLDEST.join('.')}` };
  }
  return { available: true, detail: `Bun ${version}` };
}

export function spreads(): Probe {
  const { platform } = process;
  if (platform === 'linux') return { available: true };
  const reason = `${platform} does not spread connections over the sockets of one port`;
  return { available: false, reason };
}

export function create(host: BackendHost, options: BunOptions = {}): BunDriver {
  if (bunApi === undefined) throw new Error('this host is not Bun');
  return new BunDriver(bunApi, host, options);
}

/** Chooses this backend with its options: `listen({ backend: bun({ sendDepth: 4 }) })`. */
export function bun(options: BunOptions = {}): BackendSelection<BunOptions> {
  return { name, options, probe, create };
}

/** True for a version below the oldest supported; exported for its test. */
export function isOlder(version: string): boolean {
  const parts = version.split(/[.+-]/).map(Number);
  for (const [index, least] of OLDEST.entries()) {
    const part = parts[index] ?? 0;
    if (part !== least) return !(part > least);
  }
  return false;
}
