/** The places of a server's workers: which thread has each, and what happens when one dies. */
import { OverlappedError } from '../../errors.ts';
import { WAIT_MS } from './blocking-loop.ts';
import { IoThread, type IoThreadHooks, StartError } from './io-thread.ts';
import type { WorkerStart } from './messages.ts';
import type { WorkerSettings } from './settings.ts';
import type { WorkerStatistics } from './statistics.ts';

/** How long a worker may take to say how it is. */
const STATISTICS_LIMIT_MS = 1000;
/** Pause before a worker is replaced: it doubles while its replacements die young. */
const RESTART_FIRST_MS = 50;
const RESTART_MOST_MS = 10_000;
/** A worker that lived so long did not die of its start. */
const SETTLED_MS = 10_000;
/** A Float64Array: see `WorkerStart.watch`. */
const WATCH_WORDS = 1;

/** A worker's place, whichever thread has it now. */
interface Seat {
  thread: IoThread | undefined;
  restarts: number;
  /** Deaths in a row soon after a start. */
  failures: number;
  startedAtMs: number;
  cancelRestart: (() => void) | undefined;
}

export interface SeatHooks extends Omit<IoThreadHooks, 'gone'> {
  /** The module is loaded: the thread is given what it works on. */
  begin(thread: IoThread): Promise<void>;
  /** The thread is gone, told to or not: first of all, what it leaves is seen to. */
  gone(thread: IoThread): void;
  /** Nobody is left, and nobody will come. */
  deserted?(): void;
}

export class Seats {
  readonly #settings: WorkerSettings;
  readonly #isBlocking: boolean;
  readonly #hooks: SeatHooks;
  readonly #seats: Seat[];
  #isOpen = false;
  #isReferenced = true;
  deaths = 0;

