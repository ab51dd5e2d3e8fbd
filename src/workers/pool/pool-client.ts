/** A pool's dispatch end in another thread than the one that opened it. */
import { setImmediate } from 'node:timers';
import { Completion, QUEUE_BYTES } from '#generated/layout';
import { Arena } from '../../core/arena.ts';
import { Core } from '../../core/core.ts';
import { Pool } from '../../core/pool.ts';
import { type Deferred, deferred } from '../../deferred.ts';
import { OverlappedError } from '../../errors.ts';
import { atThreadEnd } from '../thread-end.ts';
import { listenBell, ring, wake } from './bell.ts';
import { crossed } from './crossing.ts';
import type { PoolHandle } from './desk-memory.ts';
import {
  DeskRecord,
  DeskStage,
  DISPATCHERS_MAX,
  DispatcherRecord,
  DispatcherState,
  KeyKind,
  TicketOutcome,
  TicketRecord,
  TicketState,
} from './desk-records.ts';
import { KeepAlive } from './keep-alive.ts';
import type { PoolKey } from './lane.ts';
import type { DispatchOptions } from './ordered-pool.ts';

/** Most answers taken before the thread's other work gets its chance. */
const ANSWERS_PER_TURN = 1024;
/** Period of a timer that only keeps the thread alive. */
/** The part of the pool's memory beyond which there is no room. */
const FULL_PART = 0.75;

interface Call {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly isKeyed: boolean;
}

/**
 * Dispatches to an `OrderedPool` of another thread: see `attachPool`.
 *
 * Order, across all threads that dispatch to a pool:
 *
 * - *In.* The place of a dispatch among those of its key is taken within the call
 *   of `dispatch`. So where one call happens before another, in whichever threads,
 *   its job is processed before the other's. Handlers of a connection run one at a
 *   time and in order, whichever I/O worker runs them: dispatched in the handler,
 *   before anything is awaited, a connection's messages are processed in their order.
 * - *Out.* Results of a key, and exceptions of its jobs, come in that order, too, over
 *   all threads: a thread gets the key's next result only when the thread that got the
 *   one before has run everything that was ready to run on it (its microtasks). What
 *   is sent in `then`, or after an `await` of the dispatch itself, by `connection.send`
 *   of a shared port, leaves in order. What is sent later than that has the order
 *   that the program gives it.
 * - A dispatch that fails with anything else (`TIMED_OUT`, `NO_BUFFERS`, `CANCELED`)
 *   is told at once, and the key goes on without it.
 *
 * A thread that ends, by an exception or `process.exit`, loses the results that it
 * has not got; what it dispatched is processed all the same, and its keys go on. Of
 * one that was terminated the pool learns nothing: it is taken for dead when its event
 * loop has not turned for `dispatcherTimeoutMs`. So is one that only did not turn: its
 * dispatches reject with `ABORTED`, and it may dispatch again.
 */
export class PoolClient<Result = unknown> {
  readonly #core: Core;
  readonly #handle: PoolHandle;
  readonly #tickets: Pool;
  readonly #arena: Arena;
  /** By the slot of the ticket. */
  readonly #calls = new Map<number, Call>();
  readonly #encoder = new TextEncoder();
  /** Index of the desk's record in words. */
  readonly #desk: number;
  /** Number of this thread's record, and its index in words. */
  #index = -1;
  #own = 0;
  #epoch = 0;
  /** Tickets of results that this thread got in this turn of its event loop. */
  #got: number[] = [];
  #isTaking = false;
  #room: Deferred<void> | undefined;
  #idle: Deferred<void> | undefined;
  #stopListening: (() => void) | undefined;
  readonly #forgetEnd: () => void;
  #isClosed = false;
  #referenced = true;
  readonly #keepAlive = new KeepAlive();

