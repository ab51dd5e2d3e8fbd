/**
 * The close experiment: for a while, worker threads and clients send, receive,
 * end, close and abort the same connections at random. Then every operation
 * must have completed once, nothing may be lent, and no handler may have run
 * after its connection's `close`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type BackendName,
  type Connection,
  connect,
  lengthField,
  listen,
  openPort,
  type Port,
  type WorkerServer,
} from '../index.ts';
import { CloseBoard, type CloseCounts, CONNECTIONS_MOST } from './close-board.ts';
import { interfere, isExpected } from './close-remote.ts';
import type { Experiment, Watcher } from './experiment.ts';
import { Random } from './random.ts';
import type { CloseWorkerData } from './stress-close.worker.ts';

export interface CloseOptions {
  readonly backend: 'auto' | BackendName;
  readonly scheduling: 'pinned' | 'shared';
  readonly workers: number;
  /** Clients at once. */
  readonly clients: number;
  readonly seconds: number;
  readonly seed: number;
}

export interface CloseRun extends CloseCounts {
  readonly backend: string;
  readonly scheduling: CloseOptions['scheduling'];
  readonly workers: number;
  /** Connections that clients made; what the server saw of them is `opens`. */
  readonly connected: number;
  readonly refused: number;
  /** Of clients: handlers after `close`, and `close` more than once. */
  readonly clientStray: number;
  /** Completions whose token named nothing: of an operation that had completed already. */
  readonly staleCompletions: number;
  /** Completions of both sides. */
  readonly completions: number;
  /** What was left when all was closed: operations, handles, lent ranges, buffers, connections. */
  readonly left: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly held: boolean;
}

const FRAMING = lengthField({ size: 2, endian: 'little', includesHeader: true });
const MESSAGE_MOST = 2000;
const INTERFERE_MS = 2;
const ANSWER_TIMEOUT_MS = 20_000;
/** Dead connections are noticed, whoever stopped talking. */
const IDLE_MS = 2000;

export async function runClose(
  options: CloseOptions,
  watch: Watcher,
): Promise<Experiment<CloseRun>> {
  const run = await runOnce(options, watch);
  return { runs: [run], held: run.held };
}

async function runOnce(options: CloseOptions, watch: Watcher): Promise<CloseRun> {
  const { backend, scheduling, workers, clients, seconds, seed } = options;
  const board = new CloseBoard();
  const workerData: CloseWorkerData = { board: board.buffer, seed };
  const server = await listen({
    workers,
    handlers: new URL('./stress-close.worker.js', import.meta.url),
    scheduling,
    workerData,
    backend,
    framing: FRAMING,
    maxConnections: Math.floor(CONNECTIONS_MOST / workers),
    idleTimeoutMs: IDLE_MS,
    closeTimeoutMs: 1000,
  });
  const port = await openPort({ backend }).catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
  const startedAt = performance.now();
  const crowd = new Crowd(port, server, board, seed);
  const stopWatching = watch(
    () =>
      `${board.get('opens')} connections, ${board.get('messages')} messages, ${board.get('remoteCalls')} calls from other threads`,
  );
  const nuisance = setInterval(() => crowd.interfere(), INTERFERE_MS);
  const limit = setTimeout(() => crowd.stop(), seconds * 1000);
  await Promise.all(Array.from({ length: clients }, () => crowd.live()));
  clearTimeout(limit);
  clearInterval(nuisance);
  stopWatching();
  await settle(board);
  const ownStatistics = port.statistics();
  const ownLeft = await port.close();
  const serverLeft = await server.close();
  const { port: serverPort } = await server.statistics();
  const counts = board.counts;
  const left = Object.fromEntries(
    Object.entries(serverLeft).map(([name, value]) => [
      name,
      value + ((ownLeft as unknown as Record<string, number>)[name] ?? 0),
    ]),
  );
  const run = {
    ...counts,
    backend: server.backend.name,
    scheduling,
    workers,
    connected: crowd.connected,
    refused: crowd.refused,
    clientStray: crowd.stray,
    staleCompletions: serverPort.staleCompletions + ownStatistics.staleCompletions,
    completions: serverPort.completions + ownStatistics.completions,
    left,
    seconds: (performance.now() - startedAt) / 1000,
  };
  return { ...run, held: isWell(run) };
}

