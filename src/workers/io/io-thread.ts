/** One I/O worker, seen from the thread that listens. */
import { Worker } from 'node:worker_threads';
import type { SocketAddress, Waker } from '../../../backends/backend.ts';
import { type Deferred, deferred } from '../../deferred.ts';
import { OverlappedError } from '../../errors.ts';
import type { PortLeftovers } from '../../port.ts';
import { openWaker } from '../../registry.ts';
import {
  type ErrorRecord,
  errorFrom,
  type FromWorker,
  type Remains,
  type SharedPart,
  type ToWorker,
  type WorkerStart,
} from './messages.ts';
import type { WorkerPortStatistics } from './statistics.ts';

/** A dying worker has this long to reset its connections. */
const DEATH_LIMIT_MS = 3000;

export type WorkerCall = Extract<FromWorker, { kind: 'call' }>;

export interface IoThreadHooks {
  /** The thread has gone, as it should or not; called once. */
  gone(thread: IoThread): void;
  /** It asks something of a connection that another worker may have. */
  call(thread: IoThread, call: WorkerCall): void;
  /** It answers such a question. */
  answer(answer: { readonly number: number; readonly error?: ErrorRecord }): void;
  /** It has room for another connection, as it was asked to tell. */
  room?(): void;
  /** It asks something of the driver: see questions.ts. */
  ask?(thread: IoThread, message: DriverMessage): void;
}

export type DriverMessage = Extract<
  FromWorker,
  { kind: 'question' | 'configure' | 'setReferenced' }
>;

/** Why a worker could not start, and at what. */
export class StartError extends Error {
  readonly what: 'load' | 'backend' | 'listen' | 'thread';
  override readonly cause: OverlappedError;

  constructor(what: StartError['what'], cause: OverlappedError) {
    super(cause.message);
    this.what = what;
    this.cause = cause;
  }
}

export class IoThread {
  readonly index: number;
  /** Resolves once the module is loaded; rejects with a StartError. */
  readonly loaded: Promise<void>;
  /** Resolves when the thread is gone. */
  readonly joined: Promise<void>;
  /** Why it died, as far as anybody knows. */
  error: OverlappedError | undefined;
  /** It was told to end. */
  ended = false;
  isListening = false;
  /** It may have something of a shared port. */
  hasPart = false;
  left: PortLeftovers | undefined;
  lastStatistics: WorkerPortStatistics | undefined;
  remains: Remains | undefined;
  readonly watch: Float64Array;
  /** Resolves when nothing here is about to use a descriptor of the thread's. */
  reached: Promise<void> = Promise.resolve();
  readonly #posted: Int32Array;
  readonly #worker: Worker;
  readonly #hooks: IoThreadHooks;
  readonly #loaded: Deferred<void> = deferred();
  readonly #joined: Deferred<void> = deferred();
  readonly #closed: Deferred<void> = deferred();
  readonly #questions = new Map<number, Deferred<void>>();
  #listening: Deferred<SocketAddress> | undefined;
  #joining: Deferred<void> | undefined;
  #backend = '';
  #waker: Waker | undefined;
  #lastQuestion = 0;
  #isGone = false;

  /** @throws what the host throws when it cannot make a thread, or cannot clone what it is given */
  constructor(start: WorkerStart, hooks: IoThreadHooks) {
    this.index = start.index;
    this.watch = start.watch;
    this.#posted = start.posted;
    this.#hooks = hooks;
    this.loaded = this.#loaded.promise;
    this.joined = this.#joined.promise;
    // Whoever waits hears of it; nobody has to.
    for (const { promise } of [this.#loaded, this.#closed]) promise.catch(() => {});
    this.#worker = new Worker(new URL('./io.worker.js', import.meta.url), { workerData: start });
    this.#worker.on('message', (message: FromWorker) => this.#message(message));
    this.#worker.on('error', (error) => {
      this.error ??= died(error);
    });
    this.#worker.on('exit', () => this.#exit());
  }

  post(message: ToWorker): void {
    this.#worker.postMessage(message);
    this.#rouse();
  }

  /** Its event loop has something to do: it must not wait in the kernel. */
  #rouse(): void {
    Atomics.add(this.#posted, 0, 1);
    this.#waker?.wake();
  }

  /** Resolves with where it listens; rejects with a StartError. */
  listen(message: Extract<ToWorker, { kind: 'listen' }>): Promise<SocketAddress> {
    const listening = deferred<SocketAddress>();
    // Its failure may come while others are waited for.
    listening.promise.catch(() => {});
    this.#listening = listening;
    this.#backend = message.backend.name;
    this.post(message);
    return listening.promise;
  }