  /** @internal See `attachPool`. */
  constructor(handle: PoolHandle) {
    this.#core = Core.attach(handle.core);
    this.#handle = handle;
    this.#tickets = Pool.attach(this.#core, handle.tickets);
    this.#arena = Arena.attach(this.#core, handle.arena);
    this.#desk = handle.desk >>> 2;
    if (!this.#isOpen) throw closedError();
    this.#attach();
    this.#forgetEnd = atThreadEnd(this.#leave);
  }

  /**
   * As `OrderedPool.dispatch`; the order is described above. Other than there a
   * dispatch never waits for memory: it rejects with `NO_BUFFERS` where there is none
   * for its bytes, or later for its result, and where `capacity` and `maxWaiting`
   * dispatches of attached threads are under way. Also rejects with `ABORTED` if the
   * pool has taken this thread for dead.
   */
  dispatch(bytes: Uint8Array, { key }: DispatchOptions = {}): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      try {
        // The handler's result is what the program says it is.
        this.#ask(bytes, key, resolve as (value: unknown) => void, reject);
      } catch (error) {
        reject(error);
      }
    });
  }

  #ask(
    bytes: Uint8Array,
    key: PoolKey | undefined,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ): void {
    if (!this.#isOpen) throw closedError();
    if (!(bytes instanceof Uint8Array)) {
      throw new OverlappedError('INVALID_OPTION', 'bytes must be a Uint8Array');
    }
    if (key !== undefined && typeof key !== 'number' && typeof key !== 'string') {
      throw new OverlappedError('INVALID_OPTION', 'key must be a number or a string');
    }
    if (!this.#isAttached) {
      this.#lose();
      this.#attach();
    }
    const { exports, u32 } = this.#core;
    const slot = this.#tickets.acquire();
    if (slot === undefined) throw noRoom('too many dispatches are under way');
    const record = this.#tickets.slotAddress(slot) >>> 2;
    u32[record + TicketRecord.block / 4] = 0;
    u32[record + TicketRecord.output / 4] = 0;
    u32[record + TicketRecord.dispatcher / 4] = this.#index + 1;
    Atomics.store(u32, record + TicketRecord.state / 4, TicketState.ASKED);
    try {
      this.#write(record, bytes, key);
      const token = this.#tickets.token(slot);
      this.#calls.set(slot, { resolve, reject, isKeyed: key !== undefined });
      const pushed = exports.queuePush(this.#handle.requests, token, 0, 0, 0, 0);
      if (pushed !== 0) throw closedError();
    } catch (error) {
      this.#calls.delete(slot);
      this.#release(slot, record);
      throw error;
    }
    this.#wakePool();
    if (!this.#keepAlive.isOn) this.#keepAliveIfWanted();
  }

  /** The job's bytes, and behind them those of a key that is text. */
  #write(record: number, bytes: Uint8Array, key: PoolKey | undefined): void {
    const { u8, u32, f64 } = this.#core;
    const text = typeof key === 'string' ? this.#encoder.encode(key) : undefined;
    const keyBytes = text?.length ?? 0;
    const length = bytes.length + keyBytes;
    const block = length === 0 ? 0 : this.#arena.alloc(length);
    if (block === undefined) throw noRoom(`there is no memory for ${length} bytes`);
    u32[record + TicketRecord.block / 4] = block;
    u8.set(bytes, block);
    if (text !== undefined) u8.set(text, block + bytes.length);
    u32[record + TicketRecord.lengthBytes / 4] = bytes.length;
    u32[record + TicketRecord.keyBytes / 4] = keyBytes;
    const isNumber = typeof key === 'number';
    if (isNumber) f64[(record * 4 + TicketRecord.key) >>> 3] = key;
    const otherKind = text === undefined ? KeyKind.NONE : KeyKind.TEXT;
    u32[record + TicketRecord.keyKind / 4] = isNumber ? KeyKind.NUMBER : otherKind;
  }

  /** Whether a dispatch would be taken by the pool at once, as far as can be said. */
  get hasRoom(): boolean {
    const { arena, arenaBytes, capacity, requests } = this.#handle;
    const { exports } = this.#core;
    const load = this.#deskWord(DeskRecord.load) + (exports.queueLength(requests) >>> 0);
    return load < capacity && exports.arenaUsed(arena) >>> 0 <= arenaBytes * FULL_PART;
  }

  /**
   * Resolves once the pool has room, or is closed. Look again afterwards: others may
   * have been quicker.
   */
  room(): Promise<void> {
    if (this.#hasRoomOrWants()) return Promise.resolve();
    this.#room ??= deferred();
    return this.#room.promise;
  }

  /** False: there is no room, and the pool knows that this thread waits for it. */
  #hasRoomOrWants(): boolean {
    if (!this.#isOpen || this.hasRoom) return true;
    Atomics.store(this.#core.u32, this.#desk + DeskRecord.roomWanted / 4, 1);
    // What came free in between found nobody waiting.
    return this.hasRoom;
  }

  /** Unanswered dispatches do not keep the thread alive any more. */
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

  /** Leaves the pool: nothing more is dispatched; resolves when all is answered. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#calls.size > 0) {
      this.#idle ??= deferred();
      await this.#idle.promise;
    }
    this.#say();
    this.#forgetEnd();
    this.#leave();
    this.#room?.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #isOpen(): boolean {
    return !this.#isClosed && this.#deskWord(DeskRecord.stage) === DeskStage.OPEN;
  }

  #deskWord(offset: number): number {
    return Atomics.load(this.#core.u32, this.#desk + offset / 4);
  }

  #wakePool(): void {
    wake(this.#core, this.#desk + DeskRecord.wake / 4, this.#desk + DeskRecord.bell / 4);
  }

  #keepAliveIfWanted(): void {
    this.#keepAlive.set(this.#referenced && this.#calls.size > 0);
  }

  // ------------------------------------------------------------ its record

  #attach(): void {
    const { dispatchers, queued } = this.#handle;
    const { exports, u32 } = this.#core;
    const { FREE, ATTACHED } = DispatcherState;
    for (let index = 0; index < DISPATCHERS_MAX; index++) {
      const own = (dispatchers + index * DispatcherRecord.$size) >>> 2;
      const state = own + DispatcherRecord.state / 4;
      if (Atomics.compareExchange(u32, state, FREE, ATTACHED) !== FREE) continue;
      if (u32[own + DispatcherRecord.answers / 4] === 0) {
        const answers = this.#core.reserve(QUEUE_BYTES);
        exports.queueInit(answers, this.#core.reserve(queued * 32), Math.log2(queued));
        Atomics.store(u32, own + DispatcherRecord.answers / 4, answers);
      }
      this.#index = index;
      this.#own = own;
      this.#epoch = Atomics.load(u32, own + DispatcherRecord.epoch / 4);
      Atomics.store(u32, own + DispatcherRecord.wake / 4, 1);
      const bell = own + DispatcherRecord.bell / 4;
      this.#stopListening = listenBell(this.#core.i32, bell, () => this.#turn());
      return;
    }
    throw noRoom(`${DISPATCHERS_MAX} threads are attached to the pool`);
  }

  /** False if the pool has taken this thread for dead. */
  get #isAttached(): boolean {
    const epoch = this.#own + DispatcherRecord.epoch / 4;
    return Atomics.load(this.#core.u32, epoch) === this.#epoch;
  }

  /** The pool has given this thread up: it may come back as a new one. */
  #lose(): void {
    this.#stopListening?.();
    this.#got = [];
    this.#rejectAll(new OverlappedError('ABORTED', 'the pool had taken this thread for dead'));
  }

  /** Also where the thread ends without a word. */
  readonly #leave = (): void => {
    const { i32, u32 } = this.#core;
    const state = this.#own + DispatcherRecord.state / 4;
    const { ATTACHED, GONE } = DispatcherState;
    this.#isClosed = true;
    this.#stopListening?.();
    if (!this.#isAttached) return;
    if (Atomics.compareExchange(u32, state, ATTACHED, GONE) !== ATTACHED) return;
    Atomics.add(u32, this.#desk + DeskRecord.departures / 4, 1);
    ring(i32, this.#desk + DeskRecord.bell / 4);
  };

  // ------------------------------------------------------------ answers

  #turn(): void {
    if (!this.#isAttached) {
      this.#lose();
      return;
    }
    Atomics.add(this.#core.u32, this.#own + DispatcherRecord.beats / 4, 1);
    if (!this.#isTaking) this.#takeAnswers();
    if (this.#room !== undefined && this.#hasRoomOrWants()) {
      this.#room.resolve();
      this.#room = undefined;
    }
  }

  /** Takes what the pool has answered; then it may wake this thread again. */
  #takeAnswers(): void {
    const { exports, u32, f64 } = this.#core;
    const answers = u32[this.#own + DispatcherRecord.answers / 4] as number;
    const packet = this.#own * 4 + DispatcherRecord.packet;
    const wake = this.#own + DispatcherRecord.wake / 4;
    this.#isTaking = false;
    do {
      for (let taken = 0; exports.queuePop(answers, packet) === 1; taken++) {
        const slot = this.#tickets.check(f64[(packet + Completion.token) >>> 3] as number);
        if (slot !== undefined) this.#take(slot);
        if (taken === ANSWERS_PER_TURN) {
          this.#isTaking = true;
          setImmediate(() => this.#takeAnswers());
          return;
        }
      }
      Atomics.store(u32, wake, 1);
      // What came in between found nobody to wake.
    } while (exports.queueLength(answers) !== 0 && Atomics.exchange(u32, wake, 0) === 1);
    if (this.#calls.size > 0 && this.#deskWord(DeskRecord.stage) === DeskStage.CLOSED) {
      this.#rejectAll(
        new OverlappedError('CANCELED', 'the pool was closed before the job was done'),
      );
    }
    // Memory has come free: others may wait for that.
    if (this.#deskWord(DeskRecord.roomWanted) === 1) this.#wakePool();
    this.#keepAliveIfWanted();
    if (this.#calls.size === 0) this.#idle?.resolve();
  }

  #take(slot: number): void {
    const call = this.#calls.get(slot);
    const record = this.#tickets.slotAddress(slot) >>> 2;
    const outcome = this.#core.u32[record + TicketRecord.outcome / 4] as number;
    const value = this.#valueOf(record, outcome);
    this.#calls.delete(slot);
    // With a key it is the pool's to give back, when this thread has said that it is done.
    if (call?.isKeyed) this.#get(this.#tickets.token(slot));
    else this.#release(slot, record);
    const { EXCEPTION, ERROR, LOST } = TicketOutcome;
    if (outcome === EXCEPTION || outcome === ERROR || outcome === LOST) call?.reject(value);
    else call?.resolve(value);
  }

  #valueOf(record: number, outcome: number): unknown {
    const { u8, u32, f64 } = this.#core;
    const output = u32[record + TicketRecord.output / 4] as number;
    const end = output + (u32[record + TicketRecord.outputBytes / 4] as number);
    switch (outcome) {
      case TicketOutcome.NOTHING:
        return undefined;
      case TicketOutcome.NUMBER:
        return f64[(record * 4 + TicketRecord.number) >>> 3];
      case TicketOutcome.LOST:
        return noRoom('there was no memory for the result');
    }
    const bytes = u8.slice(output, end);
    this.#freeBlock(record + TicketRecord.output / 4);
    return outcome === TicketOutcome.BYTES ? bytes : crossed(outcome, bytes);
  }

  /** This thread is done with a result when what hangs on it has run. */
  #get(token: number): void {
    this.#got.push(token);
    if (this.#got.length === 1) setImmediate(() => this.#say());
  }

  #say(): void {
    const got = this.#got;
    this.#got = [];
    if (got.length === 0 || !this.#isAttached) return;
    const { exports } = this.#core;
    const { said, queued } = this.#handle;
    for (const token of got) exports.queuePush(said, token, 0, 0, 0, 0);
    // Else the pool hears of it when it is awake: it waits for nothing but the tickets.
    const isMuch = exports.queueLength(said) >>> 0 >= queued / 8;
    if (isMuch || this.#deskWord(DeskRecord.wantsSaid) === 1) this.#wakePool();
  }

  #release(slot: number, record: number): void {
    const { u32 } = this.#core;
    this.#freeBlock(record + TicketRecord.block / 4);
    u32[record + TicketRecord.dispatcher / 4] = 0;
    Atomics.store(u32, record + TicketRecord.state / 4, TicketState.FREE);
    this.#tickets.release(slot);
  }

  /** Frees the block whose address stands in the word. */
  #freeBlock(word: number): void {
    const { u32 } = this.#core;
    const address = u32[word] as number;
    // First the word: should the thread end in between, the block is lost, and not freed twice.
    u32[word] = 0;
    if (address !== 0) this.#arena.free(address);
  }

  #rejectAll(error: OverlappedError): void {
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
    this.#keepAliveIfWanted();
    this.#idle?.resolve();
  }
}

function closedError(): OverlappedError {
  return new OverlappedError('CLOSED', 'the pool is closed');
}

function noRoom(reason: string): OverlappedError {
  return new OverlappedError('NO_BUFFERS', reason);
}
