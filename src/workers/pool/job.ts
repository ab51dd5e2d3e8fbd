/** A job as its dispatcher sees it. */
import type { Attached } from './attached.ts';
import type { Lane, PoolKey } from './lane.ts';

/** How many dispatches have no answer. */
export interface Tally {
  unanswered: number;
}

/** A block of the pool's memory with the bytes of a job or of a result. Whoever takes it frees it. */
export class Block {
  readonly lengthBytes: number;
  #address: number;

  /** `address` is 0 for no bytes. */
  constructor(address: number, lengthBytes: number) {
    this.#address = address;
    this.lengthBytes = lengthBytes;
  }

  /** Its address, the caller's own from now on; 0 if somebody has taken it. */
  take(): number {
    const address = this.#address;
    this.#address = 0;
    return address;
  }
}

/** One call of `dispatch`. It is answered once. */
export class Dispatch {
  readonly key: PoolKey | undefined;
  readonly atMs: number;
  /** No thread took it within the dispatch timeout: counted. */
  late = false;
  /** The attached thread that made it; undefined: this thread. */
  readonly from: Attached | undefined;
  /** Its result was handed over in its key's turn, to an attached thread. */
  inTurn = false;
  #answered = false;
  readonly #tally: Tally;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    tally: Tally,
    key: PoolKey | undefined,
    atMs: number,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
    from?: Attached,
  ) {
    this.#tally = tally;
    this.from = from;
    this.key = key;
    this.atMs = atMs;
    this.#resolve = resolve;
    this.#reject = reject;
    tally.unanswered++;
  }

  get answered(): boolean {
    return this.#answered;
  }

  resolve(value: unknown): void {
    if (this.#note()) this.#resolve(value);
  }

  reject(error: unknown): void {
    if (this.#note()) this.#reject(error);
  }

  #note(): boolean {
    if (this.#answered) return false;
    this.#answered = true;
    this.#tally.unanswered--;
    return true;
  }
}

/** A dispatch that has a slot in the pool's memory, until it has been answered by a thread. */
export class Job {
  readonly slot: number;
  readonly token: number;
  /** Address of its record, in words. */
  readonly record: number;
  readonly lane: Lane<Job> | undefined;
  readonly dispatch: Dispatch;
  /** Its number in the lane, once it is queued. */
  sequence = 0;
  /** Which packet of the queue, counted from the first on, is the job's; -1 before it is queued. */
  position = -1;
  /** Since when it waits for a thread. */
  queuedAtMs = 0;

  constructor(
    slot: number,
    token: number,
    record: number,
    lane: Lane<Job> | undefined,
    dispatch: Dispatch,
  ) {
    this.slot = slot;
    this.token = token;
    this.record = record;
    this.lane = lane;
    this.dispatch = dispatch;
  }
}
