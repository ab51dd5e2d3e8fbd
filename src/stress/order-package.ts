/**
 * The order experiment on the package's own servers (R12): several I/O workers
 * on one port, the ordered pool behind one thread, and behind several workers,
 * as in the documents; loaded by the harness.
 */
import { Load, type LoadResult } from '../cli/load.ts';
import { Packets } from '../cli/packets.ts';
import {
  type BackendSelection,
  type Connection,
  lengthField,
  listen,
  type OrderedPool,
  orderedPool,
} from '../index.ts';
import type { BackendName } from '../port-options.ts';
import { describedBackend } from '../registry.ts';
import type { Experiment, Watcher } from './experiment.ts';
import type { OrderWorkerData } from './stress-order.worker.ts';

export interface PackageOptions {
  readonly backend: BackendName;
  /** Where a backend keeps one receive armed, no two threads can change an order. */
  readonly scheduling: 'pinned' | 'shared';
  readonly workers: number;
  readonly poolThreads: number;
  readonly packets: number;
  readonly seed: number;
  readonly timeoutMs: number;
}

export interface PackageSwitches {
  readonly reads: number;
  readonly eagerRead: boolean;
  readonly readOrder: boolean;
  readonly writeOrder: boolean;
  readonly fragments: number;
  /** Undefined: no pool. */
  readonly poolOrder?: boolean;
  /** The pool is behind the workers, not behind one thread. */
  readonly workersDispatch?: boolean;
}

export type PackageEffect =
  | 'clean'
  | 'stream may be out of order'
  | 'sequence mismatches only'
  | 'messages may be out of order';

export interface PackageCombination {
  readonly name: string;
  readonly switches: PackageSwitches;
  readonly effect: PackageEffect;
}

export interface PackageRun extends PackageCombination, LoadResult {
  readonly packets: number;
  /** Messages that each worker handled. */
  readonly handled: readonly number[];
  /** The switches led to what they should, or to what they may. */
  readonly shown: boolean;
  /** Nothing came of them that they do not allow. */
  readonly allowed: boolean;
}

const ALL_ON: PackageSwitches = {
  reads: 20,
  eagerRead: true,
  readOrder: true,
  writeOrder: true,
  fragments: 4,
};

export const PACKAGE_COMBINATIONS: readonly PackageCombination[] = [
  { name: 'workers: all on', switches: ALL_ON, effect: 'clean' },
  {
    name: 'workers: one read, not eager, read order off',
    switches: { ...ALL_ON, reads: 1, eagerRead: false, readOrder: false },
    effect: 'clean',
  },
  {
    name: 'workers: read order off',
    switches: { ...ALL_ON, readOrder: false },
    effect: 'stream may be out of order',
  },
  {
    // A connection's writes leave under its claim, whose order is theirs.
    name: 'workers: write order off',
    switches: { ...ALL_ON, writeOrder: false },
    effect: 'clean',
  },
  {
    name: 'pool: order on',
    switches: { ...ALL_ON, fragments: 1, poolOrder: true },
    effect: 'clean',
  },
  {
    name: 'pool: order off, whole echo',
    switches: { ...ALL_ON, fragments: 1, poolOrder: false },
    effect: 'sequence mismatches only',
  },
  {
    // Each part of an echo is a job: the pool orders them over all the workers.
    name: 'workers and pool: all on',
    switches: { ...ALL_ON, poolOrder: true, workersDispatch: true },
    effect: 'clean',
  },
  {
    name: 'workers and pool: pool order off, whole echo',
    switches: { ...ALL_ON, fragments: 1, poolOrder: false, workersDispatch: true },
    effect: 'messages may be out of order',
  },
];

const FRAMING = lengthField({ size: 2, endian: 'little', includesHeader: true });
/** The handlers' messages are the frames as they are on the wire. */
const WHOLE_FRAMES = lengthField({ size: 2, endian: 'little', includesHeader: true, strip: 0 });
const PACKET_BYTES = { min: 40, max: 400 };
/** Small, so that a packet is in several receives, and neighbours meet in two threads. */
const RECEIVE_BYTES = 64;
const CONNECTIONS = 4;
const IN_FLIGHT = 64;
/** Of the combinations beside the first. */
const PACKETS_MOST = 50_000;
/**
 * An effect of threads that get in each other's way shows in one of so many rounds;
 * on a machine with one processor to spare, where a thread is seldom stopped between
 * taking a completion and its connection, `may be out of order` can show in none.
 */
const ROUNDS = 8;
/** A connection whose stream is broken may wait for ever. */
const SILENCE_MS = 3000;
/** One that loses nothing only waits: for as long as a loaded machine lets it. */
const PATIENCE_MS = 30_000;

export async function runOrderPackage(
  options: PackageOptions,
  watch: Watcher,
): Promise<Experiment<PackageRun>> {
  const runs: PackageRun[] = [];
  for (const combination of PACKAGE_COMBINATIONS) {
    runs.push(await runPackageCombination(options, expectedOf(options, combination), watch));
  }
  return { runs, held: runs.every(({ allowed }) => allowed) };
}

/** Backends that keep several receives of a connection pending; the others keep one armed. */
export function keepsPending(backend: BackendName): backend is 'sim' | 'iocp' {
  return backend === 'sim' || backend === 'iocp';
}

/**
 * What a combination leads to there. Several receives that are pending need their
 * numbers with one thread, too: what one completes at once may be told before the
 * packets of those before it.
 */
export function expectedOf(
  { backend }: PackageOptions,
  combination: PackageCombination,
): PackageCombination {
  if (keepsPending(backend) || combination.effect !== 'stream may be out of order')
    return combination;
  return { ...combination, effect: 'clean' };
}

