/**
 * A thread of the pool: takes packets from the completion queue and runs the
 * jobs, each key's in order (R3, R4). A thread that holds a job out of its
 * turn leaves it in the key's in-order store and goes on to other work; who
 * finishes a job runs the key's next, if that has arrived.
 *
 * Each step is written down in shared memory before it is done, so that the
 * dispatcher can go on where a thread died: see recovery.ts.
 */
import type { MessagePort } from 'node:worker_threads';
import { Completion } from '#generated/layout';
import { Arena } from '../../core/arena.ts';
import { Core } from '../../core/core.ts';
import { Pool } from '../../core/pool.ts';
import { ReorderBuffer } from '../../core/reorder-buffer.ts';
import type { PoolContext, PoolHandler, PoolThreadData } from './handler.ts';
import {
  JobRecord,
  JobState,
  Outcome,
  PACKET_EXIT,
  STATE_MASK,
  STATE_THREAD_SHIFT,
  ThreadRecord,
  ThreadState,
} from './records.ts';

/** After so many jobs without a pause the thread's own event loop gets a turn. */
const JOBS_PER_TURN = 256;
/**
 * A thread without a job sleeps this long before such a turn, which would
 * delay the next job; then twice as long, and so on. Past the last it sleeps
 * until there is a job: what a handler left to its event loop had its time.
 */
const FIRST_PAUSE_MS = 1;
const LAST_PAUSE_MS = 512;

const NO_BYTES = new Uint8Array(0);

export interface JobRunnerHooks {
  /** Lets the thread's event loop turn once. */
  turn(): Promise<void>;
  /** Wakes the dispatcher. */
  wake(): void;
}

export class JobRunner {
  readonly #core: Core;
  readonly #slots: Pool;
  readonly #arena: Arena;
  readonly #lanes = new Map<number, ReorderBuffer>();
  readonly #data: PoolThreadData;
  readonly #values: MessagePort;
  readonly #handler: PoolHandler;
  readonly #hooks: JobRunnerHooks;
  readonly #context: PoolContext;
  /** Index of the thread's record in words. */
  readonly #own: number;
  #sinceTurn = 0;
  #pauseMs = FIRST_PAUSE_MS;

  constructor(data: PoolThreadData, handler: PoolHandler, hooks: JobRunnerHooks) {
    this.#core = Core.attach(data.memory.core);
    this.#slots = Pool.attach(this.#core, data.memory.slots);
    this.#arena = Arena.attach(this.#core, data.memory.arena);
    this.#data = data;
    this.#values = data.values;
    this.#handler = handler;
    this.#hooks = hooks;
    this.#context = Object.freeze({ thread: data.id, data: data.data });
    this.#own = data.record >>> 2;
  }

