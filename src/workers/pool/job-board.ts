/** The dispatcher's half of the queue: accepts jobs, queues them, withdraws them, takes answers. */
import { OverlappedError } from '../../errors.ts';
import { Block, type Dispatch, Job } from './job.ts';
import { type Lane, Lanes } from './lane.ts';
import type { PoolMemory } from './pool-memory.ts';
import {
  JobRecord,
  JobState,
  Outcome,
  PACKET_EXIT,
  PACKET_JOB,
  STATE_MASK,
  STATE_THREAD_SHIFT,
} from './records.ts';

/** How a job ended. */
export type Answer =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'exception'; readonly error: unknown }
  | { readonly kind: 'withdrawn' };

/** Reads the next value that a thread posted, or undefined if there is none. */
export type ReadValue = (thread: number) => { readonly message: unknown } | undefined;

export class JobBoard {
  readonly #memory: PoolMemory;
  readonly #lanes: Lanes<Job>;
  readonly #jobs: (Job | undefined)[];
  /** Jobs by the place of their packet in the queue's ring. */
  readonly #ring: (Job | undefined)[];
  readonly #mask: number;
  /** Packets pushed ever. */
  #pushed = 0;
  /** Jobs accepted and not answered. */
  pending = 0;

  constructor(memory: PoolMemory) {
    this.#memory = memory;
    this.#lanes = new Lanes(memory.core);
    this.#jobs = new Array(memory.slots.capacity).fill(undefined);
    this.#ring = new Array(memory.jobs.capacity).fill(undefined);
    this.#mask = memory.jobs.capacity - 1;
  }

  get hasSlot(): boolean {
    return this.pending < this.#jobs.length;
  }

  get keys(): number {
    return this.#lanes.keys;
  }

  /** Takes the block, or copies the bytes, and queues the job; false if there is no room for it now. */
  accept(bytes: Uint8Array | Block, dispatch: Dispatch): boolean {
    const { slots, core } = this.#memory;
    const slot = slots.acquire();
    if (slot === undefined) return false;
    const block = bytes instanceof Block ? bytes.take() : this.#copy(bytes);
    if (block === undefined) {
      slots.release(slot);
      return false;
    }
    const record = slots.slotAddress(slot) >>> 2;
    const { u32 } = core;
    u32[record + JobRecord.block / 4] = block;
    u32[record + JobRecord.lengthBytes / 4] =
      bytes instanceof Block ? bytes.lengthBytes : bytes.length;
    u32[record + JobRecord.output / 4] = 0;
    u32[record + JobRecord.resumed / 4] = 0;
    const lane = dispatch.key === undefined ? undefined : this.#lanes.of(dispatch.key);
    u32[record + JobRecord.lane / 4] = lane?.store.address ?? 0;
    const job = new Job(slot, slots.token(slot), record, lane, dispatch);
    this.#jobs[slot] = job;
    this.pending++;
    if (lane === undefined || lane.hasRoom) this.#number(job, dispatch.atMs);
    else lane.backlog.push(job);
    return true;
  }

