/**
 * Where delimiters end. The delimiter that ends first ends the frame, so the
 * search looks for *last* bytes, 16 positions at a time, and confirms the rest
 * backwards. At one end the longest delimiter counts: it strips the most.
 */
import { FRAMING_DELIMITER_BYTES, FRAMING_LINE, Framing, FramingDelimiter } from '../layout';

export const LINE_FEED: u8 = 10;
export const CARRIAGE_RETURN: u8 = 13;
const LANES: usize = 16;

// @ts-ignore: decorator
@inline
export function delimiterAt(framing: Framing, index: u32): FramingDelimiter {
  return changetype<FramingDelimiter>(framing.delimiters + <usize>index * FRAMING_DELIMITER_BYTES);
}

/** Length of the longest delimiter: one more than it can reach over the seam of two inputs. */
// @ts-ignore: decorator
@inline
export function longestDelimiter(framing: Framing): u32 {
  return framing.kind == FRAMING_LINE ? 1 : framing.size;
}

// @ts-ignore: decorator
@inline
function lastByte(delimiter: FramingDelimiter): u8 {
  return load<u8>(delimiter.bytes + delimiter.length - 1);
}

/** The byte that ends every frame, if it is the only one and the whole delimiter; else -1. */
// @ts-ignore: decorator
@inline
export function soleByte(framing: Framing): i32 {
  if (framing.kind == FRAMING_LINE) return LINE_FEED;
  if (framing.delimiterCount != 1) return -1;
  const only = delimiterAt(framing, 0);
  return only.length == 1 ? i32(load<u8>(only.bytes)) : -1;
}

/** Bytes of the delimiter of a frame [start, end) that is known to end in the sole byte. */
// @ts-ignore: decorator
@inline
export function soleLength(framing: Framing, start: usize, end: usize): u32 {
  if (framing.kind != FRAMING_LINE) return 1;
  return end - start >= 2 && load<u8>(end - 2) == CARRIAGE_RETURN ? 2 : 1;
}

export function sameBytes(a: usize, b: usize, length: u32): bool {
  let i: u32 = 0;
  for (; i + 8 <= length; i += 8) {
    if (load<u64>(a + i) != load<u64>(b + i)) return false;
  }
  for (; i < length; i++) {
    if (load<u8>(a + i) != load<u8>(b + i)) return false;
  }
  return true;
}

/** Length of the longest delimiter that ends at `end` and begins at `start` or later; 0 if none. */
export function matchEndingAt(framing: Framing, start: usize, end: usize): u32 {
  if (framing.kind == FRAMING_LINE) {
    if (end == start || load<u8>(end - 1) != LINE_FEED) return 0;
    return soleLength(framing, start, end);
  }
  let longest: u32 = 0;
  for (let i: u32 = 0, count = framing.delimiterCount; i < count; i++) {
    const delimiter = delimiterAt(framing, i);
    const length = delimiter.length;
    if (length <= longest || length > u32(end - start)) continue;
    if (sameBytes(delimiter.bytes, end - length, length)) longest = length;
  }
  return longest;
}

/** Address of the first `byte` in [from, to), or `to`. */
function findByte(byte: u8, from: usize, to: usize): usize {
  const wanted = i8x16.splat(byte);
  let at = from;
  while (to - at >= LANES) {
    const mask = i8x16.bitmask(i8x16.eq(v128.load(at), wanted));
    if (mask != 0) return at + ctz(mask);
    at += LANES;
  }
  if (to - from >= LANES) {
    // The last lanes; those seen already hold no such byte.
    const mask = i8x16.bitmask(i8x16.eq(v128.load(to - LANES), wanted));
    return mask != 0 ? to - LANES + ctz(mask) : to;
  }
  for (; at < to; at++) {
    if (load<u8>(at) == byte) return at;
  }
  return to;
}

/** Lanes of the block that hold some delimiter's last byte; those of the first two are given. */
// @ts-ignore: decorator
@inline
function candidates(framing: Framing, block: v128, first: v128, second: v128): i32 {
  let hits = v128.or(i8x16.eq(block, first), i8x16.eq(block, second));
  for (let i: u32 = 2, count = framing.delimiterCount; i < count; i++) {
    hits = v128.or(hits, i8x16.eq(block, i8x16.splat(lastByte(delimiterAt(framing, i)))));
  }
  return i8x16.bitmask(hits);
}

/**
 * The earliest end of a delimiter: one whose last byte lies in [from, to) and
 * whose first does not lie before `start`, the start of the frame (or of what
 * is left of it). Returns its length in the high half and the address after it
 * in the low half; 0 if there is none. Reads nothing outside [start, to).
 */
export function findDelimiter(framing: Framing, start: usize, from: usize, to: usize): u64 {
  const sole = soleByte(framing);
  if (sole >= 0) {
    const at = findByte(u8(sole), from, to);
    return at == to ? 0 : found(at + 1, soleLength(framing, start, at + 1));
  }
  const first = i8x16.splat(lastByte(delimiterAt(framing, 0)));
  const next = min<u32>(1, framing.delimiterCount - 1);
  const second = i8x16.splat(lastByte(delimiterAt(framing, next)));
  let at = from;
  while (to - at >= LANES) {
    let mask = candidates(framing, v128.load(at), first, second);
    while (mask != 0) {
      const end = at + ctz(mask) + 1;
      const length = matchEndingAt(framing, start, end);
      if (length != 0) return found(end, length);
      mask &= mask - 1;
    }
    at += LANES;
  }
  for (; at < to; at++) {
    const length = matchEndingAt(framing, start, at + 1);
    if (length != 0) return found(at + 1, length);
  }
  return 0;
}

// @ts-ignore: decorator
@inline
function found(end: usize, length: u32): u64 {
  return u64(end) | (u64(length) << 32);
}

// @ts-ignore: decorator
@inline
export function foundEnd(match: u64): usize {
  return usize(match & 0xffffffff);
}

// @ts-ignore: decorator
@inline
export function foundLength(match: u64): u32 {
  return u32(match >> 32);
}
