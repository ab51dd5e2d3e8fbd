/**
 * Where delimiters end. The delimiter that ends first ends the frame, so the
 * search looks for *last* bytes, 64 positions at a time, takes every one of
 * them before it loads the next 64, and confirms the rest backwards. At one end
 * the longest delimiter counts: it strips the most.
 */
import {
  EVENT_BYTES,
  FRAMING_DELIMITER_BYTES,
  FRAMING_LINE,
  FRAMING_STRIP_DELIMITER,
  Framing,
  FramingDelimiter,
} from '../layout';
import { writeEvent } from './event';

export const LINE_FEED: u8 = 10;
export const CARRIAGE_RETURN: u8 = 13;

/** Bytes a step; a step may begin so many bytes before the input, where memory always is. */
const STEP: usize = 64;

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
function endsInReturn(start: usize, end: usize): bool {
  return end - start > 1 && load<u8>(end - 2) == CARRIAGE_RETURN;
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
    return endsInReturn(start, end) ? 2 : 1;
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

// @ts-ignore: decorator
@inline
function bits(a: v128, b: v128): u64 {
  return u64(u32(i8x16.bitmask(a) | (i8x16.bitmask(b) << 16)));
}

/**
 * Writes an event for each frame that ends in [from, to) with its delimiter;
 * the first begins at `start`. Ends before the first one of more than `most`
 * bytes, and where the room up to `stop` is used up. What lies outside
 * [start, to) changes nothing; up to 63 bytes before it may be read.
 * @returns where the first frame that was not written begins, and above it the
 *   cell after the last event; without any room (`out` and `stop` 0) where the
 *   first frame ends, and above it its delimiter's length, or 0 if there is none
 */
export function scanDelimited(
  framing: Framing,
  head: u64,
  start: usize,
  from: usize,
  to: usize,
  most: u32,
  out: usize,
  stop: usize,
): u64 {
  const isLine = framing.kind == FRAMING_LINE;
  const strip: u32 = (framing.flags & FRAMING_STRIP_DELIMITER) != 0 ? -1 : 0;
  // The first delimiter's last bytes as a number, its last byte the highest.
  let tail = u64(LINE_FEED) << 56;
  let size: u32 = 1;
  let count: u32 = 1;
  if (!isLine) {
    const first = delimiterAt(framing, 0);
    size = first.length;
    tail = load<u64>(first.bytes + size - 8);
    count = framing.delimiterCount;
  }
  const isPlain = count == 1 && size <= 8;
  const isSole = isPlain && size == 1 && stop != 0;
  const unused = u64(64 - (size << 3));
  const wanted = i8x16.splat(u8(tail >> 56));
  let several = false;
  for (let i: u32 = 1; i < count; i++) several = several || lastByte(framing, i) != u8(tail >> 56);
  let cell = out;
  let block = from;
  while (block < to) {
    // The last 64 bytes may begin before what is left.
    const base = to - block < STEP ? to - STEP : block;
    let a = i8x16.eq(v128.load(base), wanted);
    let b = i8x16.eq(v128.load(base, 16), wanted);
    let c = i8x16.eq(v128.load(base, 32), wanted);
    let d = i8x16.eq(v128.load(base, 48), wanted);
    if (several) {
      for (let i: u32 = 1; i < count; i++) {
        const other = i8x16.splat(lastByte(framing, i));
        a = v128.or(a, i8x16.eq(v128.load(base), other));
        b = v128.or(b, i8x16.eq(v128.load(base, 16), other));
        c = v128.or(c, i8x16.eq(v128.load(base, 32), other));
        d = v128.or(d, i8x16.eq(v128.load(base, 48), other));
      }
    }
    let mask = (bits(a, b) | (bits(c, d) << 32)) & (u64(-1) << (block - base));
    block = base + STEP;
    while (mask != 0) {
      const end = base + usize(ctz(mask)) + 1;
      mask &= mask - 1;
      const frame = u32(end - start);
      let length = size;
      if (isPlain) {
        if ((load<u64>(end - 8) ^ tail) >> unused != 0 || frame < size) continue;
        if (isLine && endsInReturn(start, end)) length = 2;
      } else {
        length = matchEndingAt(framing, start, end);
        if (length == 0) continue;
      }
      if (cell == stop) {
        if (stop == 0) return u64(end) | (u64(length) << 32);
        return u64(start) | (u64(cell) << 32);
      }
      if (frame > most) return u64(start) | (u64(cell) << 32);
      writeEvent(cell, head, start, frame - (length & strip));
      cell += EVENT_BYTES;
      start = end;
    }
    if (to - block < STEP || block > to) continue;
    if (isSole) {
      // As many steps as no frame can become too long in, even if every byte in them ends one.
      const reach = min(u32(block - start), most);
      const room = max(u32(stop - cell) / EVENT_BYTES, 1) - 1;
      const steps = min(min(u32(to - block), most - reach), room) / u32(STEP);
      if (steps != 0) {
        // No byte is 256: only a line that is stripped may end in one more byte.
        const before: u32 = isLine && strip != 0 ? CARRIAGE_RETURN : 256;
        const end = block + usize(steps) * STEP;
        const done = scanSole(start, block, end, wanted, head, before, strip, cell);
        start = usize(done & 0xffffffff);
        cell = usize(done >> 32);
        block = end;
      }
    } else if (!several) block = skip(block, to, wanted);
  }
  return stop == 0 ? 0 : u64(start) | (u64(cell) << 32);
}

/** A bit for each of 64 bytes that is the wanted one. */
// @ts-ignore: decorator
@inline
function search(block: usize, wanted: v128): u64 {
  const a = i8x16.eq(v128.load(block), wanted);
  const b = i8x16.eq(v128.load(block, 16), wanted);
  const c = i8x16.eq(v128.load(block, 32), wanted);
  const d = i8x16.eq(v128.load(block, 48), wanted);
  return bits(a, b) | (bits(c, d) << 32);
}

// @ts-ignore: decorator
@inline
function lastByte(framing: Framing, index: u32): u8 {
  const delimiter = delimiterAt(framing, index);
  return load<u8>(delimiter.bytes + delimiter.length - 1);
}

/**
 * The hot loop for frames that one byte ends: whole steps of 64 bytes from
 * `first` to `to`. The frame that is open begins at `from`, and the byte before
 * `first` belongs to it or ended the one before. Has room for an event a byte,
 * and one more.
 * @returns the start of the frame that is open then, and above it the cell after the last event
 */
// @ts-ignore: decorator
@noinline
function scanSole(
  from: usize,
  first: usize,
  to: usize,
  wanted: v128,
  head: u64,
  before: u32,
  strip: u32,
  out: usize,
): u64 {
  let start = from;
  let cell = out;
  let block = first;
  do {
    let mask = search(block, wanted);
    if (mask == 0) {
      block = skip(block + STEP, to, wanted);
      continue;
    }
    const after = block + STEP - usize(clz(mask));
    const hits = usize(popcnt(mask));
    let at = cell;
    // Two at a time, the last one perhaps for nothing: their number is hard to foretell.
    do {
      const end = block + usize(ctz(mask)) + 1;
      mask &= mask - 1;
      const next = block + usize(ctz(mask)) + 1;
      mask &= mask - 1;
      emitSole(at, head, start, end, before, strip);
      emitSole(at + EVENT_BYTES, head, end, next, before, strip);
      at += 2 * EVENT_BYTES;
      start = next;
    } while (mask != 0);
    cell += hits * EVENT_BYTES;
    start = after;
    block += STEP;
  } while (block < to);
  return u64(start) | (u64(cell) << 32);
}

/** `before`: the byte that leaves with the last one, where it stands before it. */
// @ts-ignore: decorator
@inline
function emitSole(cell: usize, head: u64, start: usize, end: usize, before: u32, strip: u32): void {
  const pair = u32(u32(load<u8>(end - 2)) == before);
  store<u64>(cell, head);
  store<u32>(cell, u32(start), 8);
  store<u32>(cell, u32(end - start) + strip - pair, 12);
}

/** The first step from `block` on with the wanted byte in it, or where less than a step is left. */
// @ts-ignore: decorator
@inline
function skip(block: usize, to: usize, wanted: v128): usize {
  while (to - block >= STEP) {
    const a = i8x16.eq(v128.load(block), wanted);
    const b = i8x16.eq(v128.load(block, 16), wanted);
    const c = i8x16.eq(v128.load(block, 32), wanted);
    const d = i8x16.eq(v128.load(block, 48), wanted);
    if (v128.any_true(v128.or(v128.or(a, b), v128.or(c, d)))) break;
    block += STEP;
  }
  return block;
}

/**
 * The earliest end of a delimiter: one whose last byte lies in [from, to) and
 * whose first does not lie before `start`, the start of the frame (or of what
 * is left of it). Returns its length in the high half and the address after it
 * in the low half; 0 if there is none.
 */
export function findDelimiter(framing: Framing, start: usize, from: usize, to: usize): u64 {
  return scanDelimited(framing, 0, start, from, to, 0, 0, 0);
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
