/**
 * `sim`: a network in one process that exists only in virtual time, for tests
 * and for trying things out. Everything that happens in it follows from a seed
 * and from what the program does, so that it can be played again; faults can be
 * asked for. It needs nothing of the host but its event loop.
 */
import type { BackendHost, BackendSelection, Driver, Probe } from '../backend.ts';
import { SimDriver } from './driver.ts';
import { SimNetwork } from './network.ts';
import type { SimOptions } from './options.ts';

export { SimNetwork } from './network.ts';
export type { Range, SimOptions } from './options.ts';

export const name = 'sim';

/** A selection with its network. All ports made from one selection object can reach each other. */
export interface SimSelection extends BackendSelection<SimOptions> {
  readonly name: 'sim';
  /** The network behind the selection: its virtual time, its counters, and stepping by hand. */
  readonly network: SimNetwork;
}

/** Always available: it needs no system. */
export function probe(): Probe {
  return { available: true, detail: 'simulated: nothing leaves this process' };
}

/** A network in virtual time has one clock: it lives in one thread. */
export function spreads(): Probe {
  return { available: false, reason: 'a simulated network lives in one thread' };
}

/**
 * Selects the simulator.
 *
 * @param options see `SimOptions`
 * @throws RangeError on an impossible option
 */
export function sim(options: SimOptions = {}): SimSelection {
  const network = new SimNetwork(options);
  return {
    name,
    options,
    network,
    probe,
    create: (host) => new SimDriver(host, network),
  };
}

/** Chosen by name, without a selection: who passes the same options object shares a network. */
const networks = new WeakMap<object, SimNetwork>();
/** And who asks for nothing shares this one, as programs share a computer's loopback. */
const NOTHING_ASKED: SimOptions = {};

export function create(host: BackendHost, options: SimOptions = NOTHING_ASKED): Driver {
  const key = Object.keys(options).length === 0 ? NOTHING_ASKED : options;
  let network = networks.get(key);
  if (network === undefined) {
    network = new SimNetwork(key);
    networks.set(key, network);
  }
  return new SimDriver(host, network);
}
