/** The threads of a pool: starts, counts, replaces and joins them. */
import type { OverlappedError } from '../../errors.ts';
import type { PoolClock } from './clock.ts';
import type { PoolSettings } from './options.ts';
import type { PoolMemory } from './pool-memory.ts';
import { PoolThread } from './pool-thread.ts';
import { ThreadRecord, ThreadState } from './records.ts';

export interface CrewHooks {
  /** A thread has finished jobs. */
  wake(): void;
  /** A thread died at work; its record is as it left it. */
  died(thread: PoolThread): void;
  /** A thread has started or gone. */
  changed(): void;
}

export class Crew {
  readonly #memory: PoolMemory;
  readonly #settings: PoolSettings;
  readonly #clock: PoolClock;
  readonly #hooks: CrewHooks;
  readonly #threads = new Map<number, PoolThread>();
  readonly #freeIds: number[] = [];
  /** Addresses of thread records, by the thread's number. */
  readonly #records: number[] = [0];
  /** Exit packets that no thread has taken. */
  #exits = 0;
  #ending = false;
  /** The last thread could not start: no more until maintenance. */
  blocked = false;
  mostThreads = 0;
  replaced = 0;
  deaths = 0;
  failedStarts = 0;

  constructor(memory: PoolMemory, settings: PoolSettings, clock: PoolClock, hooks: CrewHooks) {
    this.#memory = memory;
    this.#settings = settings;
    this.#clock = clock;
    this.#hooks = hooks;
  }

  /** Starts the first threads; the reason if one of them could not. */
  async open(count: number): Promise<OverlappedError | undefined> {
    const threads = Array.from({ length: count }, () => this.#start());
    const results = await Promise.all(threads.map(({ started }) => started));
    return results.find((error) => error !== undefined);
  }

  /** Starts one more thread. */
  start(): void {
    try {
      this.#start();
    } catch {
      // No thread to be had from the host: the same as one that does not come up.
      this.failedStarts++;
      this.blocked = true;
    }
  }

  #start(): PoolThread {
    const id = this.#freeIds.pop() ?? this.#addRecord();
    const record = this.#records[id] as number;
    this.#memory.core.u8.fill(0, record, record + ThreadRecord.$size);
    const { handler, bytes, data, startTimeoutMs } = this.#settings;
    try {
      const thread = new PoolThread({
        memory: this.#memory.handle,
        id,
        record,
        handler,
        owned: bytes === 'owned',
        data,
        clock: this.#clock,
        startTimeoutMs,
        wake: this.#hooks.wake,
        gone: (gone) => this.#gone(gone),
      });
      this.#threads.set(id, thread);
      void thread.started.then((error) => error === undefined && this.#hooks.changed());
      this.mostThreads = Math.max(this.mostThreads, this.#threads.size);
      return thread;
    } catch (error) {
      this.#freeIds.push(id);
      throw error;
    }
  }

  #addRecord(): number {
    this.#records.push(this.#memory.core.reserve(ThreadRecord.$size));
    return this.#records.length - 1;
  }

  #gone(thread: PoolThread): void {
    this.#threads.delete(thread.id);
    // Its first message may have died with it.
    const hasBegun =
      thread.ready || this.#field(thread.record, ThreadRecord.state) !== ThreadState.STARTING;
    if (!hasBegun) {
      this.failedStarts++;
      this.blocked = true;
    } else if (thread.ended) {
      this.#exits = Math.max(this.#exits - 1, 0);
    } else {
      this.deaths++;
      this.#hooks.died(thread);
      if (!this.#ending) {
        this.replaced++;
        this.start();
      }
    }
    this.#freeIds.push(thread.id);
    if (!this.#ending) this.#hooks.changed();
  }

  /** Threads there are or will be, without those that were told to end. */
  get live(): number {
    return this.#threads.size - this.#exits;
  }

  get starting(): number {
    let count = 0;
    for (const thread of this.#threads.values()) if (!thread.ready) count++;
    return count;
  }

  /** Threads without a job. */
  get dormant(): number {
    return Math.max(this.#inState(ThreadState.IDLE) - this.#exits, 0);
  }

  get busy(): number {
    return this.#inState(ThreadState.BUSY);
  }

  #inState(state: number): number {
    let count = 0;
    for (const { ready, record } of this.#threads.values()) {
      if (ready && this.#field(record, ThreadRecord.state) === state) count++;
    }
    return count;
  }

  #field(record: number, offset: number): number {
    return Atomics.load(this.#memory.core.u32, (record + offset) >>> 2);
  }

  /** How long the longest running call of the handler has been running. */
  get longestRunningMs(): number {
    let longest = 0;
    for (const { ready, record } of this.#threads.values()) {
      if (!ready || this.#field(record, ThreadRecord.current) === 0) continue;
      const calledAtMs = this.#memory.core.f64[(record + ThreadRecord.calledAtMs) >>> 3] as number;
      if (calledAtMs > 0) longest = Math.max(longest, Date.now() - calledAtMs);
    }
    return longest;
  }

  /** Slots that threads have in hand. */
  slotsInHand(): ReadonlySet<number> {
    const slots = new Set<number>();
    for (const { record } of this.#threads.values()) {
      slots.add(this.#field(record, ThreadRecord.current) - 1);
    }
    return slots;
  }

  /** The next value that a thread posted. */
  readValue(id: number): { readonly message: unknown } | undefined {
    return this.#threads.get(id)?.readValue();
  }

  /** `count` exit packets have been queued. */
  noteExits(count: number): void {
    this.#exits += count;
  }

  /** From here on no thread is replaced. */
  stopReplacing(): void {
    this.#ending = true;
  }

  /** Resolves when every thread is gone. */
  async join(): Promise<void> {
    await Promise.all([...this.#threads.values()].map(({ joined }) => joined));
  }

  /** Ends what is left of the threads; how many there were. */
  async terminate(): Promise<number> {
    this.#ending = true;
    const threads = [...this.#threads.values()];
    await Promise.all(threads.map((thread) => thread.terminate()));
    return threads.length;
  }
}
