/**
 * `pinned`: a port for each worker thread, all of which listen on the same
 * address. The system spreads new connections between the listening sockets, or
 * where it does not, this thread accepts them and spreads them; from then on a
 * connection has to do with its own thread only.
 */
import type { SocketAddress } from '../../../backends/backend.ts';
import { OverlappedError } from '../../errors.ts';
import type { PortLeftovers } from '../../port.ts';
import type { PortBackend } from '../../port-opening.ts';
import {
  type BackendDescription,
  chooseSpreadingBackend,
  reclaimRemains,
  type SpreadingChoice,
} from '../../registry.ts';
import type { PortStatistics } from '../../stats.ts';
import { Calls } from './calls.ts';
import { type IoThread, StartError, type WorkerCall } from './io-thread.ts';
import type { Listen } from './listener.ts';
import { recordError } from './messages.ts';
import { PinnedAcceptor } from './pinned-acceptor.ts';
import type { RemoteConnection } from './remote-connection.ts';
import { canceled, Seats } from './seats.ts';
import type { WorkerSettings } from './settings.ts';
import {
  sumStatistics,
  type WorkerPortStatistics,
  type WorkerServerStatistics,
} from './statistics.ts';
import type { WorkerLeftovers, WorkerServer } from './worker-server.ts';

const CLOSE_TIMEOUT_MS = 15_000;
/** Slots that a token has room for. */
const SLOTS = 2 ** 20;

/** Calls of workers on connections of other workers, by their number here. */
interface Relayed {
  readonly from: IoThread;
  readonly to: IoThread;
  readonly number: number;
}

export class PinnedServer implements WorkerServer {
  readonly backend: PortBackend;
  readonly #settings: WorkerSettings;
  readonly #description: BackendDescription;
  readonly #seats: Seats;
  readonly #calls: Calls;
  readonly #handsOver: boolean;
  readonly #listen: Listen;
  readonly #relayed = new Map<number, Relayed>();
  /** Calls of this thread, by the thread that they went to. */
  readonly #asked = new Map<number, IoThread>();
  #lastRelayed = 0;
  #address: SocketAddress | undefined;
  /** Where the workers do not accept themselves. */
  #acceptor: PinnedAcceptor | undefined;
  #closing: Promise<WorkerLeftovers> | undefined;

