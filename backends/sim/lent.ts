/**
 * Rule 4 of the contract, checked: nobody touches a lent range. A send range is
 * summed when it is lent and again when it goes back; a receive range is filled
 * with a pattern when it is lent and must still hold it when bytes are written.
 * Two ranges that overlap show as well: the filling of one spoils the other.
 */
import type { Core } from '../../src/core/core.ts';

/** What is needed of a core: its windows on linear memory. */
export type LentMemory = Pick<Core, 'u8' | 'u32'>;

/** From here on the host's own loop over bytes is the quicker one. */
const FILL_LEAST_BYTES = 512;

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

/** The first address of whole aligned words in a range, at most its end. */
function firstWord(offset: number, end: number): number {
  return Math.min((offset + 3) & ~3, end);
}

/** The address behind the last of them. */
function lastWord(first: number, end: number): number {
  return Math.max(end & ~3, first);
}

/** What a range that is only read holds. */
export function sumOf({ u8, u32 }: LentMemory, offset: number, length: number): number {
  const end = offset + length;
  const first = firstWord(offset, end);
  const last = lastWord(first, end);
  let sum = length | 0;
  for (let at = offset; at < first; at += 1) {
    sum = Math.imul(sum ^ (u8[at] as number), 0x0100_0193);
  }
  for (let at = first >>> 2; at < last >>> 2; at += 1) {
    sum = Math.imul((sum ^ (u32[at] as number)) + (sum >>> 15), 0x0100_0193);
  }
  for (let at = last; at < end; at += 1) {
    sum = Math.imul(sum ^ (u8[at] as number), 0x0100_0193);
  }
  return sum;
}

const wordOf = (byte: number) => Math.imul(byte, 0x0101_0101) >>> 0;

/** Fills a range that is to be written, until then. */
export function fillRange(memory: LentMemory, offset: number, length: number, byte: number): void {
  const { u8, u32 } = memory;
  if (length >= FILL_LEAST_BYTES) {
    u8.fill(byte, offset, offset + length);
    return;
  }
  const word = wordOf(byte);
  const end = offset + length;
  const first = firstWord(offset, end);
  const last = lastWord(first, end);
  for (let at = offset; at < first; at += 1) u8[at] = byte;
  for (let at = first >>> 2; at < last >>> 2; at += 1) u32[at] = word;
  for (let at = last; at < end; at += 1) u8[at] = byte;
}

/** Whether it is as `fillRange` left it. */
export function isFilled(
  memory: LentMemory,
  offset: number,
  length: number,
  byte: number,
): boolean {
  const { u8, u32 } = memory;
  const word = wordOf(byte);
  const end = offset + length;
  const first = firstWord(offset, end);
  const last = lastWord(first, end);
  for (let at = offset; at < first; at += 1) if (u8[at] !== byte) return false;
  for (let at = first >>> 2; at < last >>> 2; at += 1) if (u32[at] !== word) return false;
  for (let at = last; at < end; at += 1) if (u8[at] !== byte) return false;
  return true;
}
