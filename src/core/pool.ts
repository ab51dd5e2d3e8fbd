/** Fixed-size slots with generations, as an object. */
import { Pool as layout, POOL_CAPACITY_MAX } from '#generated/layout';
import { OverlappedError } from '../errors.ts';
import type { Core } from './core.ts';
import { MEMORY_BYTES_MAX, requireInteger } from './memory.ts';

/** How to make a `Pool`. */
export interface PoolOptions {
  /** Number of slots: 1 to 2^20. */
  readonly capacity: number;
  /** Bytes from one slot to the next. Default 0: numbers only, no memory. */
  readonly strideBytes?: number;
}

/**
 * A bounded set of slots that threads take and give back without a lock. The
 * slot given back last is handed out first; slots that were never handed out
 * keep their memory untouched. A token names one use of a slot: once the slot
 * is released, the token is stale for good.
 */
export class Pool {
  readonly address: number;
  readonly #core: Core;

  private constructor(core: Core, address: number) {
    this.#core = core;
    this.address = address;
  }

  /** @throws OverlappedError `INVALID_OPTION`; `NO_BUFFERS` when the memory is used up. */
  static create(core: Core, { capacity, strideBytes = 0 }: PoolOptions): Pool {
    requireInteger('capacity', capacity, 1, POOL_CAPACITY_MAX);
    requireInteger('strideBytes', strideBytes, 0, MEMORY_BYTES_MAX - 1);
    const { exports } = core;
    const address = core.reserve(layout.$size);
    const links = core.reserve(exports.poolLinksBytes(capacity) >>> 0);
    const slots = core.reserve(capacity * strideBytes);
    exports.poolInit(address, links, slots, strideBytes, capacity);
    return new Pool(core, address);
  }

  /** A pool that another thread created, at its `address`. */
  static attach(core: Core, address: number): Pool {
    return new Pool(core, address);
  }

  /** A free slot, now the caller's own; undefined if all are in use. */
  acquire(): number | undefined {
    const slot = this.#core.exports.poolAcquire(this.address);
    return slot < 0 ? undefined : slot;
  }

  /**
   * Gives a slot back; its tokens are stale from here on.
   *
   * @throws OverlappedError `STALE_TOKEN` if the slot is not in use.
   */
  release(slot: number): void {
    const result = this.#core.exports.poolRelease(this.address, slot);
    if (result < 0) throw OverlappedError.fromResult(result, 'release');
  }

  /**
   * The token of a slot in use: a positive integer below 2^52.
   *
   * @throws OverlappedError `STALE_TOKEN` if the slot was never handed out.
   */
  token(slot: number): number {
    if (!(slot >= 0 && slot < this.#field(layout.fresh))) {
      throw new OverlappedError('STALE_TOKEN', `slot ${slot} was never handed out`);
    }
    return this.#core.exports.poolToken(this.address, slot);
  }

  /** The slot that a token names; undefined if it is stale or never was one. Takes any number. */
  check(token: number): number | undefined {
    const slot = this.#core.exports.poolCheck(this.address, token);
    return slot < 0 ? undefined : slot;
  }

  /**
   * Address of a slot's bytes.
   *
   * @throws OverlappedError `INVALID_OPTION` if the pool has no such slot.
   */
  slotAddress(slot: number): number {
    requireInteger('slot', slot, 0, this.capacity - 1);
    return this.#core.exports.poolAddress(this.address, slot) >>> 0;
  }

  /** A view on a slot's bytes, valid while the slot is the caller's. */
  view(slot: number): Uint8Array {
    const start = this.slotAddress(slot);
    return this.#core.u8.subarray(start, start + this.#field(layout.stride));
  }

  get capacity(): number {
    return this.#field(layout.capacity);
  }

  /** Slots handed out at the moment. */
  get inUse(): number {
    return this.#core.exports.poolInUse(this.address) >>> 0;
  }

  #field(offset: number): number {
    return Atomics.load(this.#core.u32, (this.address + offset) >>> 2);
  }
}
