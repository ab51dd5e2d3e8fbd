/** The buddy allocator as an object. */
import { ARENA_BYTES, ARENA_MIN_LOG2, Arena as layout } from '#generated/layout';
import { OverlappedError } from '../errors.ts';
import type { Core } from './core.ts';
import { requireInteger, requirePowerOfTwo } from './memory.ts';

/** How to make an `Arena`. */
export interface ArenaOptions {
  /** Size in bytes: a power of two, 512 to 2^31. */
  readonly sizeBytes: number;
}

/**
 * Memory of varying sizes out of a region of the core's memory. Blocks are
 * powers of two, at least 512 bytes; neighbours that are free merge again.
 * Threads on shared memory may use one arena together.
 */
export class Arena {
  readonly address: number;
  readonly #core: Core;

  private constructor(core: Core, address: number) {
    this.#core = core;
    this.address = address;
  }

  /** @throws OverlappedError `INVALID_OPTION`; `NO_BUFFERS` when the memory is used up. */
  static create(core: Core, { sizeBytes }: ArenaOptions): Arena {
    const sizeLog2 = requirePowerOfTwo('sizeBytes', sizeBytes, 2 ** ARENA_MIN_LOG2, 2 ** 31);
    const address = core.reserve(ARENA_BYTES);
    const orders = core.reserve(sizeBytes / 2 ** ARENA_MIN_LOG2);
    const base = core.reserve(sizeBytes);
    core.exports.arenaInit(address, base, sizeLog2, orders);
    return new Arena(core, address);
  }

  /** An arena that another thread created, at its `address`. */
  static attach(core: Core, address: number): Arena {
    return new Arena(core, address);
  }

  /**
   * Address of a block of at least `sizeBytes`, the caller's until `free`;
   * undefined when none is free. Its bytes are whatever they were.
   */
  alloc(sizeBytes: number): number | undefined {
    requireInteger('sizeBytes', sizeBytes, 0, 0xffffffff);
    return this.#core.exports.arenaAlloc(this.address, sizeBytes) >>> 0 || undefined;
  }

  /** @throws OverlappedError `STALE_TOKEN` if no allocated block starts at `address`. */
  free(address: number): void {
    this.blockBytes(address);
    this.#core.exports.arenaFree(this.address, address);
  }

  /**
   * Makes a block hold `sizeBytes` without moving it, by taking in the free
   * memory above; false, and the block as it was, if that is not possible.
   *
   * @throws OverlappedError `STALE_TOKEN` if no allocated block starts at `address`.
   */
  grow(address: number, sizeBytes: number): boolean {
    requireInteger('sizeBytes', sizeBytes, 0, 0xffffffff);
    this.blockBytes(address);
    return this.#core.exports.arenaGrow(this.address, address, sizeBytes) !== 0;
  }

  /**
   * Bytes that a block really has: a power of two.
   *
   * @throws OverlappedError `STALE_TOKEN` if no allocated block starts at `address`.
   */
  blockBytes(address: number): number {
    const sizeBytes = this.#core.exports.arenaBlockBytes(this.address, address) >>> 0;
    if (sizeBytes !== 0) return sizeBytes;
    throw new OverlappedError('STALE_TOKEN', `no allocated block starts at ${address}`);
  }

  /** A view on a block's bytes, valid until the block is freed. */
  view(address: number): Uint8Array {
    return this.#core.u8.subarray(address, address + this.blockBytes(address));
  }

  /** Bytes in allocated blocks, each counted whole. */
  get usedBytes(): number {
    return this.#core.exports.arenaUsed(this.address) >>> 0;
  }

  /** The most that `usedBytes` ever was. */
  get peakBytes(): number {
    return Atomics.load(this.#core.u32, (this.address + layout.peakBytes) >>> 2);
  }
}
