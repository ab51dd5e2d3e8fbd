/** What an ordered pool is made of, and what is allowed. */
import { requireInteger, requirePowerOfTwo } from '../../core/memory.ts';
import { OverlappedError } from '../../errors.ts';

/**
 * The settings of an `OrderedPool` (R8). The defaults of the first seven are
 * the example of the documents.
 */
export interface OrderedPoolOptions {
  /**
   * The module that does the work, by its absolute URL: `new URL('./work.js',
   * import.meta.url)`. Its default export, or else its export `handle`, is a
   * `PoolHandler`. Each thread loads the module once.
   */
  readonly handler: URL | string;
  /** Threads that the pool starts with: from `minThreads` to `maxThreads`. Default 5. */
  readonly initialThreads?: number;
  /** Fewest threads kept. Default 5. */
  readonly minThreads?: number;
  /** Most threads: 1 to 256. Default 10. */
  readonly maxThreads?: number;
  /** Most threads without work that maintenance lets live, above `minThreads`. Default 5. */
  readonly maxDormantThreads?: number;
  /** How often the pool ends dormant threads and makes up for missing ones. Default 5000. */
  readonly maintenancePeriodMs?: number;
  /** A dispatch that no thread takes within this time makes the pool grow by a thread. Default 100. */
  readonly dispatchTimeoutMs?: number;
  /**
   * A dispatch that no thread takes within this time, while the pool cannot
   * grow, fails with `TIMED_OUT`. Default 10000.
   */
  readonly dispatchTimeoutAtMaxMs?: number;
  /** Most jobs accepted and not yet answered: 1 to 65536. Default 1024. */
  readonly capacity?: number;
  /** Most dispatches that may wait for room; beyond, they fail at once. Default 1024. */
  readonly maxWaiting?: number;
  /** Memory for the bytes of jobs and results: a power of two, 4 KiB to 1 GiB. Default 16 MiB. */
  readonly arenaBytes?: number;
  /**
   * What the handler gets: a view on shared memory that ends with the job
   * ('borrowed', the default), or a copy of its own ('owned').
   */
  readonly bytes?: 'borrowed' | 'owned';
  /** How long a thread may take to load the module. Default 30000. */
  readonly startTimeoutMs?: number;
  /**
   * An attached thread (see `OrderedPool.share`) whose event loop has not turned for
   * this long is taken for dead. Default 30000.
   */
  readonly dispatcherTimeoutMs?: number;
  /** Given to each call of the handler: anything that can be cloned. */
  readonly data?: unknown;
}

export type PoolSettings = Required<Omit<OrderedPoolOptions, 'handler'>> & {
  readonly handler: string;
};

const NAMES = new Set<string>([
  'handler',
  'initialThreads',
  'minThreads',
  'maxThreads',
  'maxDormantThreads',
  'maintenancePeriodMs',
  'dispatchTimeoutMs',
  'dispatchTimeoutAtMaxMs',
  'capacity',
  'maxWaiting',
  'arenaBytes',
  'bytes',
  'startTimeoutMs',
  'dispatcherTimeoutMs',
  'data',
] satisfies (keyof OrderedPoolOptions)[]);

const THREADS_MAX = 256;
const TIME_MAX_MS = 2 ** 31 - 1;

/** @throws OverlappedError `INVALID_OPTION` */
export function poolSettings(options: OrderedPoolOptions): PoolSettings {
  const unknown = Object.keys(options).find((name) => !NAMES.has(name));
  if (unknown !== undefined) {
    throw new OverlappedError('INVALID_OPTION', `there is no option ${unknown}`);
  }
  const maxThreads = requireInteger('maxThreads', options.maxThreads ?? 10, 1, THREADS_MAX);
  const fewest = options.minThreads ?? Math.min(5, maxThreads);
  const minThreads = requireInteger('minThreads', fewest, 1, maxThreads);
  const first = options.initialThreads ?? Math.max(minThreads, Math.min(5, maxThreads));
  const time = (name: keyof OrderedPoolOptions, otherwise: number, least: number) =>
    requireInteger(name, (options[name] as number | undefined) ?? otherwise, least, TIME_MAX_MS);
  const { bytes = 'borrowed', arenaBytes = 2 ** 24 } = options;
  if (bytes !== 'borrowed' && bytes !== 'owned') {
    throw new OverlappedError('INVALID_OPTION', `bytes must be 'borrowed' or 'owned'`);
  }
  requirePowerOfTwo('arenaBytes', arenaBytes, 4096, 2 ** 30);
  return {
    handler: absoluteUrl(options.handler),
    initialThreads: requireInteger('initialThreads', first, minThreads, maxThreads),
    minThreads,
    maxThreads,
    maxDormantThreads: requireInteger(
      'maxDormantThreads',
      options.maxDormantThreads ?? 5,
      0,
      THREADS_MAX,
    ),
    maintenancePeriodMs: time('maintenancePeriodMs', 5000, 1),
    dispatchTimeoutMs: time('dispatchTimeoutMs', 100, 0),
    dispatchTimeoutAtMaxMs: time('dispatchTimeoutAtMaxMs', 10_000, 0),
    capacity: requireInteger('capacity', options.capacity ?? 1024, 1, 65536),
    maxWaiting: requireInteger('maxWaiting', options.maxWaiting ?? 1024, 0, 2 ** 20),
    arenaBytes,
    bytes,
    startTimeoutMs: time('startTimeoutMs', 30_000, 1),
    dispatcherTimeoutMs: time('dispatcherTimeoutMs', 30_000, 1),
    data: options.data,
  };
}

function absoluteUrl(handler: unknown): string {
  try {
    return new URL(handler as string).href;
  } catch {
    throw new OverlappedError(
      'INVALID_OPTION',
      `handler must be an absolute URL, such as new URL('./work.js', import.meta.url), not ${String(handler)}`,
    );
  }
}
