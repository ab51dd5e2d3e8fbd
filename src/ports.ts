/** Which port a call runs on: a given one, or the one that calls of equal choice share. */
import { OverlappedError } from './errors.ts';
import { CONNECTION_SETTING_NAMES, HANDLER_NAMES } from './option-names.ts';
import { invalidOption } from './options.ts';
import { Port } from './port.ts';
import type { PortOptions } from './port-options.ts';

export const PORT_OPTION_NAMES = [
  'backend',
  'maxConnections',
  'receiveBufferBytes',
  'receiveBuffers',
  'arenaBytes',
  'stateBytes',
] as const;

export const CONNECTION_OPTION_NAMES = [
  ...HANDLER_NAMES,
  'codec',
  ...CONNECTION_SETTING_NAMES,
] as const;

type Shared = Map<string, Promise<Port>>;

/** Ports of backends given by name, and of those given as a selection: the latter end with it. */
const byName: Shared = new Map();
const bySelection = new WeakMap<object, Shared>();

export interface PortChoice extends PortOptions {
  readonly on?: Port | undefined;
}

/** @throws OverlappedError CLOSED, and what `Port.open` throws */
export async function acquirePort(options: PortChoice): Promise<Port> {
  const { on } = options;
  if (on !== undefined) {
    if (!(on instanceof Port)) throw invalidOption('on', on, 'a port from openPort');
    const given = PORT_OPTION_NAMES.find((name) => options[name] !== undefined);
    if (given !== undefined) {
      throw invalidOption(given, options[given], 'nothing beside `on`: the port has its own');
    }
    if (on.closed) throw new OverlappedError('CLOSED', 'the port is closed');
    return on;
  }
  return sharedPort(options);
}

async function sharedPort(options: PortOptions): Promise<Port> {
  const { backend = 'auto' } = options;
  let shared = byName;
  if (typeof backend === 'object') {
    shared = bySelection.get(backend) ?? new Map();
    bySelection.set(backend, shared);
  }
  const values = PORT_OPTION_NAMES.map((name) => (name === 'backend' ? 0 : (options[name] ?? 0)));
  const key = `${typeof backend === 'object' ? '' : backend} ${values.join(' ')}`;
  const known = shared.get(key);
  if (known !== undefined) {
    const port = await known.catch(() => undefined);
    if (port !== undefined && !port.closed) return port;
    if (shared.get(key) === known) shared.delete(key);
    return sharedPort(options);
  }
  const opening = Port.open(options);
  shared.set(key, opening);
  opening.catch(() => shared.delete(key));
  return opening;
}

export function canceled(signal: AbortSignal): OverlappedError {
  return new OverlappedError('CANCELED', 'called off by its signal', { cause: signal.reason });
}