/** Every call is answered, also one on a connection that had gone. */
async function settle(board: CloseBoard): Promise<void> {
  const deadline = performance.now() + ANSWER_TIMEOUT_MS;
  while (board.get('remoteAnswers') < board.get('remoteCalls') && performance.now() < deadline) {
    await sleep(10);
  }
}

function isWell(run: Omit<CloseRun, 'held'>): boolean {
  const bad =
    run.strayHandlers +
    run.concurrentHandlers +
    run.doubleOpens +
    run.doubleCloses +
    run.strangeErrors +
    run.clientStray +
    run.staleCompletions;
  const hasHappened = run.opens > 0 && run.messages > 0 && run.remoteCalls > 0;
  return (
    hasHappened &&
    bad === 0 &&
    run.opens === run.closes &&
    run.remoteCalls === run.remoteAnswers &&
    Object.values(run.left).every((count) => count === 0)
  );
}

/** The clients, all in this thread. */
class Crowd {
  connected = 0;
  refused = 0;
  stray = 0;
  readonly #port: Port;
  readonly #server: WorkerServer;
  readonly #board: CloseBoard;
  readonly #random: Random;
  readonly #bytes = new Uint8Array(MESSAGE_MOST);
  #isOver = false;

  constructor(port: Port, server: WorkerServer, board: CloseBoard, seed: number) {
    this.#port = port;
    this.#server = server;
    this.#board = board;
    this.#random = new Random(seed);
  }

  stop(): void {
    this.#isOver = true;
    this.#board.stop();
  }

  interfere(): void {
    interfere(this.#board, this.#random, (id) => this.#server.connection(id));
  }

  /** One client after the other, until it is over. */
  async live(): Promise<void> {
    while (!this.#isOver) {
      try {
        await this.#client();
      } catch {
        // The server may have closed before it was open here.
        this.refused++;
        await sleep(1);
      }
    }
  }

  async #client(): Promise<void> {
    const { address, port } = this.#server.address as { address: string; port: number };
    let isClosed = false;
    let left = this.#random.integer(0, 60);
    const guarded = (run: () => void): void => {
      if (isClosed) this.stray++;
      run();
    };
    const closed = new Promise<void>((resolve, reject) => {
      connect({
        on: this.#port,
        host: address,
        port,
        framing: FRAMING,
        idleTimeoutMs: IDLE_MS,
        closeTimeoutMs: 1000,
        message: (connection) => guarded(() => left-- > 0 && this.#act(connection)),
        end: () => guarded(() => {}),
        error: () => guarded(() => {}),
        close: () => {
          guarded(() => {});
          isClosed = true;
          resolve();
        },
      }).then((connection) => {
        this.connected++;
        if (isClosed) return;
        for (let i = this.#random.integer(0, 8); i > 0; i--) this.#act(connection);
        const lifeMs = this.#random.integer(0, 60);
        setTimeout(() => !isClosed && this.#finish(connection), lifeMs);
      }, reject);
    });
    await closed;
  }

  #act(connection: Connection): void {
    const random = this.#random;
    try {
      const choice = random.integer(0, 99);
      if (choice < 95) {
        connection.send(this.#bytes.subarray(0, random.integer(0, MESSAGE_MOST)));
      } else this.#finish(connection);
    } catch (error) {
      if (!isExpected(error)) this.#board.count('strangeErrors');
    }
  }

  #finish(connection: Connection): void {
    const choice = this.#random.integer(0, 2);
    if (choice === 0) connection.end();
    else if (choice === 1) void connection.close();
    else connection.abort();
  }
}
