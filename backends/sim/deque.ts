/** A list whose ends are quick: what comes last is taken last. */
export class Deque<Item> {
  /** A ring; its length is a power of two. */
  #places: (Item | undefined)[] = [undefined, undefined, undefined, undefined];
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get first(): Item | undefined {
    return this.#places[this.#head];
  }

  get last(): Item | undefined {
    return this.#places[(this.#head + this.#length - 1) & (this.#places.length - 1)];
  }

  push(item: Item): void {
    if (this.#length === this.#places.length) this.#grow();
    this.#places[(this.#head + this.#length) & (this.#places.length - 1)] = item;
    this.#length += 1;
  }

  shift(): Item | undefined {
    const item = this.#places[this.#head];
    if (this.#length === 0) return undefined;
    this.#places[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#places.length - 1);
    this.#length -= 1;
    return item;
  }

  /** False if it is not there. */
  remove(item: Item): boolean {
    const all = this.takeAll();
    const place = all.indexOf(item);
    if (place >= 0) all.splice(place, 1);
    for (const other of all) this.push(other);
    return place >= 0;
  }

  /** All, first to last; nothing is left. */
  takeAll(): Item[] {
    const all = [...this];
    this.#places.fill(undefined);
    this.#head = 0;
    this.#length = 0;
    return all;
  }

  *[Symbol.iterator](): IterableIterator<Item> {
    const mask = this.#places.length - 1;
    for (let index = 0; index < this.#length; index += 1) {
      yield this.#places[(this.#head + index) & mask] as Item;
    }
  }

  #grow(): void {
    const inOrder: (Item | undefined)[] = [...this];
    // No holes: a list with holes is slower.
    for (let index = 0; index < this.#length; index += 1) inOrder.push(undefined);
    this.#places = inOrder;
    this.#head = 0;
  }
}
