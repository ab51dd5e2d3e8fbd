/** `overlapped echo`: the large-packet echo server (R10), with the settings of R9. */
import { checkFraming } from '../framing.ts';
import { type Framing, listen, parseFraming, type SocketAddress } from '../index.ts';
import { command } from './command.ts';
import {
  type EchoPlan,
  type EchoSums,
  EchoTally,
  echoHandlers,
  openPool,
  sumTallies,
} from './echo-handlers.ts';
import { awaitEnding, describeCarrier, type Ending } from './ending.ts';
import { BACKENDS, framingOption } from './harness.ts';
import type { Values } from './options.ts';
import { choice, flag, integer, type Option, onOff, text } from './options.ts';
import { EXIT_OK, usageError } from './outcome.ts';
import { count, paint, size, table } from './terminal.ts';

const lockOption: Option<string> = {
  placeholder: 'socket|stripes:N|all',
  help: 'sockets that share a lock (scheduling shared)',
  fallback: 'socket',
  allowed: 'socket, stripes:N with N from 1, all',
  parse: (value) => (/^(?:socket|all|stripes:[1-9]\d{0,5})$/.test(value) ? value : undefined),
};

/** What the default sizes of a port make. */
const RECEIVE_BYTES = 2 ** 26;
const RECEIVE_BUFFERS_LEAST = 64;
const RECEIVE_BUFFERS_MOST = 16_384;

const options = {
  backend: choice(BACKENDS, 'what does the I/O', 'auto'),
  host: text('ADDRESS', 'address to listen on', '127.0.0.1'),
  port: integer('TCP port; 0: the system chooses', 0, 0, 65_535),
  path: text('PATH', 'a Unix socket or named pipe instead of host and port'),
  framing: framingOption,
  reads: integer('receives kept pending on a connection, as far as the backend can', 20, 1, 1024),
  'buffer-size': integer('bytes of a receive buffer', 1024, 64, 2 ** 24),
  'max-message': integer('bytes of the largest frame on the wire', 65_536, 1, 2 ** 30),
  workers: integer('I/O worker threads', 0, 0, 256),
  scheduling: choice(['pinned', 'shared'], 'how connections and workers go together', 'pinned'),
  pool: integer(
    'threads of the pool that handles messages; pinned workers have one each',
    0,
    0,
    256,
  ),
  fragments: integer('writes that an echo is sent in', 1, 1, 65_536),
  'read-order': onOff('put receives in order by their numbers', true),
  'write-order': onOff('put sends in order by their numbers', true),
  'pool-order': onOff('put messages in order again behind the pool', true),
  'eager-read': onOff('issue a receive before the current one has been processed', true),
  lock: lockOption,
  event: text('NAME', 'ends when NAME is signaled (overlapped shutdown --event NAME)'),
  'with-parent': flag('ends when the standard input ends', true),
} as const;

/** What the server saw, as `--json` prints it. */
interface Statistics extends EchoSums {
  /** What ended the server. */
  readonly ended: string;
  /** What carried its event, if it has one. */
  readonly event: Ending['carrier'];
  readonly backend: { readonly name: string; readonly reason: string };
  /** With workers: what each of them did, and how many died. */
  readonly workers?: readonly EchoSums[];
  readonly deaths?: number;
}

/** A server of this command, with workers or without. */
interface RunningEcho {
  readonly address: SocketAddress;
  readonly backend: { readonly name: string; readonly reason: string };
  /** Ends it, with what it has to tell. */
  close(): Promise<Pick<Statistics, keyof EchoSums | 'workers' | 'deaths'>>;
}

type EchoValues = Values<typeof options>;

export const echo = command({
  name: 'echo',
  summary: 'The large-packet echo server: sends every message back.',
  notes: 'Ends in order, with its statistics, on SIGINT, SIGTERM and its event.',
  options,
  async run(values) {
    checkTogether(values);
    const ending = await awaitEnding({
      event: values.event,
      withParent: values['with-parent'],
    });
    let server: RunningEcho;
    try {
      server = await (values.workers > 0 ? echoInWorkers(values) : echoHere(values));
    } catch (error) {
      await ending.close();
      throw error;
    }
    console.log(`listening on ${values.path || placeOf(server.address)}`);
    const { carrier } = ending;
    if (carrier?.fallback !== undefined) {
      console.log(`event ${values.event} by a ${describeCarrier(carrier)}`);
    }
    const ended = await ending.cause;
    const seen = await server.close();
    await ending.close();
    const { name, reason } = server.backend;
    const statistics: Statistics = { ended, event: carrier, ...seen, backend: { name, reason } };
    console.log(values.json ? JSON.stringify(statistics) : describe(statistics));
    return EXIT_OK;
  },
});

function checkTogether(values: EchoValues): void {
  const { workers, scheduling, pool, lock } = values;
  if (scheduling === 'shared' && workers === 0) {
    throw usageError('--scheduling shared needs --workers above 0');
  }
  if (lock !== 'socket' && scheduling !== 'shared') {
    throw usageError(
      `--lock ${lock} needs --scheduling shared: else no two threads meet on a socket`,
    );
  }
  if (!values['pool-order'] && pool === 0)
    throw usageError('--pool-order off needs --pool above 0');
}