  /** Address of a copy, 0 for no bytes; undefined if there is no memory for it. */
  #copy(bytes: Uint8Array): number | undefined {
    if (bytes.length === 0) return 0;
    const { arena, core } = this.#memory;
    const block = arena.alloc(bytes.length);
    if (block !== undefined) core.u8.set(bytes, block);
    return block;
  }

  #number(job: Job, nowMs: number): void {
    if (job.lane !== undefined) job.sequence = job.lane.takeNumber();
    this.#memory.core.u32[job.record + JobRecord.sequence / 4] = job.sequence;
    job.queuedAtMs = nowMs;
    this.push(job);
  }

  /** Queues a job that no thread has; `state` is QUEUED or WITHDRAWN. */
  push(job: Job, state: number = JobState.QUEUED): void {
    Atomics.store(this.#memory.core.u32, job.record, state);
    this.pushAgain(job);
  }

  /** One more packet for a job that may have lost its own; its state is not touched. */
  pushAgain(job: Job): void {
    job.position = this.#pushed;
    this.#ring[this.#pushed & this.#mask] = job;
    this.#post(job.token, PACKET_JOB);
  }

  /** One thread, whichever takes the packet, ends. */
  pushExit(): void {
    this.#ring[this.#pushed & this.#mask] = undefined;
    this.#post(0, PACKET_EXIT);
  }

  #post(token: number, flags: number): void {
    if (!this.#memory.jobs.push({ token, flags })) {
      throw new OverlappedError(
        'NO_BUFFERS',
        'the queue of jobs is full, which its size rules out',
      );
    }
    this.#pushed++;
  }

  /** Packets that threads have taken. */
  get taken(): number {
    return this.#pushed - this.#memory.jobs.length;
  }

  /** Jobs that no thread has taken yet, oldest first. */
  *untaken(): Generator<Job> {
    for (let position = this.taken; position < this.#pushed; position++) {
      const job = this.#ring[position & this.#mask];
      if (job?.position === position && !job.dispatch.answered) yield job;
    }
  }

  get untakenCount(): number {
    return this.#memory.jobs.length;
  }

  /** Takes a job back that no thread has taken; false if one has. */
  withdraw(job: Job): boolean {
    const { u32 } = this.#memory.core;
    const { QUEUED, WITHDRAWN } = JobState;
    return Atomics.compareExchange(u32, job.record, QUEUED, WITHDRAWN) === QUEUED;
  }

  /** The job that a token of the queue of finished jobs names. */
  find(token: number): Job | undefined {
    const slot = this.#memory.slots.check(token);
    return slot === undefined ? undefined : this.#jobs[slot];
  }

  inSlot(slot: number): Job | undefined {
    return this.#jobs[slot];
  }

  /** The job that has this number of the lane. */
  numbered(lane: Lane<Job>, sequence: number): Job | undefined {
    return this.#jobs.find(
      (job) => job?.lane === lane && job.sequence === sequence && job.position >= 0,
    );
  }

  /** Accepted and not answered. */
  *all(): Generator<Job> {
    for (const job of this.#jobs) if (job !== undefined) yield job;
  }

  stateOf(job: Job): number {
    return Atomics.load(this.#memory.core.u32, job.record) & STATE_MASK;
  }

  threadOf(job: Job): number {
    return Atomics.load(this.#memory.core.u32, job.record) >>> STATE_THREAD_SHIFT;
  }

  /** What the thread wrote down as the job's outcome. */
  answerOf(job: Job, readValue: ReadValue): Answer {
    const { u8, u32, f64 } = this.#memory.core;
    switch (u32[job.record + JobRecord.outcome / 4]) {
      case Outcome.NOTHING:
        return { kind: 'value', value: undefined };
      case Outcome.NUMBER:
        return { kind: 'value', value: f64[(job.record * 4 + JobRecord.number) >>> 3] };
      case Outcome.BYTES: {
        const output = u32[job.record + JobRecord.output / 4] as number;
        const end = output + (u32[job.record + JobRecord.outputBytes / 4] as number);
        return { kind: 'value', value: u8.slice(output, end) };
      }
      case Outcome.WITHDRAWN:
        return { kind: 'withdrawn' };
      case Outcome.VALUE:
      case Outcome.EXCEPTION: {
        const posted = readValue(this.threadOf(job));
        if (posted === undefined) break;
        return u32[job.record + JobRecord.outcome / 4] === Outcome.VALUE
          ? { kind: 'value', value: posted.message }
          : { kind: 'exception', error: posted.message };
      }
    }
    const message = 'the result was lost with the thread that had it';
    return { kind: 'exception', error: new OverlappedError('ABORTED', message) };
  }

  /** The block with the job's result, the caller's from now on; undefined if that is not bytes. */
  takeOutput(job: Job): Block | undefined {
    const { u32 } = this.#memory.core;
    const { record } = job;
    if (u32[record + JobRecord.outcome / 4] !== Outcome.BYTES) return undefined;
    const output = u32[record + JobRecord.output / 4] as number;
    if (u32[record + JobRecord.block / 4] === output) u32[record + JobRecord.block / 4] = 0;
    u32[record + JobRecord.output / 4] = 0;
    return new Block(output, u32[record + JobRecord.outputBytes / 4] as number);
  }

  /** Gives back what the job holds, and queues what waited for its number. */
  release(job: Job, nowMs: number): void {
    const { slots, arena, core } = this.#memory;
    const block = core.u32[job.record + JobRecord.block / 4] as number;
    const output = core.u32[job.record + JobRecord.output / 4] as number;
    if (block !== 0) arena.free(block);
    if (output !== 0 && output !== block) arena.free(output);
    Atomics.store(core.u32, job.record, JobState.FREE);
    this.#jobs[job.slot] = undefined;
    slots.release(job.slot);
    this.pending--;
    if (job.lane !== undefined) this.#advance(job.lane, nowMs);
  }

  #advance(lane: Lane<Job>, nowMs: number): void {
    lane.numbered--;
    const next = lane.backlog.shift();
    if (next !== undefined) this.#number(next, nowMs);
    this.#lanes.letGo(lane);
  }

  laneAt(address: number): Lane<Job> | undefined {
    return this.#lanes.at(address);
  }
}
