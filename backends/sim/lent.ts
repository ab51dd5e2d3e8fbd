/**
 * Rule 4 of the contract, checked: nobody touches a lent range. A send range is
 * summed when it is lent and again when it goes back; a receive range is filled
 * with a pattern when it is lent and must still hold it when bytes are written.
 * Two ranges that overlap show as well: the filling of one spoils the other.
 */
import type { Core } from '../../src/core/core.ts';
import type { Random } from './random.ts';

/** What is needed of a core: its windows on linear memory. */
export type LentMemory = Pick<Core, 'u8' | 'u32'>;

/** One lent range, asked for before it goes back. */
export interface LentRange {
  isUntouched(): boolean;
}

/** A range that is only read. */
class SentRange implements LentRange {
  readonly #memory: LentMemory;
  readonly #offset: number;
  readonly #length: number;
  readonly #sum: number;

  constructor(memory: LentMemory, offset: number, length: number) {
    this.#memory = memory;
    this.#offset = offset;
    this.#length = length;
    this.#sum = sumOf(memory, offset, length);
  }

  isUntouched(): boolean {
    return sumOf(this.#memory, this.#offset, this.#length) === this.#sum;
  }
}

/** A range that is written, filled with a byte until then. */
class FilledRange implements LentRange {
  readonly #memory: LentMemory;
  readonly #offset: number;
  readonly #length: number;
  readonly #byte: number;

  constructor(memory: LentMemory, offset: number, length: number, byte: number) {
    this.#memory = memory;
    this.#offset = offset;
    this.#length = length;
    this.#byte = byte;
    memory.u8.fill(byte, offset, offset + length);
  }

  isUntouched(): boolean {
    const { u8, u32 } = this.#memory;
    const byte = this.#byte;
    const word = Math.imul(byte, 0x0101_0101) >>> 0;
    const offset = this.#offset;
    const end = offset + this.#length;
    const first = Math.min(Math.ceil(offset / 4) * 4, end);
    const last = Math.max(Math.floor(end / 4) * 4, first);
    for (let at = offset; at < first; at += 1) if (u8[at] !== byte) return false;
    for (let at = first / 4; at < Math.floor(last / 4); at += 1) {
      if (u32[at] !== word) return false;
    }
    for (let at = last; at < end; at += 1) if (u8[at] !== byte) return false;
    return true;
  }
}

/** True when the range lies inside linear memory. */
export function isInside({ u8 }: LentMemory, offset: number, length: number): boolean {
  return (
    Number.isInteger(offset) &&
    Number.isInteger(length) &&
    offset >= 0 &&
    length >= 0 &&
    offset + length <= u8.length
  );
}

/** The part of a range that whole aligned words cover: first byte, byte after the last. */
function wordsOf(offset: number, length: number): [number, number] {
  const end = offset + length;
  const first = Math.min(Math.ceil(offset / 4) * 4, end);
  return [first, Math.max(Math.floor(end / 4) * 4, first)];
}

function sumOf({ u8, u32 }: LentMemory, offset: number, length: number): number {
  const [first, last] = wordsOf(offset, length);
  let sum = length | 0;
  for (let at = offset; at < first; at += 1) {
    sum = Math.imul(sum ^ (u8[at] as number), 0x0100_0193);
  }
  for (let at = first / 4; at < Math.floor(last / 4); at += 1) {
    sum = Math.imul((sum ^ (u32[at] as number)) + (sum >>> 15), 0x0100_0193);
  }
  for (let at = last; at < offset + length; at += 1) {
    sum = Math.imul(sum ^ (u8[at] as number), 0x0100_0193);
  }
  return sum;
}

/** Lends a range that is only read. */
export function lendSend(memory: LentMemory, offset: number, length: number): LentRange {
  return new SentRange(memory, offset, length);
}

/** Lends a range that is written, and fills it. */
export function lendReceive(
  memory: LentMemory,
  offset: number,
  length: number,
  random: Random,
): LentRange {
  return new FilledRange(memory, offset, length, random.integer(1, 255));
}
