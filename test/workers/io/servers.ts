/** Servers with workers for tests, and clients that take answers one by one. */
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { connect, lengthField } from '../../../src/index.ts';
import { listen } from '../../../src/server.ts';
import type { WorkerListenOptions } from '../../../src/types.ts';
import type { WorkerServerStatistics } from '../../../src/workers/io/statistics.ts';
import type { WorkerLeftovers, WorkerServer } from '../../../src/workers/io/worker-server.ts';
import { Word } from './io-handlers.worker.ts';

export const HANDLERS = new URL('./io-handlers.worker.js', import.meta.url);
export const FRAMING = lengthField({ size: 4 });
const WORDS = 1024;
/** After this a test says what did not come. */
const PATIENCE_MS = 30_000;
/** How long a worker whose handler never returns is waited for. */
const STUCK_CLOSE_MS = 2000;

/** Bun for Windows shows a reset as an end, in its own sockets. */
const SHOWS_RESETS = !(process.platform === 'win32' && 'Bun' in globalThis);

/** What a client saw was a reset, as far as this host tells. */
export function assertReset(code: string): void {
  if (SHOWS_RESETS) assert.is(code, 'RESET');
  else assert.ok(code === 'RESET' || code === '', code);
}

export const NOTHING_LEFT: WorkerLeftovers = {
  operations: 0,
  handles: 0,
  lent: 0,
  buffers: 0,
  connections: 0,
  terminated: 0,
};

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const textOf = (bytes: Uint8Array) => decoder.decode(bytes);
export const bytesOf = (text: string) => encoder.encode(text);

export interface Death {
  readonly code: string;
  readonly message: string;
  readonly worker: number;
}

export interface Bench {
  readonly server: WorkerServer;
  readonly words: Int32Array;
  /** What clients connect by. */
  readonly clientBackend: NonNullable<WorkerListenOptions['backend']>;
  /** Workers that died, as they were reported. */
  readonly deaths: Death[];
  /** A new connection to the server. */
  client(): Promise<Client>;
  /** A client of each worker. */
  clientOfEach(): Promise<Client[]>;
}

/** A connection that asks and gets answers. */
export interface Client {
  /** The worker that handled it at first. */
  readonly worker: number;
  readonly id: number;
  send(text: string): void;
  /** The next message; rejects with what ended the connection. */
  next(): Promise<string>;
  ask(text: string): Promise<string>;
  close(): Promise<void>;
  /** Resolves with the code of the error that ended it, '' if none did. */
  ended(): Promise<string>;
}

type Backend = NonNullable<WorkerListenOptions['backend']>;

/** A connection to a server of these handlers. */
export async function openClient(port: number, backend: Backend): Promise<Client> {
  const connection = await connect({ port, framing: FRAMING, backend });
  const messages = connection[Symbol.asyncIterator]();
  const next = async () => {
    const { done, value } = await messages.next();
    if (done) throw new Error('the server ended the connection');
    return decoder.decode(value);
  };
  const ask = (text: string) => {
    connection.send(text);
    return next();
  };
  return {
    worker: Number(await ask('worker')),
    id: Number(await ask('id')),
    send: (text) => void connection.send(text),
    next,
    ask,
    close: () => connection.close(),
    async ended() {
      await connection.closed;
      return connection.error?.code ?? '';
    },
  };
}

/** Resolves once every worker has had a connection in its hands. */
export async function untilAllWorked({ words, client }: Bench, workers: number): Promise<void> {
  const talker = await client();
  const endMs = performance.now() + PATIENCE_MS;
  while (performance.now() < endMs) {
    const busy = Array.from({ length: workers }, (_, worker) =>
      Atomics.load(words, Word.handlers + worker),
    );
    if (busy.every((times) => times > 0)) return;
    await talker.ask('worker');
  }
  throw new Error('a worker took nothing');
}

/** How often nothing may have changed until nothing is under way. */
const AGREEING = 3;

/**
 * Resolves once nothing is under way any more, such as the completion of a reply's send. Each
 * look is answered by every worker's event loop, so it does not depend on how fast they are.
 */
export async function settled(server: WorkerServer): Promise<void> {
  let before = '';
  for (let same = 0; same < AGREEING; ) {
    const { completions, submissions } = (await server.statistics()).port;
    const now = `${completions} ${submissions}`;
    same = now === before ? same + 1 : 0;
    before = now;
    await sleep(10);
  }
}

/** Statistics in which one worker has not answered: another may be late, too, on a machine that is. */
export async function withOneStale(server: WorkerServer): Promise<WorkerServerStatistics> {
  for (let look = 0; ; look++) {
    const statistics = await server.statistics();
    const stale = statistics.workers.filter(({ isStale }) => isStale).length;
    if (stale === 1 || look === 20) return statistics;
  }
}

/** Runs `work` with a server, closes it, and looks at what it left. */
export async function withServer(
  options: Partial<WorkerListenOptions>,
  work: (bench: Bench) => Promise<void>,
  expected: Partial<WorkerLeftovers> = {},
  clientBackend: Backend = 'net',
): Promise<void> {
  const words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
  const deaths: Death[] = [];
  const server = await listen({
    workers: 2,
    handlers: HANDLERS,
    workerData: { words },
    framing: FRAMING,
    backend: 'net',
    arenaBytes: 2 ** 22,
    receiveBuffers: 128,
    maxConnections: 256,
    onWorkerError: ({ code, message }, worker) => deaths.push({ code, message, worker }),
    ...options,
  });
  const clients: Client[] = [];
  const client = async () => {
    const opened = await openClient(server.address.port, clientBackend);
    clients.push(opened);
    return opened;
  };
  let isClosed = false;
  try {
    await work({
      server,
      words,
      deaths,
      clientBackend,
      client,
      clientOfEach: () => clientOfEach(server, client),
    });
    const timeoutMs = expected.terminated === undefined ? PATIENCE_MS : STUCK_CLOSE_MS;
    const left = await server.close({ timeoutMs });
    isClosed = true;
    assert.equal(left, { ...NOTHING_LEFT, ...expected });
  } finally {
    Atomics.store(words, Word.gate, 2);
    if (!isClosed) await server.close({ timeoutMs: 1000 });
    await Promise.all(clients.map((opened) => opened.close()));
  }
}

async function clientOfEach(
  server: WorkerServer,
  client: () => Promise<Client>,
): Promise<Client[]> {
  const found: Client[] = [];
  // The system spreads by chance: more than this without one worker is no chance any more.
  for (let attempt = 0; attempt < 64 * server.workers; attempt++) {
    const opened = await client();
    if (found[opened.worker] === undefined) found[opened.worker] = opened;
    else await opened.close();
    if (Object.keys(found).length === server.workers) return found;
  }
  throw new Error(`no connection went to some of the ${server.workers} workers`);
}
