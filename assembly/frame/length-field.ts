/** 'length field': an unsigned number at a fixed place says how long the frame is. */
import {
  Decoder,
  ERROR_FRAME_MALFORMED,
  ERROR_FRAME_TOO_LONG,
  EVENT_BYTES,
  EVENT_MESSAGE,
  FRAMING_BIG_ENDIAN,
  Framing,
} from '../layout';
import { eventHead, writeEvent } from './event';
import { walkFields } from './length-walk';
import { SAFE_MAX } from './state';

/** How far up in 8 bytes a field is moved that begins with them. */
// @ts-ignore: decorator
@inline
function unusedBits(framing: Framing): u64 {
  return u64(64 - (framing.size << 3));
}

/** The value of a field whose bytes are the last of these 8. */
function valueOf(framing: Framing, bytes: u64): u64 {
  if ((framing.flags & FRAMING_BIG_ENDIAN) == 0) return bytes >> unusedBits(framing);
  // Nearly all lengths fit in two bytes, and there is no instruction that swaps.
  const value =
    (bytes & framing.above16) == 0 ? (bytes >> 56) | ((bytes >> 40) & 0xff00) : bswap<u64>(bytes);
  return value & (u64(-1) >> unusedBits(framing));
}

/** The field that ends before `end`. The bytes before it are read, too, where memory always is. */
// @ts-ignore: decorator
@inline
function readField(framing: Framing, end: usize): u64 {
  return valueOf(framing, load<u64>(end - 8));
}

/**
 * Delivers the whole frames that lie in the input, and stops before the first
 * one that is incomplete or wrong. Returns the cell after the last event.
 */
export function scanLengthField(
  decoder: Decoder,
  framing: Framing,
  input: usize,
  length: u32,
  out: usize,
  stop: usize,
): usize {
  const header = framing.offset + framing.size;
  const head = eventHead(EVENT_MESSAGE, decoder.owner);
  const strip = framing.strip;
  const window: usize = framing.window;
  const end = input + length;
  let at = input + decoder.consumed;
  let cell = out;
  while (cell < stop && end - at >= header) {
    // One frame by itself: the only one, the last one, or one that the loops do not take.
    // The bytes behind the field are at hand, those before an input may be far from any cache.
    const field = at + framing.offset;
    const bytes =
      end - field >= 8
        ? load<u64>(field) << unusedBits(framing)
        : load<u64>(field + framing.size - 8);
    const value = valueOf(framing, bytes);
    if (value - u64(framing.least) > u64(framing.spread)) break;
    const frame = u32(value) + framing.uncounted;
    if (frame > u32(end - at)) break;
    writeEvent(cell, head, at + strip, frame - strip);
    cell += EVENT_BYTES;
    at += frame;
    // The loops read 8 bytes at once, and their sums must not wrap at the end of the address space.
    const last = end - 8;
    if (i32(end - at) < i32(window) + 8 || last + framing.maxFrameBytes < last) continue;
    const isBig = (framing.flags & FRAMING_BIG_ENDIAN) != 0;
    // The next value is likely as long as this one was.
    const done = walkFields(framing, isBig, value > 0xff, head, at + window, last, cell, stop);
    at = usize(done & 0xffffffff) - window;
    cell = usize(done >> 32);
  }
  decoder.consumed = u32(at - input);
  return cell;
}

/**
 * Length of the frame that starts at `at` with `available` bytes of it there:
 * 0 if its header is incomplete, a negative error if it cannot be one. A length
 * that is not exact in a double cannot be skipped either, so it is an error
 * whatever the options say.
 */
export function measureLengthField(framing: Framing, at: usize, available: u32): f64 {
  const header = framing.offset + framing.size;
  if (available < header) return 0;
  const value = readField(framing, at + header);
  if (value > SAFE_MAX) return f64(ERROR_FRAME_TOO_LONG);
  if (value < u64(framing.least)) return f64(ERROR_FRAME_MALFORMED);
  const frame = i64(value) + i64(framing.uncounted);
  return frame > i64(SAFE_MAX) ? f64(ERROR_FRAME_TOO_LONG) : f64(frame);
}

/** Wire size for a message of `length` bytes, or a negative error. */
export function sizeLengthField(framing: Framing, length: u32): i32 {
  const above = i64(length) - i64(framing.toLength) - i64(framing.least);
  if (above < 0) return ERROR_FRAME_MALFORMED;
  if (above > i64(framing.spread)) return ERROR_FRAME_TOO_LONG;
  return i32(framing.strip + length);
}

/** Whether the bytes at `at` are the length field, without an offset, of a frame of so many bytes. */
export function lengthFieldIs(framing: Framing, frame: u32, at: usize): bool {
  return readField(framing, at + framing.size) == u64(i64(frame) - i64(framing.uncounted));
}

/** Writes the field of the frame of `frame` bytes at `out`. */
export function writeLengthField(framing: Framing, frame: u32, out: usize): void {
  const field = out + framing.offset;
  const size = framing.size;
  let value = u64(i64(frame) - i64(framing.uncounted));
  if ((framing.flags & FRAMING_BIG_ENDIAN) != 0) value = bswap<u64>(value) >> u64(64 - (size << 3));
  if (size == 2) store<u16>(field, u16(value));
  else if (size == 4) store<u32>(field, u32(value));
  else if (size == 8) store<u64>(field, value);
  else {
    store<u8>(field, u8(value));
    if (size == 3) store<u16>(field, u16(value >> 8), 1);
  }
}
