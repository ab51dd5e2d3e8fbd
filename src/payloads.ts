/** Messages on their way into linear memory, and views of those that are in it. */
import type { Core } from './core/core.ts';
import { type Regions, SCRATCH_BYTES } from './core/regions.ts';

export class Payloads {
  /** Bytes of what was placed last. */
  length = 0;
  readonly #core: Core;
  readonly #regions: Regions;
  readonly #buffer: ArrayBufferLike;
  readonly #encoder = new TextEncoder();
  /** Of the arena, for what is larger than the scratch. */
  #block = 0;
  /** The view last handed to a handler, and where its bytes lie: what an echo sends. */
  #borrowed: Uint8Array | undefined;
  #borrowedOffset = 0;

  constructor(core: Core, regions: Regions) {
    this.#core = core;
    this.#regions = regions;
    this.#buffer = core.memory.buffer;
  }

  /** A view of received bytes, for the length of one handler call. */
  borrow(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(this.#buffer, offset, length);
    this.#borrowed = bytes;
    this.#borrowedOffset = offset;
    return bytes;
  }

  /** The turn is over: nothing is borrowed any more. */
  endBorrowing(): void {
    this.#borrowed = undefined;
  }

  /** The address of a message's bytes, until `release`; 0 if there is no room. */
  place(message: Uint8Array | string): number {
    if (message === this.#borrowed) {
      // An echo: the bytes lie in linear memory already.
      this.length = message.length;
      return this.#borrowedOffset;
    }
    const bytes = typeof message === 'string' ? this.#encoder.encode(message) : message;
    const { length } = bytes;
    this.length = length;
    const { u8, exports } = this.#core;
    if (length <= SCRATCH_BYTES) {
      const { scratch } = this.#regions;
      u8.set(bytes, scratch);
      return scratch;
    }
    const block = exports.arenaAlloc(this.#regions.arena, length) >>> 0;
    if (block !== 0) u8.set(bytes, block);
    this.#block = block;
    return block;
  }

  /** What was placed last is no longer needed. */
  release(): void {
    if (this.#block === 0) return;
    this.#core.exports.arenaFree(this.#regions.arena, this.#block);
    this.#block = 0;
  }
}