  /** Gives it its part of a shared port; resolves when it takes completions. Rejects with a StartError. */
  join(part: SharedPart): Promise<void> {
    const joining = deferred();
    joining.promise.catch(() => {});
    this.#joining = joining;
    this.hasPart = true;
    this.post({ kind: 'join', part });
    return joining.promise;
  }

  /** Its counters, or the last known ones if it does not answer within `limitMs`; true if it did. */
  async askStatistics(limitMs: number): Promise<boolean> {
    if (this.#isGone || this.ended) return true;
    const number = ++this.#lastQuestion;
    const answer = deferred();
    this.#questions.set(number, answer);
    this.post({ kind: 'statistics', number });
    const late = new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), limitMs);
      answer.promise.then(() => clearTimeout(timer));
    });
    const answered = await Promise.race([answer.promise.then(() => true), late]);
    this.#questions.delete(number);
    return answered;
  }

  /** Closes its port and ends it; resolves once it is gone, terminated if that takes longer than `limitMs`. */
  async close(limitMs: number): Promise<void> {
    this.ended = true;
    if (this.#isGone) return;
    const timer = setTimeout(() => void this.terminate(), limitMs);
    this.post({ kind: 'close' });
    await Promise.race([this.#closed.promise, this.#joined.promise]);
    clearTimeout(timer);
    // Whatever a handler left open must not keep it.
    await this.terminate();
  }

  /** Ends the thread wherever it stands; resolves when it is gone. */
  async terminate(): Promise<void> {
    this.ended = true;
    // The host cannot end a thread that waits in the kernel; and it may call it gone at once.
    this.#rouse();
    await this.#worker.terminate();
    // Where the event comes later, or not at all.
    this.#exit();
  }

  ref(): void {
    this.#worker.ref();
  }

  unref(): void {
    this.#worker.unref();
  }

  #message(message: FromWorker): void {
    switch (message.kind) {
      case 'loaded':
        this.#loaded.resolve();
        break;
      case 'opened':
        this.remains = message.remains;
        if (message.waker !== undefined) this.reached = this.#reach(message.waker);
        break;
      case 'listening':
        this.isListening = true;
        this.#listening?.resolve(message.address);
        break;
      case 'joined':
        this.isListening = true;
        this.#joining?.resolve();
        break;
      case 'question':
      case 'configure':
      case 'setReferenced':
        this.#hooks.ask?.(this, message);
        break;
      case 'room':
        this.#hooks.room?.();
        break;
      case 'failed':
        this.fail(message.what, errorFrom(message.error));
        break;
      case 'answer':
        this.#hooks.answer(message);
        break;
      case 'call':
        this.#hooks.call(this, message);
        break;
      case 'statistics':
        this.lastStatistics = message.statistics;
        this.#questions.get(message.number)?.resolve();
        break;
      case 'dying':
        this.error ??= died(errorFrom(message.error));
        setTimeout(() => void this.#worker.terminate(), DEATH_LIMIT_MS).unref();
        break;
      case 'closed':
        this.left = message.left;
        this.lastStatistics = message.statistics;
        this.#closed.resolve();
        break;
    }
  }

  /** From now on it is woken by what is posted to it. */
  async #reach(number: number): Promise<void> {
    // Without one it looks for itself, now and then.
    const waker = await openWaker(this.#backend, number).catch(() => undefined);
    if (this.#isGone) {
      waker?.close();
      return;
    }
    this.#waker = waker;
    this.post({ kind: 'reached' });
  }

  /** It cannot start, and ends. */
  fail(what: StartError['what'], error: Error): void {
    const cause = error instanceof OverlappedError ? error : died(error);
    this.error ??= cause;
    const failure = new StartError(what, cause);
    this.#loaded.reject(failure);
    this.#listening?.reject(failure);
    this.#joining?.reject(failure);
    void this.terminate();
  }

  #exit(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#waker?.close();
    this.error ??= this.ended
      ? undefined
      : new OverlappedError('ABORTED', 'the worker ended itself');
    const cause = this.error ?? new OverlappedError('ABORTED', 'the worker was ended');
    const failure = new StartError('thread', cause);
    this.#loaded.reject(failure);
    this.#listening?.reject(failure);
    this.#joining?.reject(failure);
    for (const question of this.#questions.values()) question.resolve();
    this.#hooks.gone(this);
    this.#joined.resolve();
  }
}

function died(error: unknown): OverlappedError {
  const text = error instanceof Error ? error.message : String(error);
  return new OverlappedError('ABORTED', `the worker died: ${text}`, { cause: error });
}
