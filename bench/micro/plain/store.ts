/** In-order stores by hand: a ring of 32-bit values, and a Map. */

const NOTHING = -100;

/** With every check that the core makes. Values are 0 and above. */
export class PlainStore {
  readonly #values: Int32Array;
  readonly #mask: number;
  #next = 0;
  #processing = false;

  constructor(window: number) {
    this.#values = new Int32Array(window).fill(NOTHING);
    this.#mask = window - 1;
  }

  getNext(sequence: number, value: number): number {
    if (value < 0) return -19;
    const distance = (sequence - this.#next) | 0;
    if (distance === 0) {
      if (this.#processing) return -14;
      this.#processing = true;
      return value;
    }
    if (distance < 0) return -14;
    if (distance > this.#mask) return -18;
    const place = sequence & this.#mask;
    if (this.#values[place] !== NOTHING) return -14;
    this.#values[place] = value;
    return NOTHING;
  }

  processAndGetNext(): number {
    if (!this.#processing) return -19;
    const next = (this.#next + 1) | 0;
    this.#next = next;
    const place = next & this.#mask;
    const value = this.#values[place] as number;
    if (value === NOTHING) {
      this.#processing = false;
      return NOTHING;
    }
    this.#values[place] = NOTHING;
    return value;
  }
}

export class MapStore {
  readonly #waiting = new Map<number, number>();
  #next = 0;

  /** Calls `process` for each value whose turn it is. */
  put(sequence: number, value: number, process: (value: number) => void): void {
    if (sequence !== this.#next) {
      if (sequence < this.#next || this.#waiting.has(sequence)) throw new Error('twice');
      this.#waiting.set(sequence, value);
      return;
    }
    process(value);
    for (this.#next++; ; this.#next++) {
      const waiting = this.#waiting.get(this.#next);
      if (waiting === undefined) return;
      this.#waiting.delete(this.#next);
      process(waiting);
    }
  }
}
