/** The ordered pool (R8): a thread pool that dispatches through a completion port of its own. */
import { setImmediate } from 'node:timers';
import { type Deferred, deferred } from '../../deferred.ts';
import { OverlappedError } from '../../errors.ts';
import { type PoolClock, systemClock } from './clock.ts';
import { Crew } from './crew.ts';
import { Desk } from './desk.ts';
import type { PoolHandle } from './desk-memory.ts';
import { Intake } from './intake.ts';
import { type Block, Dispatch, type Job, type Tally } from './job.ts';
import { type Answer, JobBoard } from './job-board.ts';
import { KeepAlive } from './keep-alive.ts';
import type { PoolKey } from './lane.ts';
import { type OrderedPoolOptions, type PoolSettings, poolSettings } from './options.ts';
import { createPoolMemory, type PoolMemory } from './pool-memory.ts';
import type { PoolThread } from './pool-thread.ts';
import { recover } from './recovery.ts';
import type { OrderedPoolStatistics } from './statistics.ts';
import { Supervisor } from './supervisor.ts';

/** Most answers taken before the host's other work gets its chance. */
const ANSWERS_PER_TURN = 1024;
/** Period of a timer that only keeps the process alive. */
const CLOSE_TIMEOUT_MS = 30_000;

/** How one job is dispatched. */
export interface DispatchOptions {
  /**
   * Jobs of one key are processed one at a time, in the order of their
   * dispatches, and answered in that order. Without a key a job has no order.
   */
  readonly key?: PoolKey;
}

/** What `close` had to leave undone. */
export interface PoolLeftovers {
  /** Dispatches that were given up. */
  readonly canceled: number;
  /** Threads that had to be terminated. */
  readonly terminated: number;
}

/** @internal What tests replace. */
export interface PoolEnvironment {
  readonly clock?: PoolClock;
  readonly debug?: boolean;
}

/**
 * A pool of threads for the work behind the messages (R8). Jobs are bytes;
 * they go to whichever thread is free, by a completion queue in shared memory.
 * Jobs of one key, a connection's token for instance, are processed in order,
 * one at a time, without any thread waiting for another (R3, R4).
 *
 * It grows by a thread when a dispatch is not taken by a thread within
 * `dispatchTimeoutMs`, from `minThreads` to `maxThreads`; maintenance ends
 * threads without work. It is bounded: `capacity` jobs, then `maxWaiting`
 * dispatches that wait for room, then errors. A handler that never returns
 * keeps its thread, and the jobs of its key behind it, until `close`.
 *
 * The pool keeps the process alive while dispatches are unanswered, and only
 * then: see `unref`.
 */
export class OrderedPool<Result = unknown> {
  readonly #settings: PoolSettings;
  readonly #clock: PoolClock;
  readonly #memory: PoolMemory;
  readonly #board: JobBoard;
  readonly #intake: Intake;
  readonly #tally: Tally = { unanswered: 0 };
  readonly #crew: Crew;
  readonly #supervisor: Supervisor;
  /** Where other threads' dispatches come in, once the pool is shared. */
  #desk: Desk | undefined;
  /** Index of the word that is 1 while this thread wants to be woken. */
  readonly #wake: number;
  #stage: 'opening' | 'open' | 'closing' | 'closed' = 'opening';
  #referenced = true;
  readonly #keepAlive = new KeepAlive();
  #room: Deferred<void> | undefined;
  #idle: Deferred<void> | undefined;
  #closing: Promise<PoolLeftovers> | undefined;
  /** The thread that is being recovered from: the crew does not have it any more. */
  #dying: PoolThread | undefined;
  #dispatched = 0;
  #completed = 0;
  readonly #failures = { handler: 0, thread: 0, refused: 0, canceled: 0 };

