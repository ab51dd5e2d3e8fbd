/** What the network counts. */

/** Counted for each completion or each pass: fields, because a map of names takes its time. */
export class Frequent {
  completions = 0;
  passes = 0;
  segments = 0;
  bytesReceived = 0;
  bytesSent = 0;
}

export class Counters {
  readonly frequent = new Frequent();
  readonly #others = new Map<string, number>();

  count(name: string, amount: number): void {
    this.#others.set(name, (this.#others.get(name) ?? 0) + amount);
  }

  /** Only what has happened. */
  get all(): Readonly<Record<string, number>> {
    const frequent = Object.entries(this.frequent).filter(([, amount]) => amount > 0);
    return Object.fromEntries([...frequent, ...this.#others]);
  }
}