  constructor(settings: WorkerSettings, isBlocking: boolean, hooks: SeatHooks) {
    this.#settings = settings;
    this.#isBlocking = isBlocking;
    this.#hooks = hooks;
    this.#seats = Array.from({ length: settings.workers }, () => ({
      thread: undefined,
      restarts: 0,
      failures: 0,
      startedAtMs: 0,
      cancelRestart: undefined,
    }));
  }

  /** The threads that there are. */
  get threads(): IoThread[] {
    return this.#seats.flatMap(({ thread }) => thread ?? []);
  }

  /** Threads at work. */
  get working(): number {
    return this.threads.filter((thread) => thread.isListening && !thread.ended).length;
  }

  threadAt(index: number): IoThread | undefined {
    return this.#seats[index]?.thread;
  }

  /**
   * Makes all threads; `begin` is called once all have loaded the module.
   * @throws StartError, OverlappedError INVALID_OPTION
   */
  async start(begin: (threads: readonly IoThread[]) => Promise<void>): Promise<void> {
    const { signal, startTimeoutMs } = this.#settings;
    const onAbort = () => {
      for (const thread of this.threads) thread.fail('thread', canceled(signal as AbortSignal));
    };
    signal?.addEventListener('abort', onAbort);
    try {
      const threads = this.#seats.map((_, index) => this.#make(index));
      const cancelLimits = threads.map((thread) => limitStart(thread, startTimeoutMs));
      await Promise.all(threads.map(({ loaded }) => loaded));
      await begin(threads);
      for (const cancel of cancelLimits) cancel();
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
    this.#isOpen = true;
  }

  #make(index: number): IoThread {
    const { workers, handlers, data, options, scheduling } = this.#settings;
    const seat = this.#seats[index] as Seat;
    const start: WorkerStart = {
      index,
      workers,
      handlers,
      data,
      options,
      idBase: index * options.maxConnections,
      isBlocking: this.#isBlocking,
      scheduling,
      watch: new Float64Array(new SharedArrayBuffer(WATCH_WORDS * 8)),
      posted: new Int32Array(new SharedArrayBuffer(4)),
      waitMs: WAIT_MS,
    };
    try {
      seat.thread = new IoThread(start, {
        ...this.#hooks,
        gone: (thread) => this.#gone(thread),
      });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new OverlappedError('INVALID_OPTION', `a worker cannot be made: ${why}`, { cause });
    }
    seat.startedAtMs = performance.now();
    if (!this.#isReferenced) seat.thread.unref();
    return seat.thread;
  }

  // ------------------------------------------------------------ deaths

  #gone(thread: IoThread): void {
    this.#hooks.gone(thread);
    const seat = this.#seats[thread.index] as Seat;
    if (thread.ended || !this.#isOpen) return;
    this.deaths++;
    seat.thread = undefined;
    this.#report(thread.error ?? new OverlappedError('ABORTED'), thread.index);
    if (this.#settings.restart) this.#restartLater(thread.index);
    else if (this.threads.length === 0) this.#hooks.deserted?.();
  }

  #report(error: OverlappedError, index: number): void {
    const { onWorkerError } = this.#settings;
    queueMicrotask(() => {
      // What happens in a thread of ours and nobody wants to hear of is this thread's own.
      if (onWorkerError === undefined) throw error;
      onWorkerError(error, index);
    });
  }

  #restartLater(index: number): void {
    const seat = this.#seats[index] as Seat;
    const hasSettled = performance.now() - seat.startedAtMs > SETTLED_MS;
    seat.failures = hasSettled ? 0 : seat.failures + 1;
    const delayMs = Math.min(RESTART_FIRST_MS * 2 ** seat.failures, RESTART_MOST_MS);
    const timer = setTimeout(() => void this.#restart(index), delayMs);
    // With no thread left nothing else may keep the process alive.
    if (!this.#isReferenced) timer.unref();
    seat.cancelRestart = () => clearTimeout(timer);
  }

  async #restart(index: number): Promise<void> {
    const seat = this.#seats[index] as Seat;
    seat.cancelRestart = undefined;
    seat.restarts++;
    try {
      const thread = this.#make(index);
      const cancelLimit = limitStart(thread, this.#settings.startTimeoutMs);
      await thread.loaded;
      await this.#hooks.begin(thread);
      cancelLimit();
    } catch (error) {
      if (!this.#isOpen) return;
      seat.thread = undefined;
      const cause = error instanceof StartError ? error.cause : error;
      const message = `worker ${index} cannot be started again`;
      this.#report(new OverlappedError('ABORTED', message, { cause }), index);
      this.#restartLater(index);
    }
  }

  // ------------------------------------------------------------ facts

  statistics(): Promise<WorkerStatistics[]> {
    return Promise.all(
      this.#seats.map(async ({ thread, restarts }, worker) => {
        const answered = (await thread?.askStatistics(STATISTICS_LIMIT_MS)) ?? true;
        const state = stateOf(thread);
        return {
          worker,
          state,
          restarts,
          turnMs: turnMs(thread),
          isStale: !answered,
          ...thread?.lastStatistics,
        };
      }),
    );
  }

  refer(isReferenced: boolean): void {
    this.#isReferenced = isReferenced;
    for (const thread of this.threads) {
      if (isReferenced) thread.ref();
      else thread.unref();
    }
  }

  // ------------------------------------------------------------ end

  /** From here on nobody is replaced. */
  stop(): void {
    this.#isOpen = false;
    for (const { cancelRestart } of this.#seats) cancelRestart?.();
  }

  /** Ends what is left, wherever it stands. */
  async terminate(): Promise<void> {
    this.stop();
    await Promise.all(this.threads.map((thread) => thread.terminate()));
  }
}

export function canceled(signal: AbortSignal): OverlappedError {
  return new OverlappedError('CANCELED', 'called off by its signal', { cause: signal.reason });
}

/** Fails the start of a thread that takes too long; returns how to call that off. */
function limitStart(thread: IoThread, timeoutMs: number): () => void {
  const timer = setTimeout(() => {
    const message = `the worker had not loaded its handlers' module and listened after ${timeoutMs} ms`;
    thread.fail('load', new OverlappedError('TIMED_OUT', message));
  }, timeoutMs);
  void thread.joined.then(() => clearTimeout(timer));
  return () => clearTimeout(timer);
}

function stateOf(thread: IoThread | undefined): WorkerStatistics['state'] {
  if (thread === undefined || thread.ended) return 'dead';
  return thread.isListening ? 'running' : 'starting';
}

function turnMs(thread: IoThread | undefined): number {
  const sinceMs = thread?.watch[0] ?? 0;
  return sinceMs === 0 ? 0 : Math.max(Date.now() - sinceMs, 0);
}
