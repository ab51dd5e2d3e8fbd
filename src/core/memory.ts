/** Sizes and alignments of linear memory, and whether this thread may sleep on it. */
import { OverlappedError } from '../errors.ts';

/** Bytes of a WebAssembly page. */
export const PAGE_BYTES = 65536;
/** Most bytes of a linear memory: 4 GiB. */
export const MEMORY_BYTES_MAX = 65536 * PAGE_BYTES;
/** Records that threads write start on cache lines of their own. */
export const CACHE_LINE_BYTES = 64;

/** `value` rounded up to a multiple of `align`, a power of two; exact up to 2^53. */
export function alignUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}

/** `value` if it is an integer from `min` to `max`; throws `INVALID_OPTION` else. */
export function requireInteger(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new OverlappedError(
    'INVALID_OPTION',
    `${name} must be an integer from ${min} to ${max}, not ${value}`,
  );
}

/** log2 of `value` if it is a power of two from `min` to `max`; throws `INVALID_OPTION` else. */
export function requirePowerOfTwo(name: string, value: number, min: number, max: number): number {
  const log2 = Math.log2(value);
  if (Number.isInteger(log2) && value >= min && value <= max) return log2;
  throw new OverlappedError(
    'INVALID_OPTION',
    `${name} must be a power of two from ${min} to ${max}, not ${value}`,
  );
}

let threadMayBlock: boolean | undefined;

/**
 * Whether this thread may sleep on shared memory. A browser's main thread may
 * not: the wait instruction would trap there.
 */
export function mayBlock(): boolean {
  if (threadMayBlock === undefined) {
    try {
      // The permission is checked before the values, which differ: no sleep.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
      threadMayBlock = true;
    } catch {
      threadMayBlock = false;
    }
  }
  return threadMayBlock;
}
