/**
 * The receive experiment (R16, R18): several threads issue several receives
 * each on one socket. Whatever a receive brings must count up by one.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Lock } from '../core/lock.ts';
import { type Connection, datagram, listen, raw } from '../index.ts';
import { type SharedSocketBackend, sharedSockets } from '../registry.ts';
import { type Crew, withCrew } from './crew.ts';
import type { Experiment, Watcher } from './experiment.ts';
import { fillPattern } from './pattern.ts';
import { Random } from './random.ts';
import type { CorruptSlice } from './recv-thread.ts';

export interface RecvOptions {
  readonly backend: SharedSocketBackend;
  readonly protocols: readonly Protocol[];
  readonly locks: readonly boolean[];
  readonly threads: number;
  /** Receives of each thread. */
  readonly receives: number;
  readonly slices: number;
  readonly bufferBytes: number;
  readonly max: number;
  /** Receives of a stream fill their buffers. The simulator's always do. */
  readonly waitAll: boolean;
  readonly seed: number;
  readonly timeoutMs: number;
}

export type Protocol = 'tcp' | 'udp';

export interface RecvRun {
  readonly protocol: Protocol;
  readonly lock: boolean;
  readonly slices: number;
  readonly corrupt: number;
  readonly bytes: number;
  /** Calls that began while another was under way. */
  readonly overlaps: number;
  /** Threads that checked at least one slice. */
  readonly threads: number;
  readonly seconds: number;
  readonly examples: readonly CorruptSlice[];
  readonly held: boolean;
}

const MEMORY_BYTES = 2 ** 24;
/** Bytes of a send of the real server. */
const SEND_BYTES = 16_384;
/** Datagrams sent in one turn of the host's loop. */
const DATAGRAMS_AT_ONCE = 32;

export async function runRecv(options: RecvOptions, watch: Watcher): Promise<Experiment<RecvRun>> {
  const sockets = await sharedSockets(options.backend);
  const runs: RecvRun[] = [];
  for (const protocol of options.protocols) {
    for (const lock of options.locks) runs.push(await runOnce(options, protocol, lock, watch));
  }
  return { runs, calls: sockets.calls, held: runs.every(({ held }) => held) };
}

async function runOnce(
  options: RecvOptions,
  protocol: Protocol,
  isLocked: boolean,
  watch: Watcher,
): Promise<RecvRun> {
  const { backend, threads, receives, bufferBytes, max, slices, timeoutMs } = options;
  const slots = threads * receives;
  return withCrew(MEMORY_BYTES + slots * (bufferBytes + 1024), async (crew) => {
    const { core, board } = crew;
    const sockets = await sharedSockets(backend);
    const isSimulated = sockets.bothEnds;
    const server = isSimulated ? undefined : await serve(options, protocol);
    const datagrams = protocol === 'udp';
    const { waitAll } = options;
    const port = server?.port ?? 0;
    const overlapped = false;
    const socket = await sockets.open(core, { datagrams, overlapped, waitAll, port, slots });
    try {
      const lock = isLocked ? Lock.create(core).address : 0;
      const buffers = core.reserve(slots * bufferBytes);
      const { handle } = socket;
      const shared = { backend, handle, lock, buffers, bufferBytes, max, slices, receives };
      const results = Array.from({ length: threads }, (_, thread) =>
        crew.add('receiver', { ...shared, firstSlot: thread * receives }),
      );
      if (isSimulated) addSource(crew, options, handle);
      const stopWatching = watch(() => {
        const name = `${protocol}, lock ${isLocked ? 'on' : 'off'}`;
        return `${name}: ${board.get('checked')} of ${slices} slices checked, ${board.get('wrong')} corrupt`;
      });
      await crew.begin();
      const startedAt = performance.now();
      server?.begin(socket.port);
      const { late } = await crew.finish(timeoutMs).finally(stopWatching);
      const seconds = (performance.now() - startedAt) / 1000;
      const checked = await Promise.all(results);
      const sum = (field: 'slices' | 'corrupt' | 'bytes') =>
        checked.reduce((total, result) => total + result[field], 0);
      const corrupt = sum('corrupt');
      // Without the lock the model must show it; a system may be safe by itself.
      const isAsExpected = isLocked ? corrupt === 0 : !isSimulated || corrupt > 0 || threads === 1;
      return {
        protocol,
        lock: isLocked,
        slices: sum('slices'),
        corrupt,
        bytes: sum('bytes'),
        overlaps: board.get('overlaps'),
        threads: checked.filter((result) => result.slices > 0).length,
        seconds,
        examples: checked.flatMap(({ examples }) => examples).slice(0, 3),
        held: isAsExpected && !late && sum('slices') >= slices,
      };
    } finally {
      board.stop();
      await crew.end();
      await server?.close();
      await socket.close();
    }
  });
}

function addSource(crew: Crew, options: RecvOptions, handle: unknown): void {
  const { backend, bufferBytes, max, seed } = options;
  const buffer = crew.core.reserve(bufferBytes);
  crew.add('source', { backend, handle, buffer, bufferBytes, max, seed });
}

/** A real source of the stream. */
interface Source {
  /** The TCP port to connect to; 0 for UDP. */
  readonly port: number;
  /** @param port where datagrams go to */
  begin(port: number): void;
  close(): Promise<void>;
}

function serve(options: RecvOptions, protocol: Protocol): Promise<Source> {
  return protocol === 'tcp' ? serveStream(options) : serveDatagrams(options);
}

async function serveStream({ max, seed }: RecvOptions): Promise<Source> {
  const random = new Random(seed);
  const bytes = new Uint8Array(SEND_BYTES);
  let next = 0;
  let open: Connection | undefined;
  const pump = (connection: Connection): void => {
    let isWelcome = true;
    while (isWelcome && connection.sendConnected) {
      const count = random.integer(1, SEND_BYTES);
      next = fillPattern(bytes, 0, count, next, max);
      isWelcome = connection.send(bytes.subarray(0, count));
    }
  };
  const server = await listen({
    backend: 'net',
    framing: raw(),
    open(connection) {
      open = connection;
      pump(connection);
    },
    drain: pump,
    // The experiment ends it when it has seen enough.
    error: () => {},
  });
  return {
    port: server.address.port,
    begin: () => {},
    close() {
      open?.abort();
      return server.close();
    },
  };
}

async function serveDatagrams({ max, seed, bufferBytes }: RecvOptions): Promise<Source> {
  const random = new Random(seed);
  const bytes = new Uint8Array(bufferBytes);
  const socket = await datagram({ backend: 'net', message: () => {}, error: () => {} });
  let isOver = false;
  let sending: Promise<void> | undefined;
  const send = async (port: number) => {
    let next = 0;
    while (!isOver) {
      let isWelcome = true;
      for (let i = 0; i < DATAGRAMS_AT_ONCE && isWelcome; i++) {
        const count = random.integer(1, bufferBytes);
        next = fillPattern(bytes, 0, count, next, max);
        isWelcome = socket.send(bytes.subarray(0, count), { host: '127.0.0.1', port });
      }
      if (isWelcome) await nextTurn();
      else await socket.drained();
    }
  };
  return {
    port: 0,
    begin(port) {
      sending = send(port);
    },
    async close() {
      isOver = true;
      await sending;
      await socket.close();
    },
  };
}
