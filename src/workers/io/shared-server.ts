/**
 * `shared`: one port for all workers. This thread, the I/O thread, has the
 * driver and the listener; completions lie in the port's queue, and whichever
 * worker takes one claims its connection while it is at it.
 */
import * as layout from '#generated/layout';
import type { SocketAddress } from '../../../backends/backend.ts';
import { OverlappedError } from '../../errors.ts';
import { Port } from '../../port.ts';
import type { PortBackend } from '../../port-opening.ts';
import { THIS_THREAD } from '../../port-place.ts';
import type { ProfileValues } from '../../profile.ts';
import { BELL_BYTES, beginSweeps, keepSweeping, listenBell, sweepsWanted } from './bell.ts';
import { type DriverMessage, type IoThread, StartError } from './io-thread.ts';
import type { Listen, Listener } from './listener.ts';
import type { SharedPart } from './messages.ts';
import { IoPart } from './port-part.ts';
import { postRemote } from './posted-calls.ts';
import { answerIn, createAnswerRoom } from './questions.ts';
import { RemoteConnection } from './remote-connection.ts';
import { canceled, Seats } from './seats.ts';
import type { WorkerSettings } from './settings.ts';
import { joinPort } from './shared-worker.ts';
import { sumStatistics, type WorkerServerStatistics } from './statistics.ts';
import type { WorkerLeftovers, WorkerServer } from './worker-server.ts';

const CLOSE_TIMEOUT_MS = 15_000;
/** How long a worker may take to end that has nothing left to do. */
const THREAD_LIMIT_MS = 1000;
const LOOK_MS = 2;
/** Of the time for a close, what connections have to end by themselves. */
const PATIENCE = 0.8;
/** How long connections may take to be reset, once nobody is waited for. */
const RESET_LIMIT_MS = 3000;

export class SharedServer implements WorkerServer {
  readonly #settings: WorkerSettings;
  readonly #share: IoPart;
  readonly #port: Port;
  readonly #listen: Listen;
  readonly #seats: Seats;
  readonly #bell: number;
  readonly #stopBell: () => void;
  readonly #answers = new Map<IoThread, Int32Array>();
  #listener: Listener | undefined;
  #closing: Promise<WorkerLeftovers> | undefined;

