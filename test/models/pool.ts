/** The pool as plain TypeScript: a stack of returned slots above those never handed out. */
export class PoolModel {
  readonly inUse = new Set<number>();
  readonly #returned: number[] = [];
  #fresh = 0;

  constructor(readonly capacity: number) {}

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