/** What `listen` takes, with workers or without. */
function listenOptions(values: EchoValues) {
  const framing = limited(parseFraming(values.framing), values['max-message']);
  return {
    ...(values.path === '' ? { host: values.host, port: values.port } : { path: values.path }),
    backend: values.backend,
    framing: values.fragments > 1 || values.pool > 0 ? wholeFrames(framing) : framing,
    receiveDepth: values.reads,
    receiveBufferBytes: values['buffer-size'],
    receiveBuffers: receiveBuffers(values['buffer-size']),
    readOrder: values['read-order'],
    writeOrder: values['write-order'],
    eagerRead: values['eager-read'],
    // A peer's end must not end what the pool still has.
    allowHalfOpen: values.pool > 0,
  };
}

function planOf(values: EchoValues): EchoPlan {
  const { fragments, pool } = values;
  return { fragments, poolThreads: pool, poolOrder: values['pool-order'] };
}

async function echoHere(values: EchoValues): Promise<RunningEcho> {
  const tally = new EchoTally();
  const { handlers, close } = await echoHandlers(planOf(values), tally);
  const server = await listen({ ...listenOptions(values), ...handlers }).catch(async (error) => {
    await close();
    throw error;
  });
  return {
    address: server.address,
    backend: server.backend,
    async close() {
      await server.close();
      await close();
      return tally.sums();
    },
  };
}

async function echoInWorkers(values: EchoValues): Promise<RunningEcho> {
  const { workers, scheduling, lock } = values;
  const tallies = Array.from({ length: workers }, () => new EchoTally());
  const plan = planOf(values);
  // Messages of a connection come from several workers: there is one pool for all.
  const pool = scheduling === 'shared' && plan.poolThreads > 0 ? await openPool(plan) : undefined;
  const server = await listen({
    ...listenOptions(values),
    workers,
    scheduling,
    ...(scheduling === 'shared' ? { lock: lockOf(lock) } : {}),
    handlers: new URL('./echo-workers.worker.js', import.meta.url),
    workerData: {
      plan: pool === undefined ? plan : { ...plan, pool: pool.share() },
      words: tallies.map(({ words }) => words),
    },
    restart: true,
    onWorkerError: (error, worker) => console.error(`worker ${worker}: ${error.message}`),
  }).catch(async (error) => {
    await pool?.close();
    throw error;
  });
  return {
    address: server.address,
    backend: server.backend,
    async close() {
      const { deaths } = await server.statistics();
      await server.close();
      await pool?.close();
      const each = tallies.map((tally) => tally.sums());
      return { ...sumTallies(each), workers: each, deaths };
    },
  };
}

function lockOf(text: string): 'socket' | 'all' | { readonly stripes: number } {
  if (text === 'socket' || text === 'all') return text;
  return { stripes: Number(text.slice('stripes:'.length)) };
}

/** Small buffers are lent by the dozen: there are as many bytes of them as of large ones, within reason. */
function receiveBuffers(bytes: number): number {
  const count = Math.floor(RECEIVE_BYTES / bytes);
  return Math.min(Math.max(count, RECEIVE_BUFFERS_LEAST), RECEIVE_BUFFERS_MOST);
}

function limited(framing: Framing, maxFrameBytes: number): Framing {
  return framing.kind === 'raw' || framing.kind === 'fixed'
    ? framing
    : checkFraming({ ...framing, maxFrameBytes: Math.min(framing.maxFrameBytes, maxFrameBytes) });
}

/** The same framing, whose messages are the frames as they are on the wire. */
function wholeFrames(framing: Framing): Framing {
  switch (framing.kind) {
    case 'lengthField':
      return checkFraming({ ...framing, strip: 0 });
    case 'varint':
      return checkFraming({ ...framing, keepHeader: true });
    case 'line':
    case 'delimiter':
      return checkFraming({ ...framing, stripDelimiter: false });
    default:
      return framing;
  }
}

function placeOf({ address, port, family }: SocketAddress): string {
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}

function describe(statistics: Statistics): string {
  const errors = Object.entries(statistics.errors).map(([code, times]) => `${code} × ${times}`);
  const { backend, workers = [], deaths = 0 } = statistics;
  const each = workers.map(({ connections, messages }, worker): [string, string] => [
    `worker ${worker}`,
    `${count(messages)} messages, ${count(connections)} connections closed`,
  ]);
  return table([
    ['ended by', statistics.ended],
    ['connections', count(statistics.connections)],
    ['messages', count(statistics.messages)],
    ['received', size(statistics.bytesReceived)],
    ['sent', size(statistics.bytesSent)],
    ['errors', errors.length === 0 ? 'none' : paint(errors.join(', '), 'red')],
    ...each,
    ...(deaths > 0 ? ([['workers that died', paint(count(deaths), 'red')]] as const) : []),
    ['backend', `${backend.name}: ${backend.reason}`],
  ]);
}
