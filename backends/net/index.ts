/** Streams and datagrams by node:net and node:dgram: Node, Bun and Deno. */
import type { BackendHost, BackendSelection, Probe } from '../backend.ts';
import { NetDriver, type NetOptions } from './driver.ts';

export { spreads } from './reuse-port.ts';
export type { NetOptions };

export const name = 'net';

export function probe(): Probe {
  return { available: true };
}

export function create(host: BackendHost, options: NetOptions = {}): NetDriver {
  return new NetDriver(host, options);
}

/** Chooses this backend with its options: `listen({ backend: net({ sendDepth: 4 }) })`. */
export function net(options: NetOptions = {}): BackendSelection<NetOptions> {
  return { name, options, probe, create };
}
