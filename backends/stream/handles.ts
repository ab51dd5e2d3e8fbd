/** Handle numbers of a backend whose host has none of its own. */

/**
 * Small numbers for open sockets. A number is given out again only after
 * `release`, which a backend calls when the close has completed; released
 * numbers wait in a queue, so that a stale one is noticed for as long as possible.
 */
export class HandleTable<Entry> {
  readonly #entries: (Entry | undefined)[] = [];
  #free: number[] = [];
  #released: number[] = [];
  #open = 0;

  get open(): number {
    return this.#open;
  }

  add(entry: Entry): number {
    this.#open++;
    if (this.#free.length === 0 && this.#released.length > 64) {
      this.#free = this.#released.reverse();
      this.#released = [];
    }
    const handle = this.#free.pop();
    if (handle === undefined) return this.#entries.push(entry) - 1;
    this.#entries[handle] = entry;
    return handle;
  }

  get(handle: number): Entry | undefined {
    return this.#entries[handle];
  }

  release(handle: number): void {
    if (this.#entries[handle] === undefined) return;
    this.#entries[handle] = undefined;
    this.#released.push(handle);
    this.#open--;
  }

  /** What is open now: a copy, so that closing may release while iterating. */
  list(): Entry[] {
    return this.#entries.filter((entry) => entry !== undefined);
  }
}