  private constructor(settings: PoolSettings, environment: PoolEnvironment) {
    const { clock = systemClock, debug = false } = environment;
    this.#settings = settings;
    this.#clock = clock;
    this.#memory = createPoolMemory({ ...settings, debug });
    this.#wake = this.#memory.wake >>> 2;
    Atomics.store(this.#memory.core.u32, this.#wake, 1);
    this.#board = new JobBoard(this.#memory);
    this.#intake = new Intake(this.#board);
    this.#crew = new Crew(this.#memory, settings, clock, {
      wake: () => this.#takeAnswers(),
      died: (thread) => this.#recover(thread),
      changed: () => this.#supervisor.look(),
    });
    this.#supervisor = new Supervisor(settings, clock, this.#crew, this.#intake, {
      endThreads: (count) => this.#endThreads(count),
      changed: () => this.#answered(),
    });
  }

  /** @internal See `orderedPool`. */
  static async open<Result>(
    options: OrderedPoolOptions,
    environment: PoolEnvironment = {},
  ): Promise<OrderedPool<Result>> {
    const pool = new OrderedPool<Result>(poolSettings(options), environment);
    pool.#keepAliveIfWanted();
    let failure: unknown;
    try {
      failure = await pool.#crew.open(pool.#settings.initialThreads);
    } catch (error) {
      // The host has no thread for us, or cannot clone `data`.
      failure = new OverlappedError('INVALID_OPTION', 'a thread could not be made', {
        cause: error,
      });
    }
    if (failure !== undefined) {
      await pool.#end();
      throw failure;
    }
    pool.#stage = 'open';
    pool.#keepAliveIfWanted();
    pool.#supervisor.look();
    return pool;
  }

  /**
   * Has `bytes` processed by the handler, in one of the threads; resolves with
   * its result. The bytes are copied before the call returns. A result that is
   * a `Uint8Array` comes back as one, the dispatcher's own.
   *
   * Rejects with what the handler threw, as a clone, or with an
   * OverlappedError: `TIMED_OUT` if the pool cannot grow and no thread took
   * the job within `dispatchTimeoutAtMaxMs`; `NO_BUFFERS` if `maxWaiting`
   * dispatches wait already, or the bytes are more than `arenaBytes`;
   * `ABORTED` if the thread died that processed the job; `CANCELED` if `close`
   * gave it up; `CLOSED` after `close`; `INVALID_OPTION`.
   */
  dispatch(bytes: Uint8Array, { key }: DispatchOptions = {}): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const refusal = this.#refusal(bytes, key);
      if (refusal !== undefined) {
        reject(refusal);
        return;
      }
      const nowMs = this.#clock.now();
      this.#dispatched++;
      // The handler's result is what the program says it is.
      const answer = resolve as (value: unknown) => void;
      this.#intake.take(bytes, new Dispatch(this.#tally, key, nowMs, answer, reject));
      if (!this.#keepAlive.isOn) this.#keepAliveIfWanted();
      this.#supervisor.notice(nowMs);
    });
  }

  #refusal(bytes: Uint8Array, key: PoolKey | undefined): OverlappedError | undefined {
    if (this.#stage !== 'open') return new OverlappedError('CLOSED', 'the pool is closed');
    if (!(bytes instanceof Uint8Array)) {
      return new OverlappedError('INVALID_OPTION', 'bytes must be a Uint8Array');
    }
    if (key !== undefined && typeof key !== 'number' && typeof key !== 'string') {
      return new OverlappedError('INVALID_OPTION', 'key must be a number or a string');
    }
    return this.#roomRefusal(bytes.length);
  }

  #roomRefusal(lengthBytes: number): OverlappedError | undefined {
    const { arenaBytes, maxWaiting } = this.#settings;
    const { hasRoom, waiting } = this.#intake;
    if (lengthBytes <= arenaBytes && (hasRoom || waiting < maxWaiting)) return undefined;
    this.#failures.refused++;
    const reason =
      lengthBytes > arenaBytes
        ? `${lengthBytes} bytes are more than the pool's memory of ${arenaBytes}`
        : `${this.#board.pending} jobs are pending and ${waiting} dispatches wait`;
    return new OverlappedError('NO_BUFFERS', reason);
  }

  /**
   * What another thread needs to dispatch to this pool, with `attachPool`: give it
   * by `workerData` or `postMessage`, to as many threads as like (at most 64 are
   * attached at one time).
   *
   * @throws OverlappedError `CLOSED` after `close`.
   */
  share(): PoolHandle {
    if (this.#stage !== 'open') throw new OverlappedError('CLOSED', 'the pool is closed');
    this.#desk ??= new Desk(
      this.#memory.desk,
      this.#memory.arena,
      this.#settings,
      this.#clock,
      this.#tally,
      {
        dispatch: (block, dispatch) => this.#takeIn(block, dispatch),
        changed: () => this.#answered(),
        load: () => this.#board.pending + this.#intake.waiting,
      },
    );
    return this.#desk.handle;
  }

  /** A dispatch of an attached thread. */
  #takeIn(block: Block, dispatch: Dispatch): OverlappedError | undefined {
    const refusal = this.#roomRefusal(block.lengthBytes);
    if (refusal !== undefined) return refusal;
    this.#dispatched++;
    this.#intake.take(block, dispatch);
    if (!this.#keepAlive.isOn) this.#keepAliveIfWanted();
    this.#supervisor.notice(dispatch.atMs);
    return undefined;
  }

  /** Whether a dispatch would be queued at once, as long as there is memory for its bytes. */
  get hasRoom(): boolean {
    return this.#intake.hasRoom;
  }

  /**
   * Resolves once the pool has room, or is closed: for producers that do not
   * wait for each result. Look again afterwards: others may have been quicker.
   */
  room(): Promise<void> {
    if (this.hasRoom || this.#stage === 'closed') return Promise.resolve();
    this.#room ??= deferred();
    return this.#room.promise;
  }

  /** Unanswered dispatches do not keep the process alive any more. */
  unref(): this {
    this.#referenced = false;
    this.#keepAliveIfWanted();
    return this;
  }

  /** Takes `unref` back. */
  ref(): this {
    this.#referenced = true;
    this.#keepAliveIfWanted();
    return this;
  }

  statistics(): OrderedPoolStatistics {
    const crew = this.#crew;
    const { waited, grown, shrunk, timedOut } = this.#supervisor;
    return {
      threads: crew.live - crew.starting,
      starting: crew.starting,
      busy: crew.busy,
      dormant: crew.dormant,
      mostThreads: crew.mostThreads,
      waiting: this.#intake.waiting,
      queued: this.#board.untakenCount,
      pending: this.#board.pending,
      dispatchers: this.#desk?.dispatchers ?? 0,
      keys: this.#board.keys,
      dispatched: this.#dispatched,
      completed: this.#completed,
      waited,
      grown,
      shrunk,
      replaced: crew.replaced,
      failures: {
        ...this.#failures,
        timedOut,
        dropped: this.#desk?.dropped ?? 0,
        deaths: crew.deaths,
        starts: crew.failedStarts,
      },
      longestRunningMs: crew.longestRunningMs,
    };
  }

  /**
   * Ends in order (R23): nothing more is dispatched, every job is answered,
   * each thread gets an exit packet and is joined. What is not done after
   * `timeoutMs` (default 30000) is given up: dispatches reject with `CANCELED`
   * and threads are terminated.
   */
  close({
    timeoutMs = CLOSE_TIMEOUT_MS,
  }: {
    readonly timeoutMs?: number;
  } = {}): Promise<PoolLeftovers> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(timeoutMs: number): Promise<PoolLeftovers> {
    this.#stage = 'closing';
    this.#keepAliveIfWanted();
    const late = deferred();
    const cancelLimit = this.#clock.after(timeoutMs, late.resolve);
    this.#desk?.beginClose();
    if (this.#tally.unanswered > 0) {
      this.#idle = deferred();
      await Promise.race([this.#idle.promise, late.promise]);
    }
    this.#supervisor.stop();
    this.#crew.stopReplacing();
    const canceled = this.#intake.cancelAll() + (this.#desk?.cancelHeld() ?? 0);
    this.#failures.canceled += canceled;
    if (canceled === 0) {
      this.#endThreads(this.#crew.live);
      await Promise.race([this.#crew.join(), late.promise]);
    }
    cancelLimit();
    return { canceled, terminated: await this.#end() };
  }

  /** Ends the threads that are left; how many there were. */
  async #end(): Promise<number> {
    this.#supervisor.stop();
    const terminated = await this.#crew.terminate();
    this.#stage = 'closed';
    this.#desk?.close();
    this.#room?.resolve();
    this.#keepAliveIfWanted();
    return terminated;
  }

  #endThreads(count: number): void {
    for (let i = 0; i < count; i++) this.#board.pushExit();
    this.#crew.noteExits(count);
  }

  #keepAliveIfWanted(): void {
    const wanted =
      this.#referenced &&
      (this.#stage === 'opening' || this.#stage === 'closing' || this.#tally.unanswered > 0) &&
      this.#stage !== 'closed';
    this.#keepAlive.set(wanted);
  }

  /** Takes what the threads have finished; then they may wake this thread again. */
  #takeAnswers(): void {
    const { done, core } = this.#memory;
    do {
      for (let taken = 0; ; taken++) {
        const packet = done.pop();
        if (packet === undefined) break;
        this.#settlePacket(packet.token);
        if (taken === ANSWERS_PER_TURN) {
          setImmediate(() => this.#takeAnswers());
          this.#answered();
          return;
        }
      }
      Atomics.store(core.u32, this.#wake, 1);
      // What came in between found nobody to wake.
    } while (done.length > 0 && Atomics.exchange(core.u32, this.#wake, 0) === 1);
    this.#answered();
  }

  #settlePacket(token: number): void {
    const job = this.#board.find(token);
    if (job !== undefined) this.#settle(job);
  }

  #settle(job: Job): void {
    const { dispatch } = job;
    // A result that is bytes goes to another thread as it lies there.
    const block =
      dispatch.from === undefined || dispatch.answered ? undefined : this.#board.takeOutput(job);
    const answer: Answer =
      block === undefined
        ? this.#board.answerOf(job, (id) => this.#readValue(id))
        : { kind: 'value', value: block };
    if (!dispatch.answered && answer.kind !== 'withdrawn') {
      if (answer.kind === 'value') this.#completed++;
      else this.#failures.handler++;
      this.#handOver(dispatch, answer);
    }
    this.#release(job);
  }

  #handOver(dispatch: Dispatch, answer: Given): void {
    const desk = this.#desk;
    if (desk === undefined) {
      give(dispatch, answer);
      return;
    }
    desk.hand(dispatch, (isCanceled) => {
      if (!isCanceled) {
        give(dispatch, answer);
        return;
      }
      if (answer.kind === 'value') desk.freeOutput(answer.value);
      dispatch.reject(new OverlappedError('CANCELED', 'the pool was closed before its turn came'));
    });
  }

  #readValue(id: number): { readonly message: unknown } | undefined {
    return this.#dying?.id === id ? this.#dying.readValue() : this.#crew.readValue(id);
  }

  #release(job: Job): void {
    this.#board.release(job, this.#clock.now());
    if (this.#intake.waiting > 0) this.#intake.admit();
  }

  /** After dispatches were answered. */
  #answered(): void {
    this.#desk?.flush();
    if (this.#room !== undefined && this.hasRoom) {
      this.#room.resolve();
      this.#room = undefined;
    }
    if (this.#tally.unanswered > 0) return;
    this.#idle?.resolve();
    this.#keepAliveIfWanted();
  }

  /** A thread died at work: see recovery.ts. */
  #recover(thread: PoolThread): void {
    this.#dying = thread;
    const { done } = this.#memory;
    // All that it finished lies in the queue, whether it still woke us or not.
    for (let packet = done.pop(); packet !== undefined; packet = done.pop()) {
      this.#settlePacket(packet.token);
    }
    recover(this.#memory, this.#board, thread, {
      fail: (job) => {
        this.#failures.thread++;
        const message = 'the thread died that processed the job';
        const error = new OverlappedError('ABORTED', message, { cause: thread.error });
        if (!job.dispatch.answered) this.#handOver(job.dispatch, { kind: 'exception', error });
        this.#release(job);
      },
      settle: (job) => this.#settle(job),
      slotsInHand: () => this.#crew.slotsInHand(),
    });
    this.#dying = undefined;
    this.#answered();
  }
}

type Given = Exclude<Answer, { readonly kind: 'withdrawn' }>;

function give(dispatch: Dispatch, answer: Given): void {
  if (answer.kind === 'value') dispatch.resolve(answer.value);
  else dispatch.reject(answer.error);
}
