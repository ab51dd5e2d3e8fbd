/** The in-order store as plain TypeScript. Numbers are absolute: they never wrap here. */
export type ReorderOutcome = number | 'nothing' | 'duplicate' | 'out of window' | 'none in hand';

export class ReorderModel {
  readonly window: number;
  next: number;
  processing = false;
  readonly #stored = new Map<number, number>();

  constructor(window: number, next: number) {
    this.window = window;
    this.next = next;
  }

  get stored(): number {
    return this.#stored.size;
  }

  getNext(absolute: number, value: number): ReorderOutcome {
    if (absolute < this.next || this.#stored.has(absolute)) return 'duplicate';
    if (absolute === this.next) {
      if (this.processing) return 'duplicate';
      this.processing = true;
      return value;
    }
    if (absolute >= this.next + this.window) return 'out of window';
    this.#stored.set(absolute, value);
    return 'nothing';
  }

  processAndGetNext(): ReorderOutcome {
    if (!this.processing) return 'none in hand';
    this.next++;
    return this.#take(this.next) ?? 'nothing';
  }

  drain(): number | undefined {
    const first = Math.min(...this.#stored.keys());
    const value = this.#stored.get(first);
    this.#stored.delete(first);
    return value;
  }

  #take(absolute: number): number | undefined {
    const value = this.#stored.get(absolute);
    this.processing = value !== undefined;
    this.#stored.delete(absolute);
    return value;
  }
}
