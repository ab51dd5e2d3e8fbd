/**
 * xoshiro128** seeded by splitmix32: small, fast, the same numbers in every
 * host. Not for secrets.
 * Blackman, Vigna: "Scrambled linear pseudorandom number generators", 2021.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** @param seed any finite number; all of its 53 bits count */
  constructor(seed: number) {
    let state = (seed ^ Math.imul(Math.floor(seed / 0x1_0000_0000), 0x85eb_ca6b)) | 0;
    const splitmix = () => {
      state = (state + 0x9e37_79b9) | 0;
      let mixed = state ^ (state >>> 16);
      mixed = Math.imul(mixed, 0x21f0_aaad);
      mixed ^= mixed >>> 15;
      mixed = Math.imul(mixed, 0x735a_2d97);
      return (mixed ^ (mixed >>> 15)) >>> 0;
    };
    this.#a = splitmix();
    this.#b = splitmix();
    this.#c = splitmix();
    this.#d = splitmix() | 1; // never all zero
  }

  /** Uniform in 0 … 2^32 - 1. */
  next(): number {
    const scrambled = Math.imul(this.#b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** Uniform in [0, 1). */
  real(): number {
    return this.next() / 0x1_0000_0000;
  }

  /** Uniform in first … last, both included. */
  integer(first: number, last: number): number {
    return first + Math.floor(this.real() * (last - first + 1));
  }

  /** True with the given probability; draws nothing where the answer is certain. */
  chance(probability: number): boolean {
    if (probability <= 0) return false;
    if (probability >= 1) return true;
    return this.real() < probability;
  }

  /** Uniform real in [least, most]; draws nothing where both are equal. */
  between(range: readonly [number, number]): number {
    return range[0] === range[1] ? range[0] : range[0] + this.real() * (range[1] - range[0]);
  }
}
