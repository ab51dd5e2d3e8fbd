/** The operations of one driver that have not ended, by token. */
import * as layout from '#generated/layout';
import type { Operation } from './operation.ts';

/**
 * A token names a slot that nobody else has while it is pending, so a list by
 * slot does: tokens themselves are too large to be quick keys of a map.
 */
export class Pending {
  readonly #slots: (Operation | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(token: number): Operation | undefined {
    const operation = this.#slots[token % layout.POOL_CAPACITY_MAX];
    return operation?.token === token ? operation : undefined;
  }

  /** False, and nothing is noted, where one with this token's slot is pending. */
  add(operation: Operation): boolean {
    const slot = operation.token % layout.POOL_CAPACITY_MAX;
    if (this.#slots[slot] !== undefined) return false;
    this.#slots[slot] = operation;
    this.#size += 1;
    return true;
  }

  delete(operation: Operation): void {
    const slot = operation.token % layout.POOL_CAPACITY_MAX;
    if (this.#slots[slot] !== operation) return;
    this.#slots[slot] = undefined;
    this.#size -= 1;
  }

  /** Those that are there now, whatever is done with them, in no order. */
  all(): Operation[] {
    return this.#slots.filter((operation) => operation !== undefined);
  }
}