export async function runPackageCombination(
  options: PackageOptions,
  combination: PackageCombination,
  watch: Watcher,
): Promise<PackageRun> {
  const isFirst = combination.name === PACKAGE_COMBINATIONS[0]?.name;
  const packets = isFirst ? options.packets : Math.min(options.packets, PACKETS_MOST);
  const rounds = combination.effect === 'clean' ? 1 : ROUNDS;
  let run = await runOnce(options, combination, packets, watch);
  for (let round = 1; round < rounds && !run.shown; round++) {
    run = await runOnce(options, combination, packets, watch);
  }
  return run;
}

interface EchoServer {
  readonly port: number;
  readonly handled: () => readonly number[];
  close(): Promise<void>;
}

async function runOnce(
  options: PackageOptions,
  combination: PackageCombination,
  packets: number,
  watch: Watcher,
): Promise<PackageRun> {
  const { name, switches, effect } = combination;
  const isSimulated = options.backend === 'sim';
  // A selection of its own, whose network the server's port and the clients' share.
  const backend: BackendSelection = await describedBackend(
    options.backend,
    isSimulated ? { receiveDepth: switches.reads, sendDepth: 8, seed: options.seed } : {},
  );
  const server =
    switches.poolOrder === undefined || switches.workersDispatch
      ? await serveByWorkers(options, switches, backend)
      : await serveByPool(options, switches, backend);
  const load = new Load({
    target: { host: '127.0.0.1', port: server.port, path: '' },
    framing: FRAMING,
    packets: new Packets(FRAMING, PACKET_BYTES, options.seed),
    connections: CONNECTIONS,
    messages: packets,
    inFlight: IN_FLIGHT,
    backend,
    timeoutMs: effect === 'stream may be out of order' ? SILENCE_MS : PATIENCE_MS,
  });
  const stopWatching = watch(() => `${name}: ${load.tally.received} of ${packets} packets echoed`);
  try {
    const result = await load.run();
    const handled = server.handled();
    const shown = isShown(effect, result);
    const allowed = shown || isAllowed(effect, result);
    return { ...combination, ...result, packets, handled, shown, allowed };
  } finally {
    stopWatching();
    await server.close();
  }
}

/** The pool is this thread's; with `workersDispatch` the workers dispatch to it. */
async function serveByWorkers(
  { workers, scheduling, poolThreads }: PackageOptions,
  switches: PackageSwitches,
  backend: BackendSelection,
): Promise<EchoServer> {
  const { fragments, poolOrder } = switches;
  const handled = new Int32Array(new SharedArrayBuffer(4 * workers));
  const pool = poolOrder === undefined ? undefined : await openPool(poolThreads, fragments);
  const workerData: OrderWorkerData = {
    fragments,
    handled,
    ...(pool === undefined ? {} : { pool: pool.share(), poolOrder }),
  };
  const server = await listen({
    workers,
    scheduling,
    handlers: new URL('./stress-order.worker.js', import.meta.url),
    workerData,
    backend,
    ...listenOptions(switches),
  }).catch(async (error) => {
    await pool?.close();
    throw error;
  });
  return {
    port: portOf(server),
    handled: () => [...handled],
    async close() {
      await server.close();
      await pool?.close();
    },
  };
}

function openPool(threads: number, fragments: number): Promise<OrderedPool<Uint8Array>> {
  return orderedPool<Uint8Array>({
    handler: new URL('./stress-pool.worker.js', import.meta.url),
    initialThreads: threads,
    minThreads: threads,
    maxThreads: threads,
    capacity: 2 * CONNECTIONS * IN_FLIGHT * fragments,
  });
}

/** One I/O thread, this one, and a pool of real threads. */
async function serveByPool(
  { poolThreads }: PackageOptions,
  switches: PackageSwitches,
  backend: BackendSelection,
): Promise<EchoServer> {
  const pool = await openPool(poolThreads, switches.fragments);
  let handled = 0;
  const echo = async (connection: Connection, frame: Uint8Array): Promise<void> => {
    const key = switches.poolOrder ? { key: connection.id } : {};
    const reply = await pool.dispatch(frame, key);
    handled++;
    // The client may have gone meanwhile.
    if (connection.sendConnected) connection.sendRaw(reply);
  };
  const server = await listen({
    backend,
    ...listenOptions(switches),
    message: (connection, frame) => void echo(connection, frame),
  });
  return {
    port: portOf(server),
    handled: () => [handled],
    async close() {
      await server.close();
      await pool.close();
    },
  };
}

function listenOptions({ reads, eagerRead, readOrder, writeOrder }: PackageSwitches) {
  return {
    framing: WHOLE_FRAMES,
    receiveDepth: reads,
    receiveBufferBytes: RECEIVE_BYTES,
    receiveBuffers: 4096,
    eagerRead,
    readOrder,
    writeOrder,
    closeTimeoutMs: 1000,
  } as const;
}

function portOf({ address }: { readonly address: { readonly port: number } }): number {
  return address.port;
}

function isShown(effect: PackageEffect, result: LoadResult): boolean {
  switch (effect) {
    case 'clean':
      return result.held;
    case 'stream may be out of order':
      return !result.held;
    case 'sequence mismatches only':
    case 'messages may be out of order':
      return result.sequenceMismatches > 0 && isWhole(result);
  }
}

/** Where threads need not get in each other's way, nothing may show. */
function isAllowed(effect: PackageEffect, result: LoadResult): boolean {
  if (effect === 'stream may be out of order') return true;
  return effect === 'messages may be out of order' && isWhole(result);
}

/** Every message came back once, unchanged, at whatever time. */
function isWhole({ contentMismatches, duplicates, lost }: LoadResult): boolean {
  return contentMismatches + duplicates + lost === 0;
}
