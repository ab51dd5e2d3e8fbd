/** A lock and a queue between threads by hand: `Atomics` on an Int32Array, the algorithms of the core. */

const LOCK_SPINS = 40;

/** The mutex of Drepper's "Futexes Are Tricky": 0 free, 1 held, 2 held with sleepers. */
export function acquire(words: Int32Array, lock: number): void {
  if (Atomics.compareExchange(words, lock, 0, 1) === 0) return;
  for (let look = 0; look < LOCK_SPINS; look++) {
    if (Atomics.load(words, lock) === 0 && Atomics.compareExchange(words, lock, 0, 1) === 0) return;
  }
  while (Atomics.exchange(words, lock, 2) !== 0) Atomics.wait(words, lock, 2);
}

export function release(words: Int32Array, lock: number): void {
  if (Atomics.exchange(words, lock, 0) === 2) Atomics.notify(words, lock, 1);
}

/** Words of a queue before its cells; each position on a cache line of its own. */
const ENQUEUE = 0;
const DEQUEUE = 16;
const SLEEPERS = 32;
const POSTS = 33;
const CELLS = 48;
/** A ticket and a value, as wide as the core's cells. */
const CELL_WORDS = 8;

/** A bounded queue of any number of producers and consumers, after Dmitry Vyukov. */
export class PlainQueue {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #mask: number;
  #taken = 0;

  /** `at`: the first of `PlainQueue.words(log2)` words, a multiple of 16. */
  constructor(words: Int32Array, at: number, log2: number) {
    this.#words = words;
    this.#at = at;
    this.#mask = (1 << log2) - 1;
  }

  static words(log2: number): number {
    return CELLS + (CELL_WORDS << log2);
  }

  /** Once, before any thread uses it. */
  init(): void {
    for (let index = 0; index <= this.#mask; index++) {
      this.#words[this.#at + CELLS + index * CELL_WORDS] = index;
    }
  }

  push(value: number): boolean {
    const words = this.#words;
    const at = this.#at;
    let position = Atomics.load(words, at + ENQUEUE);
    for (;;) {
      const cell = at + CELLS + (position & this.#mask) * CELL_WORDS;
      const turn = (Atomics.load(words, cell) - position) | 0;
      if (turn === 0) {
        const next = (position + 1) | 0;
        const found = Atomics.compareExchange(words, at + ENQUEUE, position, next);
        if (found === position) {
          words[cell + 1] = value;
          words[cell + 2] = 0;
          words[cell + 3] = value;
          words[cell + 4] = -100;
          words[cell + 5] = 0;
          Atomics.store(words, cell, next);
          if (Atomics.load(words, at + SLEEPERS) > 0) this.#post();
          return true;
        }
        position = found;
      } else {
        const again = Atomics.load(words, at + ENQUEUE);
        if (turn < 0 && again === position) return false;
        position = again;
      }
    }
  }

  /** True, and the value in `taken`. */
  pop(): boolean {
    const words = this.#words;
    const at = this.#at;
    let position = Atomics.load(words, at + DEQUEUE);
    for (;;) {
      const cell = at + CELLS + (position & this.#mask) * CELL_WORDS;
      const turn = (Atomics.load(words, cell) - position - 1) | 0;
      if (turn === 0) {
        const next = (position + 1) | 0;
        const found = Atomics.compareExchange(words, at + DEQUEUE, position, next);
        if (found === position) {
          this.#taken = words[cell + 3] as number;
          Atomics.store(words, cell, (position + this.#mask + 1) | 0);
          if (Atomics.load(words, at + SLEEPERS) > 0) this.#passOn();
          return true;
        }
        position = found;
      } else {
        const again = Atomics.load(words, at + DEQUEUE);
        if (turn < 0 && again === position) return false;
        position = again;
      }
    }
  }

  get taken(): number {
    return this.#taken;
  }

  /** As `pop`, asleep for at most `timeoutMs` where there is nothing. */
  popWait(timeoutMs: number): boolean {
    if (this.pop()) return true;
    const words = this.#words;
    const at = this.#at;
    Atomics.add(words, at + SLEEPERS, 1);
    const posts = Atomics.load(words, at + POSTS);
    let taken = this.pop();
    if (!taken) {
      Atomics.wait(words, at + POSTS, posts, timeoutMs);
      taken = this.pop();
    }
    Atomics.sub(words, at + SLEEPERS, 1);
    return taken;
  }

  #passOn(): void {
    const words = this.#words;
    const position = Atomics.load(words, this.#at + DEQUEUE);
    const cell = this.#at + CELLS + (position & this.#mask) * CELL_WORDS;
    if (Atomics.load(words, cell) === ((position + 1) | 0)) this.#post();
  }

  #post(): void {
    Atomics.add(this.#words, this.#at + POSTS, 1);
    Atomics.notify(this.#words, this.#at + POSTS, 1);
  }
}
