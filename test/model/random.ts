/** Numbers from a seed: mulberry32, the same everywhere. */
export class Random {
  #state = 0;

  constructor(seed: number) {
    this.seed(seed);
  }

  /** Begins again. Neighbouring seeds give unlike numbers. */
  seed(seed: number): void {
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b);
  }

  /** An integer from 0 to `bound - 1`. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  }
}