  private constructor(
    settings: WorkerSettings,
    { choice, description, drivers, handsOver }: SpreadingChoice,
    listen: Listen,
  ) {
    const { driver = drivers[0] } = settings;
    if (driver === undefined || !drivers.includes(driver)) {
      const message = `the backend ${description.name} cannot be driven so in a worker of this host: ${driver}; it can be: ${drivers}`;
      throw new OverlappedError('NOT_SUPPORTED', message);
    }
    this.#settings = settings;
    this.#description = description;
    this.#handsOver = handsOver;
    this.#listen = listen;
    this.backend = { name: description.name, reason: choice.reason, tried: choice.tried };
    this.#seats = new Seats(settings, driver === 'blocking', {
      begin: async (thread) => {
        await this.#listenIn(thread);
        this.#acceptor?.offer();
      },
      // Nobody can be connected to any more.
      deserted: () => void this.#acceptor?.close(),
      room: () => this.#acceptor?.offer(),
      gone: (thread) => this.#gone(thread),
      call: (thread, call) => this.#relay(thread, call),
      answer: (answer) => this.#answer(answer),
    });
    this.#calls = new Calls((number, id, call, bytes) => {
      const thread = this.#threadOf(id);
      if (thread === undefined) throw new OverlappedError('STALE_TOKEN');
      // Numbers of this thread's own are negative, so that answers find their way.
      this.#asked.set(-number, thread);
      thread.post({ kind: 'call', number: -number, id, call, bytes });
    });
  }

  /** See `listenWithWorkers`. */
  static async open(settings: WorkerSettings, listen: Listen): Promise<WorkerServer> {
    if (settings.options.path !== undefined) {
      throw new OverlappedError(
        'NOT_SUPPORTED',
        "scheduling 'pinned' listens on a TCP port: a path cannot be listened on by several threads; scheduling: 'shared' can",
      );
    }
    const { signal } = settings;
    const failed = new Map<string, string>();
    for (;;) {
      if (signal?.aborted) throw canceled(signal);
      const choice = await chooseSpreadingBackend(settings.backend, failed);
      const server = new PinnedServer(settings, choice, listen);
      try {
        await server.#start();
      } catch (error) {
        await server.#seats.terminate();
        await server.#acceptor?.close();
        if (!(error instanceof StartError)) throw error;
        // The system had no more of what it needs: the next one will do.
        if (error.what !== 'backend' || settings.backend !== 'auto') throw error.cause;
        if (error.cause.code === 'NO_BUFFERS') throw error.cause;
        failed.set(choice.description.name, error.message);
        continue;
      }
      if (signal?.aborted) void server.close();
      else signal?.addEventListener('abort', () => void server.close(), { once: true });
      return server;
    }
  }

  /** All load the module; then the first one listens, and the others where it does. */
  async #start(): Promise<void> {
    await this.#seats.start(async (threads) => {
      const [first, ...others] = threads;
      const backend = this.#description;
      if (this.#handsOver) {
        this.#acceptor = await PinnedAcceptor.open(backend, this.#settings, this.#listen);
        this.#address = this.#acceptor.address;
        await this.#listenInAll(threads);
        this.#acceptor.offer();
        return;
      }
      this.#address = await first?.listen({ kind: 'listen', backend });
      await this.#listenInAll(others);
    });
  }

  /**
   * If one of them fails, the others are ended: not before they are done with
   * what they load, which Bun does not survive where it is foreign functions.
   */
  async #listenInAll(threads: readonly IoThread[]): Promise<void> {
    const results = await Promise.allSettled(threads.map((thread) => this.#listenIn(thread)));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  async #listenIn(thread: IoThread): Promise<void> {
    const { port } = this.address;
    await thread.listen(
      this.#acceptor?.listenMessage(thread) ?? {
        kind: 'listen',
        backend: this.#description,
        port,
      },
    );
  }

  #gone(thread: IoThread): void {
    const handedOver = this.#acceptor?.gone(thread);
    const { memory, remains } = thread.remains ?? {};
    if (thread.left === undefined && memory !== undefined) {
      // The system goes on with what the thread began: it must be told.
      const { name } = this.#description;
      void thread.reached.then(() => reclaimRemains(name, memory, remains, handedOver));
    }
    this.#failCallsOf(thread);
  }

  // ------------------------------------------------------------ calls

  connection(id: number): RemoteConnection {
    const { maxConnections } = this.#settings.options;
    if (!((id % SLOTS) / maxConnections < this.#settings.workers)) {
      throw new OverlappedError('STALE_TOKEN', `${String(id)} is no id of a connection here`);
    }
    return this.#calls.connection(id);
  }

  #threadOf(id: number): IoThread | undefined {
    const index = Math.floor((id % SLOTS) / this.#settings.options.maxConnections);
    const thread = this.#seats.threadAt(index);
    return thread?.isListening === true && !thread.ended ? thread : undefined;
  }

  #relay(from: IoThread, { number, id, call, bytes }: WorkerCall): void {
    const to = this.#threadOf(id);
    if (to === undefined) {
      from.post({ kind: 'answer', number, error: recordError(new OverlappedError('STALE_TOKEN')) });
      return;
    }
    const relayed = ++this.#lastRelayed;
    this.#relayed.set(relayed, { from, to, number });
    to.post({ kind: 'call', number: relayed, id, call, bytes });
  }

  #answer(answer: Parameters<Calls['answer']>[0]): void {
    if (answer.number < 0) {
      this.#asked.delete(answer.number);
      this.#calls.answer({ ...answer, number: -answer.number });
      return;
    }
    const relayed = this.#relayed.get(answer.number);
    this.#relayed.delete(answer.number);
    if (relayed === undefined || relayed.from.ended) return;
    relayed.from.post({ ...answer, kind: 'answer', number: relayed.number });
  }

  #failCallsOf(thread: IoThread): void {
    const error = recordError(new OverlappedError('ABORTED', 'the worker died'));
    for (const [number, to] of this.#asked) if (to === thread) this.#answer({ number, error });
    for (const [number, { from, to }] of this.#relayed) {
      if (from === thread) this.#relayed.delete(number);
      else if (to === thread) this.#answer({ number, error });
    }
  }

  // ------------------------------------------------------------ facts

  get address(): SocketAddress {
    return this.#address as SocketAddress;
  }

  get workers(): number {
    return this.#seats.working;
  }

  async statistics(): Promise<WorkerServerStatistics> {
    const workers = await this.#seats.statistics();
    const acceptor = this.#acceptor;
    const own =
      acceptor === undefined
        ? []
        : [{ acceptErrors: acceptor.acceptErrors, port: acceptor.portStatistics }];
    const known: Partial<WorkerPortStatistics>[] = [
      ...this.#seats.threads.flatMap(({ lastStatistics }) => lastStatistics ?? []),
      ...own,
    ];
    const sum = sumStatistics(known);
    const { connections = 0, accepted = 0, acceptErrors = 0 } = sum;
    const port = sum.port as PortStatistics;
    return { connections, accepted, acceptErrors, deaths: this.#seats.deaths, workers, port };
  }

  unref(): void {
    this.#seats.refer(false);
    this.#acceptor?.refer(false);
  }

  ref(): void {
    this.#seats.refer(true);
    this.#acceptor?.refer(true);
  }

  // ------------------------------------------------------------ end

  close({
    timeoutMs = CLOSE_TIMEOUT_MS,
  }: {
    readonly timeoutMs?: number;
  } = {}): Promise<WorkerLeftovers> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(timeoutMs: number): Promise<WorkerLeftovers> {
    this.#seats.stop();
    const { threads } = this.#seats;
    // First nobody new, then no one.
    const acceptors = await this.#acceptor?.close();
    await Promise.all(threads.map((thread) => thread.close(timeoutMs)));
    this.#calls.failAll(new OverlappedError('CLOSED', 'the server is closed'));
    const left = threads.flatMap((thread) => thread.left ?? []);
    const none: PortLeftovers = { operations: 0, handles: 0, lent: 0, buffers: 0, connections: 0 };
    const terminated = threads.length - left.length;
    return { ...sumStatistics([none, acceptors ?? none, ...left]), terminated };
  }
}
