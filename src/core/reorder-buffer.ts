/** The in-order store (R3, R4) as an object. */
import { InOrderStore as layout, NOTHING } from '#generated/layout';
import { OverlappedError } from '../errors.ts';
import type { Core } from './core.ts';
import { requireInteger, requirePowerOfTwo } from './memory.ts';

/** How to make a `ReorderBuffer`. */
export interface ReorderBufferOptions {
  /**
   * How many successive numbers, from the next one on, may be pending: a power
   * of two up to 2^20. Default 64.
   */
  readonly window?: number;
  /** The first number to process. Default 0. */
  readonly next?: number;
}

/**
 * Puts completions in order without anybody waiting. A thread that has
 * number `sequence` in hand calls `getNext`; what it returns is to be
 * processed, by this thread, and then `processAndGetNext` returns the
 * successor, if that has arrived meanwhile. `undefined` means: go on to other
 * work. So at most one thread processes at a time, in the order of numbers,
 * which wrap at 2^32.
 *
 * ```ts
 * for (
 *   let value = buffer.getNext(sequence, slot);
 *   value !== undefined;
 *   value = buffer.processAndGetNext()
 * ) handle(value);
 * ```
 *
 * Values are integers from 0 to 2^31 - 1: slots, or indexes of the caller's
 * own. Each call is atomic between threads on shared memory.
 */
export class ReorderBuffer {
  readonly address: number;
  readonly #core: Core;

  private constructor(core: Core, address: number) {
    this.#core = core;
    this.address = address;
  }

  /** @throws OverlappedError `INVALID_OPTION`; `NO_BUFFERS` when the memory is used up. */
  static create(core: Core, options: ReorderBufferOptions = {}): ReorderBuffer {
    const { window = 64, next = 0 } = options;
    const windowLog2 = requirePowerOfTwo('window', window, 1, 2 ** 20);
    requireInteger('next', next, 0, 0xffffffff);
    const address = core.reserve(layout.$size + window * 4);
    core.exports.storeInit(address, address + layout.$size, windowLog2, next);
    return new ReorderBuffer(core, address);
  }

  /** A buffer that another thread created, at its `address`. */
  static attach(core: Core, address: number): ReorderBuffer {
    return new ReorderBuffer(core, address);
  }

  /**
   * Hands in `value` under its number. Returns the value to process now, or
   * undefined if it was stored for later.
   *
   * @throws OverlappedError `DUPLICATE_SEQUENCE` if the number is stored, being
   *   processed or processed already; `OUT_OF_WINDOW` if it is too far ahead;
   *   `INVALID_OPTION` for a negative value. Nothing has changed then.
   */
  getNext(sequence: number, value: number): number | undefined {
    const result = this.#core.exports.storeGetNextLocked(this.address, sequence, value);
    if (result >= 0) return result;
    if (result === NOTHING) return undefined;
    throw OverlappedError.fromResult(result, 'getNext');
  }

  /**
   * Says that the value returned last has been processed. Returns the one to
   * process now, or undefined if the next number has not arrived.
   *
   * @throws OverlappedError `INVALID_OPTION` if none is being processed.
   */
  processAndGetNext(): number | undefined {
    const result = this.#core.exports.storeProcessAndGetNextLocked(this.address);
    if (result >= 0) return result;
    if (result === NOTHING) return undefined;
    throw OverlappedError.fromResult(result, 'processAndGetNext');
  }

  /**
   * For teardown: takes out a stored value, lowest number first, in its turn
   * or not; undefined if none is stored. No other thread may use the buffer.
   */
  drain(): number | undefined {
    const result = this.#core.exports.storeDrain(this.address);
    return result === NOTHING ? undefined : result;
  }

  /** The number that is processed next, or now if `processing`. */
  get next(): number {
    return this.#field(layout.next);
  }

  /** How many values wait for their turn. */
  get stored(): number {
    return this.#field(layout.stored);
  }

  /** Whether a value has been handed out and not yet reported as processed. */
  get processing(): boolean {
    return this.#field(layout.processing) !== 0;
  }

  #field(offset: number): number {
    return Atomics.load(this.#core.u32, (this.address + offset) >>> 2);
  }
}
