/**
 * What any buddy allocator must do, over a plain list of occupied units: it
 * may choose the place, but it must find one exactly when an aligned run of
 * the size is free, and it may grow a block exactly when the space above is.
 */
export class ArenaModel {
  readonly blocks = new Map<number, number>();
  readonly units: number;
  readonly unitBytes: number;
  readonly #occupied: boolean[];

  constructor(units: number, unitBytes: number) {
    this.units = units;
    this.unitBytes = unitBytes;
    this.#occupied = new Array<boolean>(units).fill(false);
  }

  /** Units that a block for `sizeBytes` has. */
  unitsFor(sizeBytes: number): number {
    let units = 1;
    while (units * this.unitBytes < sizeBytes) units *= 2;
    return units;
  }

  canAllocate(sizeBytes: number): boolean {
    const units = this.unitsFor(sizeBytes);
    for (let start = 0; start + units <= this.units; start += units) {
      if (this.#isFree(start, units)) return true;
    }
    return false;
  }

  /** Says where the block was placed; throws if it may not stand there. */
  place(offset: number, sizeBytes: number): void {
    const units = this.unitsFor(sizeBytes);
    const start = offset / this.unitBytes;
    if (start % units !== 0) throw new Error(`offset ${offset} is not aligned to the block`);
    if (start < 0 || start + units > this.units) throw new Error(`offset ${offset} is outside`);
    if (!this.#isFree(start, units)) throw new Error(`offset ${offset} overlaps another block`);
    this.#occupied.fill(true, start, start + units);
    this.blocks.set(offset, units);
  }

  free(offset: number): void {
    const start = offset / this.unitBytes;
    this.#occupied.fill(false, start, start + (this.blocks.get(offset) as number));
    this.blocks.delete(offset);
  }

  /** Grows the block if it can. */
  grow(offset: number, sizeBytes: number): boolean {
    const have = this.blocks.get(offset) as number;
    const want = this.unitsFor(sizeBytes);
    if (want <= have) return true;
    const start = offset / this.unitBytes;
    if (start % want !== 0 || start + want > this.units) return false;
    if (!this.#isFree(start + have, want - have)) return false;
    this.#occupied.fill(true, start, start + want);
    this.blocks.set(offset, want);
    return true;
  }

  get usedBytes(): number {
    let units = 0;
    for (const count of this.blocks.values()) units += count;
    return units * this.unitBytes;
  }

  #isFree(start: number, units: number): boolean {
    return !this.#occupied.slice(start, start + units).includes(true);
  }
}
