/** What a server with workers is made of, and what is allowed. */
import { availableParallelism } from 'node:os';
import type { BackendSelection, WorkerDriver } from '../../../backends/backend.ts';
import { endpointOf } from '../../endpoint.ts';
import { OverlappedError } from '../../errors.ts';
import { CONNECTION_SETTING_NAMES, HANDLER_NAMES } from '../../option-names.ts';
import { booleanOption, functionOptions, integerOption, invalidOption } from '../../options.ts';
import type { BackendName } from '../../port-options.ts';
import type { BackendDescription } from '../../registry.ts';
import type { WorkerListenOptions } from '../../types.ts';
import type { CrossingOptions } from './messages.ts';

const WORKERS_MOST = 256;
const TIME_MOST_MS = 2 ** 31 - 1;
/** Slots that a token has room for: see `idBase`. */
const SLOTS_MOST = 2 ** 20;
const DEFAULT_CONNECTIONS = 16_384;

/** Functions cannot cross to a thread: they stand in the handlers' module. */
const IN_THE_MODULE = new Set<string>([...HANDLER_NAMES, 'codec']);

/** Those that go on to each worker's own `listen`. */
const CROSSING = [
  'receiveBufferBytes',
  'receiveBuffers',
  'arenaBytes',
  'stateBytes',
  'maxConnections',
  ...CONNECTION_SETTING_NAMES,
  'port',
  'host',
  'path',
  'backlog',
  'ipv6Only',
  'maxListenerConnections',
] as const satisfies (keyof WorkerListenOptions)[];

const OWN = [
  'workers',
  'handlers',
  'scheduling',
  'workerData',
  'driver',
  'lock',
  'restart',
  'startTimeoutMs',
  'onWorkerError',
  'backend',
  'signal',
] as const satisfies (keyof WorkerListenOptions)[];

const NAMES = new Set<string>([...CROSSING, ...OWN]);

export interface WorkerSettings {
  readonly workers: number;
  readonly handlers: string;
  readonly data: unknown;
  readonly scheduling: 'pinned' | 'shared';
  readonly driver: WorkerDriver | undefined;
  readonly restart: boolean;
  readonly startTimeoutMs: number;
  readonly onWorkerError: ((error: OverlappedError, worker: number) => void) | undefined;
  readonly signal: AbortSignal | undefined;
  readonly backend: 'auto' | BackendDescription;
  /** As it was given: a shared port makes it in this thread. */
  readonly givenBackend: WorkerListenOptions['backend'];
  /** How many locks the connections of a shared port are spread among (R6). */
  readonly locks: number;
  readonly options: CrossingOptions & { readonly maxConnections: number };
}

/** @throws OverlappedError INVALID_OPTION */
export function workerSettings(options: WorkerListenOptions): WorkerSettings {
  checkNames(options);
  const { scheduling = 'pinned', driver, signal } = options;
  if (scheduling !== 'pinned' && scheduling !== 'shared') {
    throw invalidOption('scheduling', scheduling, "'pinned' or 'shared'");
  }
  if (driver !== undefined && driver !== 'loop' && driver !== 'blocking') {
    throw invalidOption('driver', driver, "'loop' or 'blocking'");
  }
  const workers =
    options.workers === 'auto'
      ? Math.min(availableParallelism(), WORKERS_MOST)
      : integerOption('workers', options.workers, 0, 1, WORKERS_MOST);
  if (scheduling !== 'shared' && options.lock !== undefined) {
    throw invalidOption('lock', options.lock, "given with scheduling: 'shared' only");
  }
  if (scheduling === 'shared' && driver === 'blocking') {
    throw invalidOption('driver', driver, "'loop' with scheduling: 'shared'");
  }
  functionOptions(options, ['onWorkerError']);
  endpointOf(options, 0);
  const mostEach = Math.floor(SLOTS_MOST / workers);
  const crossing: { [name: string]: unknown } = {};
  for (const name of CROSSING) if (options[name] !== undefined) crossing[name] = options[name];
  const maxConnections = integerOption(
    'maxConnections',
    options.maxConnections,
    Math.min(DEFAULT_CONNECTIONS, mostEach),
    1,
    mostEach,
  );
  return {
    workers,
    handlers: absoluteUrl(options.handlers),
    data: options.workerData,
    scheduling,
    driver,
    restart: booleanOption('restart', options.restart, false),
    startTimeoutMs: integerOption(
      'startTimeoutMs',
      options.startTimeoutMs,
      30_000,
      1,
      TIME_MOST_MS,
    ),
    onWorkerError: options.onWorkerError?.bind(options),
    signal,
    backend: backendOf(options.backend),
    givenBackend: options.backend,
    locks: lockCount(options.lock, maxConnections),
    options: { ...crossing, maxConnections },
  };
}

/** @throws OverlappedError INVALID_OPTION */
function lockCount(lock: WorkerListenOptions['lock'], maxConnections: number): number {
  if (lock === undefined || lock === 'socket') return maxConnections;
  if (lock === 'all') return 1;
  const stripes: unknown = (lock as { readonly stripes?: unknown } | null)?.stripes;
  if (typeof stripes !== 'number') {
    throw invalidOption('lock', lock, "'socket', 'all', or { stripes: a number }");
  }
  return Math.min(integerOption('lock.stripes', stripes, 1, 1, SLOTS_MOST), maxConnections);
}

function checkNames(options: object): void {
  for (const name of Object.keys(options)) {
    if (IN_THE_MODULE.has(name)) {
      throw new OverlappedError(
        'INVALID_OPTION',
        `${name} cannot be given to workers: a function does not cross threads. Write a module that ` +
          `exports it, \`export function ${name === 'codec' ? 'message' : name}(…) { … }\`, and name ` +
          `it: handlers: new URL('./handlers.js', import.meta.url)`,
      );
    }
    if (!NAMES.has(name)) {
      const allowed = [...NAMES].sort().join(', ');
      const message = `listen with workers has no option ${JSON.stringify(name)}; allowed are ${allowed}`;
      throw new OverlappedError('INVALID_OPTION', message);
    }
  }
}

/** What a thread can make for itself: a name and options without functions. */
function backendOf(backend: WorkerListenOptions['backend'] = 'auto'): WorkerSettings['backend'] {
  if (backend === 'auto') return backend;
  if (typeof backend === 'string') return { name: backend satisfies BackendName, options: {} };
  const { name, options } = backend as BackendSelection;
  return { name, options: (options ?? {}) as object };
}

function absoluteUrl(handlers: unknown): string {
  try {
    return new URL(handlers as string).href;
  } catch {
    throw invalidOption(
      'handlers',
      handlers,
      "a module's absolute URL, such as new URL('./handlers.js', import.meta.url)",
    );
  }
}