  /** Runs jobs until a packet says to end. */
  async run(): Promise<void> {
    const { exports, u32, f64 } = this.#core;
    const { jobs } = this.#data.memory;
    const packet = this.#data.record + ThreadRecord.packet;
    this.#setState(ThreadState.IDLE);
    for (;;) {
      if (this.#sinceTurn >= JOBS_PER_TURN) await this.#turn();
      if (exports.queuePop(jobs, packet) !== 1) {
        this.#setState(ThreadState.IDLE);
        const isLong = this.#pauseMs > LAST_PAUSE_MS;
        if (exports.queuePopStep(jobs, packet, isLong ? Infinity : this.#pauseMs) !== 1) {
          if (isLong) continue;
          await this.#turn();
          this.#pauseMs *= 2;
          continue;
        }
      }
      if (u32[(packet + Completion.flags) >>> 2] === PACKET_EXIT) return;
      this.#setState(ThreadState.BUSY);
      const slot = this.#slots.check(f64[(packet + Completion.token) >>> 3] as number);
      if (slot === undefined) continue;
      const job = this.#claim(slot);
      if (job === 0) continue;
      const first = this.#inTurn(job, slot);
      if (first !== undefined) await this.#process(first);
      Atomics.store(u32, this.#own + ThreadRecord.current / 4, 0);
    }
  }

  async #turn(): Promise<void> {
    this.#sinceTurn = 0;
    await this.#hooks.turn();
  }

  #setState(state: number): void {
    Atomics.store(this.#core.u32, this.#own + ThreadRecord.state / 4, state);
  }

  /** The job's address in words if it is this thread's now; 0 if another packet of it came first. */
  #claim(slot: number): number {
    const { u32 } = this.#core;
    const job = this.#slots.slotAddress(slot) >>> 2;
    Atomics.store(u32, this.#own + ThreadRecord.current / 4, slot + 1);
    const id = this.#data.id << STATE_THREAD_SHIFT;
    const { QUEUED, WITHDRAWN, TAKEN, SKIPPING } = JobState;
    const found = Atomics.compareExchange(u32, job, QUEUED, TAKEN | id);
    if (found === QUEUED) return job;
    if (found === WITHDRAWN) {
      const again = Atomics.compareExchange(u32, job, WITHDRAWN, SKIPPING | id);
      if (again === WITHDRAWN) return job;
    }
    Atomics.store(u32, this.#own + ThreadRecord.current / 4, 0);
    return 0;
  }

  /** The slot to process now, or undefined if the job waits in its key's store. */
  #inTurn(job: number, slot: number): number | undefined {
    const { u32 } = this.#core;
    const lane = u32[job + JobRecord.lane / 4] as number;
    if (lane === 0 || u32[job + JobRecord.resumed / 4] === 1) return slot;
    return this.#lane(lane).getNext(u32[job + JobRecord.sequence / 4] as number, slot);
  }

  #lane(address: number): ReorderBuffer {
    let lane = this.#lanes.get(address);
    if (lane === undefined) {
      lane = ReorderBuffer.attach(this.#core, address);
      this.#lanes.set(address, lane);
    }
    return lane;
  }

  /** Runs the job in `slot`, then those of its key that have arrived meanwhile. */
  async #process(slot: number): Promise<void> {
    const { u32 } = this.#core;
    const own = this.#own;
    for (let next: number | undefined = slot; next !== undefined; ) {
      const job = this.#slots.slotAddress(next) >>> 2;
      const lane = u32[job + JobRecord.lane / 4] as number;
      Atomics.store(u32, own + ThreadRecord.sequence / 4, u32[job + JobRecord.sequence / 4] ?? 0);
      Atomics.store(u32, own + ThreadRecord.lane / 4, lane);
      Atomics.store(u32, own + ThreadRecord.current / 4, next + 1);
      const running = this.#execute(job);
      if (running !== undefined) await running;
      this.#report(next, job);
      next = lane === 0 ? undefined : this.#lane(lane).processAndGetNext();
    }
    Atomics.store(u32, own + ThreadRecord.lane / 4, 0);
  }

  /** Calls the handler and writes the outcome; a promise if the handler returned one. */
  #execute(job: number): Promise<void> | undefined {
    const { u32, u8, f64 } = this.#core;
    const state = Atomics.load(u32, job) & STATE_MASK;
    if (state === JobState.SKIPPING) {
      u32[job + JobRecord.outcome / 4] = Outcome.WITHDRAWN;
      return undefined;
    }
    f64[(this.#data.record + ThreadRecord.calledAtMs) >>> 3] = Date.now();
    Atomics.store(u32, job, JobState.RUNNING | (this.#data.id << STATE_THREAD_SHIFT));
    this.#sinceTurn++;
    this.#pauseMs = FIRST_PAUSE_MS;
    const block = u32[job + JobRecord.block / 4] as number;
    const end = block + (u32[job + JobRecord.lengthBytes / 4] as number);
    try {
      const bytes =
        block === 0 ? NO_BYTES : this.#data.owned ? u8.slice(block, end) : u8.subarray(block, end);
      const result = this.#handler(bytes, this.#context);
      if (isThenable(result)) {
        return Promise.resolve(result).then(
          (value) => this.#keep(job, value),
          (error) => this.#keepException(job, error),
        );
      }
      this.#keep(job, result);
    } catch (error) {
      this.#keepException(job, error);
    }
    return undefined;
  }

  #report(slot: number, job: number): void {
    const { exports, u32 } = this.#core;
    const { done, wake } = this.#data.memory;
    // The token before the state: afterwards the dispatcher may give the slot away.
    const token = this.#slots.token(slot);
    Atomics.store(u32, job, JobState.DONE | (this.#data.id << STATE_THREAD_SHIFT));
    const pushed = exports.queuePush(done, token, 0, 0, 0, 0);
    if (pushed !== 0) throw new Error(`the queue of finished jobs refused a packet: ${pushed}`);
    if (Atomics.load(u32, wake >>> 2) === 1 && Atomics.exchange(u32, wake >>> 2, 0) === 1) {
      this.#hooks.wake();
    }
  }

  #keep(job: number, value: unknown): void {
    const { u32, f64 } = this.#core;
    if (value === undefined) u32[job + JobRecord.outcome / 4] = Outcome.NOTHING;
    else if (typeof value === 'number') {
      f64[(job * 4 + JobRecord.number) >>> 3] = value;
      u32[job + JobRecord.outcome / 4] = Outcome.NUMBER;
    } else if (value instanceof Uint8Array) this.#keepBytes(job, value);
    else this.#post(job, value);
  }

  /** Into the job's own block where it fits, else into another; past that, through the port. */
  #keepBytes(job: number, bytes: Uint8Array): void {
    const { u32, u8 } = this.#core;
    const block = u32[job + JobRecord.block / 4] as number;
    let output = block;
    if (block === 0 || bytes.length > this.#arena.blockBytes(block)) {
      output = bytes.length === 0 ? 0 : (this.#arena.alloc(bytes.length) ?? 0);
      // A copy that is not on shared memory: the clone of a view takes its whole memory along.
      if (output === 0 && bytes.length > 0) {
        this.#post(job, new Uint8Array(bytes));
        return;
      }
    }
    // They may overlap: `set` copies as if through a second buffer.
    if (output !== 0) u8.set(bytes, output);
    u32[job + JobRecord.output / 4] = output;
    u32[job + JobRecord.outputBytes / 4] = bytes.length;
    u32[job + JobRecord.outcome / 4] = Outcome.BYTES;
  }

  #post(job: number, value: unknown): void {
    try {
      this.#values.postMessage(value);
    } catch (error) {
      // Not something that can be cloned.
      this.#keepException(job, error);
      return;
    }
    this.#core.u32[job + JobRecord.outcome / 4] = Outcome.VALUE;
  }

  #keepException(job: number, error: unknown): void {
    postError(error, (cloneable) => this.#values.postMessage(cloneable));
    this.#core.u32[job + JobRecord.outcome / 4] = Outcome.EXCEPTION;
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}

/** Posts an exception: as it is where the host clones it whole, else its text and stack. */
export function postError(error: unknown, post: (error: unknown) => void): void {
  try {
    // Of a DOMException some hosts clone nothing.
    if (!(error instanceof DOMException)) {
      post(error);
      return;
    }
  } catch {
    // It has something in it that cannot be cloned.
  }
  const plain = new Error(textOf(error));
  if (error instanceof Error && error.stack !== undefined) plain.stack = error.stack;
  post(plain);
}

function textOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return 'a value that has no text';
  }
}
