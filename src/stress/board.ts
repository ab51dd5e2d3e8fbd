/** Words in shared memory that an experiment's threads count on, and that the screen reads while they run. */
import type { Core } from '../core/core.ts';

/** What every experiment has. */
export const Word = {
  /** Threads stand at the gate. */
  arrived: 0,
  /** The gate: 0 is shut. */
  open: 1,
  /** 1: everyone ends what it is at, and returns. */
  stop: 2,
  /** Nobody ever changes it: for sleeping. */
  never: 3,
  /** Threads inside the call that the experiment is about. */
  inside: 4,
  /** Calls that began while another was under way. */
  overlaps: 5,
  /** What has been checked: slices, packets, operations. */
  checked: 6,
  /** What of it was wrong. */
  wrong: 7,
  /** Calls that took or brought only a part. */
  partial: 8,
  /** Times that a thread had to wait for room. */
  waits: 9,
} as const;
export type WordName = keyof typeof Word;

const WORDS = 16;

export class Board {
  readonly address: number;
  readonly #words: Int32Array;

  constructor(core: Core, address: number = core.reserve(WORDS * 4)) {
    this.address = address;
    this.#words = core.i32.subarray(address >>> 2, (address >>> 2) + WORDS);
  }

  get(name: WordName): number {
    return Atomics.load(this.#words, Word[name]);
  }

  /** Adds one and returns what there is then. */
  count(name: WordName): number {
    return Atomics.add(this.#words, Word[name], 1) + 1;
  }

  get stopped(): boolean {
    return this.get('stop') !== 0;
  }

  stop(): void {
    Atomics.store(this.#words, Word.stop, 1);
  }

  /** Opens the gate for all threads at once. */
  openGate(): void {
    Atomics.store(this.#words, Word.open, 1);
    Atomics.notify(this.#words, Word.open);
  }

  /** Waits until all threads may begin together. */
  passGate(): void {
    this.count('arrived');
    Atomics.wait(this.#words, Word.open, 0);
  }

  /** Sleeps; not for the main thread. */
  sleep(ms: number): void {
    Atomics.wait(this.#words, Word.never, 0, ms);
  }

  /** Makes a call that is looked at: how many are under way at once. */
  watched<T>(call: () => T): T {
    if (Atomics.add(this.#words, Word.inside, 1) > 0) this.count('overlaps');
    try {
      return call();
    } finally {
      Atomics.sub(this.#words, Word.inside, 1);
    }
  }
}

/** What a role works with. */
export interface Stage {
  readonly core: Core;
  readonly board: Board;
}