  private constructor(settings: WorkerSettings, share: IoPart, listen: Listen) {
    const { port } = share;
    this.#settings = settings;
    this.#share = share;
    this.#port = port;
    this.#listen = listen;
    const words = port.core.i32;
    this.#bell = port.core.reserve(BELL_BYTES) >>> 2;
    this.#stopBell = listenBell(words, this.#bell, () => {
      if (sweepsWanted(words, this.#bell)) this.#sweep();
      port.driver.attend?.();
      port.turnNow();
    });
    share.sweeps = {
      begin: () => this.#sweep(),
      areNeeded: () => keepSweeping(words, this.#bell, () => share.hasTimeLimits(this.#values)),
    };
    this.#seats = new Seats(settings, false, {
      begin: (thread) => this.#join(thread),
      gone: (thread) => this.#gone(thread),
      deserted: () => void this.close({ timeoutMs: 0 }),
      call() {},
      answer() {},
      ask: (thread, message) => this.#asked(thread, message),
    });
  }

  /** See `listenWithWorkers`. */
  static async open(settings: WorkerSettings, listen: Listen): Promise<WorkerServer> {
    const { workers, locks, signal, options, givenBackend } = settings;
    if (signal?.aborted) throw canceled(signal);
    const { maxConnections, receiveBufferBytes, receiveBuffers, arenaBytes, stateBytes } = options;
    const sizes = { maxConnections, receiveBufferBytes, receiveBuffers, arenaBytes, stateBytes };
    const given = Object.entries(sizes).filter(([, value]) => value !== undefined);
    const port = await Port.openAt(
      {
        ...Object.fromEntries(given),
        ...(givenBackend === undefined ? {} : { backend: givenBackend }),
      },
      { ...THIS_THREAD, sharing: { workers, locks }, share: (own) => new IoPart(own) },
    );
    const server = new SharedServer(settings, port.share as IoPart, listen);
    try {
      await server.#start();
    } catch (error) {
      await server.close({ timeoutMs: 0 });
      throw error instanceof StartError ? error.cause : error;
    }
    if (signal?.aborted) void server.close();
    else signal?.addEventListener('abort', () => void server.close(), { once: true });
    return server;
  }

  async #start(): Promise<void> {
    const { options } = this.#settings;
    const own = [
      'maxConnections',
      'receiveBufferBytes',
      'receiveBuffers',
      'arenaBytes',
      'stateBytes',
    ];
    const others = Object.entries(options).filter(([name]) => !own.includes(name));
    await this.#seats.start(async (threads) => {
      this.#listener = await this.#listen({ ...Object.fromEntries(others), on: this.#port });
      const { profile } = this.#listener;
      // For as long as there are connections, not just the listener.
      this.#port.profiles.share(profile);
      await Promise.all(threads.map((thread) => this.#join(thread)));
    });
  }

  /** Looks for connections past a time limit, for as long as one has any. */
  #sweep(): void {
    beginSweeps(this.#port.core.i32, this.#bell);
    const { idleTimeoutMs, firstMessageTimeoutMs, closeTimeoutMs } = this.#values;
    for (const limitMs of [idleTimeoutMs, firstMessageTimeoutMs, closeTimeoutMs]) {
      if (limitMs > 0) this.#port.watchTimeouts(limitMs);
    }
  }

  get #values(): ProfileValues {
    return (this.#listener as Listener).profile.values;
  }

  #join(thread: IoThread): Promise<void> {
    const answers = createAnswerRoom();
    this.#answers.set(thread, answers);
    return thread.join(this.#part(thread.index, answers));
  }

  #part(index: number, answers: Int32Array): SharedPart {
    const { core, regions, backend, sizes, driver } = this.#port;
    const { address, values } = (this.#listener as Listener).profile;
    return {
      core: core.handle,
      regions,
      number: index + 1,
      backend,
      sizes,
      limits: { ...driver.limits },
      dequeuing: driver.dequeuing,
      profile: { address, values },
      bell: this.#bell,
      waits: this.#share.waits.words,
      answers,
    };
  }

  /** What it had claimed is this thread's now, and is reset. */
  #gone(thread: IoThread): void {
    this.#answers.delete(thread);
    if (!thread.hasPart) return;
    const { core, regions, driver } = this.#port;
    driver.endDequeuer?.(thread.index);
    if (thread.left !== undefined) {
      this.#port.turnNow();
      return;
    }
    const dead = regions.sharing?.workers[thread.index + 1]?.worker;
    if (dead === undefined) return;
    core.exports.takeOver(regions.worker, dead);
    this.#port.turnNow();
    // What it had seen end, and told nobody of.
    this.#share.waits.tellAll();
  }

  #asked(thread: IoThread, message: DriverMessage): void {
    const { driver } = this.#port;
    if (message.kind === 'configure') driver.configure(message.handle, message.options);
    else if (message.kind === 'setReferenced') {
      driver.setReferenced(message.handle, message.referenced);
    } else {
      const { ask, handle } = message.question;
      const answers = this.#answers.get(thread);
      if (answers !== undefined) answerIn(answers, driver[ask](handle));
    }
  }

  // ------------------------------------------------------------ facts

  get address(): SocketAddress {
    return (this.#listener as Listener).address;
  }

  get backend(): PortBackend {
    return this.#port.backend;
  }

  get workers(): number {
    return this.#seats.working;
  }

  connection(id: number): RemoteConnection {
    if (!Number.isSafeInteger(id) || id < 0) {
      throw new OverlappedError('STALE_TOKEN', `${String(id)} is no connection's id`);
    }
    return new RemoteConnection(
      id,
      postRemote(() => (this.#port.closed ? undefined : this.#share)),
    );
  }

  async statistics(): Promise<WorkerServerStatistics> {
    const workers = await this.#seats.statistics();
    const own = this.#port.statistics();
    const theirs = this.#seats.threads.flatMap(({ lastStatistics }) => lastStatistics?.port ?? []);
    // Counters of all are read from memory; errors are told to handlers, in the workers.
    const { errors } = sumStatistics([own, ...theirs]);
    const { acceptErrors = 0 } = this.#listener?.statistics() ?? {};
    return {
      connections: this.#share.tokens().length,
      accepted: own.accepted,
      acceptErrors,
      deaths: this.#seats.deaths,
      workers,
      port: { ...own, errors },
    };
  }

  unref(): void {
    this.#seats.refer(false);
    this.#listener?.unref();
  }

  ref(): void {
    this.#seats.refer(true);
    this.#listener?.ref();
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
    const startedAtMs = performance.now();
    const elapsed = () => performance.now() - startedAtMs;
    await this.#listener?.close();
    this.#share.postAll(layout.CALL_CLOSE, 0);
    await this.#emptied(() => elapsed() < timeoutMs * PATIENCE);
    this.#share.postAll(layout.CALL_ABORT, layout.ERROR_ABORTED);
    await this.#emptied(() => elapsed() < timeoutMs);
    const { threads } = this.#seats;
    const leftMs = Math.max(timeoutMs - elapsed(), 0);
    // Who is not stuck in a handler needs no more.
    const limitMs = timeoutMs === 0 ? 0 : Math.max(leftMs, THREAD_LIMIT_MS);
    await Promise.all(threads.map((thread) => thread.close(limitMs)));
    await this.#bury();
    this.#stopBell();
    const left = await this.#port.close();
    const terminated = threads.filter((thread) => thread.left === undefined).length;
    return { ...left, terminated };
  }

  /** Resolves once there is no connection any more, or `isPatient` is false. */
  async #emptied(isPatient: () => boolean): Promise<void> {
    const { core, regions } = this.#port;
    while (core.exports.poolInUse(regions.connections) > 0 && isPatient()) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** With no worker left this thread itself sees to the end of their connections. */
  async #bury(): Promise<void> {
    const { core, regions } = this.#port;
    if (core.exports.poolInUse(regions.connections) === 0 || this.#listener === undefined) return;
    const { driver } = this.#port;
    const given = this.#part(0, createAnswerRoom());
    const part = joinPort(given, core, {}, driver, undefined, undefined);
    this.#share.postAll(layout.CALL_ABORT, layout.ERROR_ABORTED);
    const startedAtMs = performance.now();
    await this.#emptied(() => performance.now() - startedAtMs < RESET_LIMIT_MS);
    await part.port.driver.dispose();
  }
}
