/** The pool as plain TypeScript: a stack of returned slots above those never handed out. */
export class PoolModel {
  readonly capacity: number;
  readonly inUse = new Set<number>();
  readonly #returned: number[] = [];
  #fresh = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  acquire(): number | undefined {
    const slot = this.#returned.pop() ?? (this.#fresh < this.capacity ? this.#fresh++ : undefined);
    if (slot !== undefined) this.inUse.add(slot);
    return slot;
  }

  release(slot: number): boolean {
    if (!this.inUse.delete(slot)) return false;
    this.#returned.push(slot);
    return true;
  }
}
