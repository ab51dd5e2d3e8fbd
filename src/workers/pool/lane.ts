/** The order of one key: its numbers, its in-order store, and what waits in front of them. */
import { InOrderStore } from '#generated/layout';
import type { Core } from '../../core/core.ts';
import { ReorderBuffer } from '../../core/reorder-buffer.ts';
import { LANE_JOBS_MAX, LANE_WINDOW } from './records.ts';

/** What orders jobs: a connection's token, or any other number or text. */
export type PoolKey = number | string;

/**
 * A lane belongs to a key while that has jobs. Its numbers go on when it is
 * given to the next key: a thread may not have left it yet. What a job is, it
 * need not know.
 */
export class Lane<Job> {
  readonly store: ReorderBuffer;
  key: PoolKey | undefined;
  /** Jobs with a number and without an answer. */
  numbered = 0;
  /** Jobs beyond LANE_JOBS_MAX, oldest first: they have no number yet. */
  readonly backlog: Job[] = [];
  readonly #core: Core;
  #next = 0;

  constructor(core: Core) {
    this.#core = core;
    this.store = ReorderBuffer.create(core, { window: LANE_WINDOW });
  }

  get hasRoom(): boolean {
    return this.numbered < LANE_JOBS_MAX && this.backlog.length === 0;
  }

  takeNumber(): number {
    const number = this.#next;
    this.#next = (number + 1) >>> 0;
    this.numbered++;
    return number;
  }

  /** Whether `slot` lies in the store under `sequence`. For recovery: reads without the lock. */
  holds(sequence: number, slot: number): boolean {
    const { i32, u32 } = this.#core;
    const values = u32[(this.store.address + InOrderStore.values) >>> 2] as number;
    const mask = u32[(this.store.address + InOrderStore.mask) >>> 2] as number;
    return Atomics.load(i32, (values >>> 2) + (sequence & mask)) === slot;
  }
}

/** The lanes of a pool: as many as keys ever had jobs at one time. */
export class Lanes<Job> {
  readonly #core: Core;
  readonly #byKey = new Map<PoolKey, Lane<Job>>();
  readonly #byAddress = new Map<number, Lane<Job>>();
  readonly #free: Lane<Job>[] = [];

  constructor(core: Core) {
    this.#core = core;
  }

  /** The lane of a key, its own while it has jobs. */
  of(key: PoolKey): Lane<Job> {
    let lane = this.#byKey.get(key);
    if (lane !== undefined) return lane;
    lane = this.#free.pop() ?? this.#create();
    lane.key = key;
    this.#byKey.set(key, lane);
    return lane;
  }

  at(address: number): Lane<Job> | undefined {
    return this.#byAddress.get(address);
  }

  /** To be called when a job of the lane was answered. */
  letGo(lane: Lane<Job>): void {
    if (lane.numbered > 0 || lane.backlog.length > 0 || lane.key === undefined) return;
    this.#byKey.delete(lane.key);
    lane.key = undefined;
    this.#free.push(lane);
  }

  /** Keys that have jobs. */
  get keys(): number {
    return this.#byKey.size;
  }

  #create(): Lane<Job> {
    const lane = new Lane<Job>(this.#core);
    this.#byAddress.set(lane.store.address, lane);
    return lane;
  }
}
