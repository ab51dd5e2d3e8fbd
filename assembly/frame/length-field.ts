/** 'length field': an unsigned number at a fixed place says how long the frame is. */
import {
  Decoder,
  ERROR_FRAME_MALFORMED,
  ERROR_FRAME_TOO_LONG,
  EVENT_BYTES,
  EVENT_MESSAGE,
  FRAMING_BIG_ENDIAN,
  FRAMING_INCLUDES_HEADER,
  Framing,
} from '../layout';
import { eventHead, writeEvent } from './event';
import { SAFE_MAX } from './state';

// Width and byte order as one number. It is a constant wherever the hot loop
// is inlined, so each loop keeps only its own way to read the field.
const U8: u32 = 2;
const U16LE: u32 = 4;
const U16BE: u32 = 5;
const U24LE: u32 = 6;
const U24BE: u32 = 7;
const U32LE: u32 = 8;
const U32BE: u32 = 9;

// @ts-ignore: decorator
@inline
function shapeOf(framing: Framing): u32 {
  const size = framing.size;
  return size == 1 ? U8 : (size << 1) | u32((framing.flags & FRAMING_BIG_ENDIAN) != 0);
}

/**
 * The field of `size` bytes whose last one is before `end`. Eight bytes are read
 * whatever the size, those before it too, where memory always is.
 */
// @ts-ignore: decorator
@inline
function readField(framing: Framing, end: usize): u64 {
  const bytes = load<u64>(end - 8);
  const unused = u64(64 - (framing.size << 3));
  if ((framing.flags & FRAMING_BIG_ENDIAN) == 0) return bytes >> unused;
  return bswap<u64>(bytes) & (u64(-1) >> unused);
}

// @ts-ignore: decorator
@inline
function readSmall(shape: u32, field: usize): u32 {
  if (shape == U8) return u32(load<u8>(field));
  if (shape == U16LE) return u32(load<u16>(field));
  if (shape == U16BE) return (u32(load<u8>(field)) << 8) | u32(load<u8>(field, 1));
  if (shape == U24LE) return u32(load<u16>(field)) | (u32(load<u8>(field, 2)) << 16);
  if (shape == U24BE) {
    const low = (u32(load<u8>(field, 1)) << 8) | u32(load<u8>(field, 2));
    return low | (u32(load<u8>(field)) << 16);
  }
  if (shape == U32LE) return load<u32>(field);
  // Nearly all lengths fit in the low half, and there is no instruction that swaps.
  if (load<u16>(field) != 0) return bswap<u32>(load<u32>(field));
  return (u32(load<u8>(field, 2)) << 8) | u32(load<u8>(field, 3));
}

/** What the value leaves out of the frame's length; may be negative. */
// @ts-ignore: decorator
@inline
function uncounted(framing: Framing): i64 {
  const header = (framing.flags & FRAMING_INCLUDES_HEADER) != 0 ? 0 : framing.offset + framing.size;
  return i64(framing.adjustment) + i64(header);
}

/** No frame is shorter than its own header, nor than what is stripped from it. */
// @ts-ignore: decorator
@inline
function shortest(framing: Framing): u32 {
  return max(framing.offset + framing.size, framing.strip);
}

/**
 * The tight loop for one shape of field, a load, an addition and two tests a
 * frame: everything in 32 bits and few values alive. It walks from field to
 * field, as far as `last`, over values from `low` on, `range` of them.
 * @returns the field it stopped at, and above it the cell after the last event
 */
// @ts-ignore: decorator
@inline
function walk(
  shape: u32,
  from: usize,
  last: usize,
  end: usize,
  low: u32,
  range: u32,
  step: u32,
  toMessage: u32,
  toLength: u32,
  owner: i32,
  out: usize,
  stop: usize,
): u64 {
  let field = from;
  let cell = out;
  while (field <= last && cell < stop) {
    const value = readSmall(shape, field);
    if (value - low > range) break;
    const frame = value + step;
    if (frame > u32(end - field)) break;
    store<u32>(cell, EVENT_MESSAGE);
    store<i32>(cell, owner, 4);
    store<u32>(cell, field + toMessage, 8);
    store<u32>(cell, value + toLength, 12);
    cell += EVENT_BYTES;
    field += frame;
  }
  return (u64(cell) << 32) | u64(field);
}

/** The same for 8 bytes. */
function scanWide(
  decoder: Decoder,
  framing: Framing,
  input: usize,
  length: u32,
  out: usize,
  stop: usize,
): usize {
  const header: usize = framing.offset + framing.size;
  const extra = uncounted(framing);
  const least = u64(shortest(framing));
  const most = u64(framing.maxFrameBytes);
  const strip = framing.strip;
  const isBig = (framing.flags & FRAMING_BIG_ENDIAN) != 0;
  const head = eventHead(EVENT_MESSAGE, decoder.owner);
  const offset: usize = framing.offset;
  const end = input + length;
  let at = input + decoder.consumed;
  let cell = out;
  while (cell < stop && end - at >= header) {
    const field = load<u64>(at + offset);
    const value = isBig ? bswap<u64>(field) : field;
    if (value > SAFE_MAX) break;
    // A negative sum is a huge unsigned number: over every limit.
    const frame = u64(extra + i64(value));
    if (frame > u64(end - at) || frame > most || frame < least) break;
    writeEvent(cell, head, at + strip, u32(frame) - strip);
    cell += EVENT_BYTES;
    at += usize(frame);
  }
  decoder.consumed = u32(at - input);
  return cell;
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
  if (framing.size == 8) return scanWide(decoder, framing, input, length, out, stop);
  const offset: usize = framing.offset;
  const header: u32 = framing.offset + framing.size;
  const extra = uncounted(framing);
  // Values of frames that are neither too short nor too long.
  const least = i64(shortest(framing)) - extra;
  const most = i64(framing.maxFrameBytes) - extra;
  if (most < 0 || most < least || length - decoder.consumed < header) return out;
  const low = u32(max<i64>(least, 0));
  const range = u32(min<i64>(most, i64(u32.MAX_VALUE))) - low;
  const first = input + decoder.consumed + offset;
  const end = input + length + offset;
  // The last place where a whole header can lie.
  const last = end - header;
  const step = u32(extra);
  const toMessage = framing.strip - u32(offset);
  const toLength = step - framing.strip;
  const own = decoder.owner;
  let where: u64 = 0;
  switch (shapeOf(framing)) {
    case U8:
      where = walk(U8, first, last, end, low, range, step, toMessage, toLength, own, out, stop);
      break;
    case U16LE:
      where = walk(U16LE, first, last, end, low, range, step, toMessage, toLength, own, out, stop);
      break;
    case U16BE:
      where = walk(U16BE, first, last, end, low, range, step, toMessage, toLength, own, out, stop);
      break;
    case U24LE:
      where = walk(U24LE, first, last, end, low, range, step, toMessage, toLength, own, out, stop);
      break;
    case U24BE:
      where = walk(U24BE, first, last, end, low, range, step, toMessage, toLength, own, out, stop);
      break;
    case U32LE:
      where = walk(U32LE, first, last, end, low, range, step, toMessage, toLength, own, out, stop);
      break;
    default:
      where = walk(U32BE, first, last, end, low, range, step, toMessage, toLength, own, out, stop);
  }
  decoder.consumed = u32(where) - u32(offset) - u32(input);
  return usize(where >> 32);
}

/**
 * Length of the frame that starts at `at` with `available` bytes of it there:
 * 0 if its header is incomplete, a negative error if it cannot be one. A length
 * that is not exact in a double cannot be skipped either, so it is an error
 * whatever the options say.
 */
export function measureLengthField(framing: Framing, at: usize, available: u32): f64 {
  if (available < framing.offset + framing.size) return 0;
  const value = readField(framing, at + framing.offset + framing.size);
  if (value > SAFE_MAX) return f64(ERROR_FRAME_TOO_LONG);
  const frame = uncounted(framing) + i64(value);
  if (frame < i64(shortest(framing))) return f64(ERROR_FRAME_MALFORMED);
  if (frame > i64(SAFE_MAX)) return f64(ERROR_FRAME_TOO_LONG);
  return f64(frame);
}

/** Wire size for a message of `length` bytes, or a negative error. */
export function sizeLengthField(framing: Framing, length: u32): i32 {
  const frame = u64(framing.strip) + u64(length);
  if (frame > u64(framing.maxFrameBytes)) return ERROR_FRAME_TOO_LONG;
  if (frame < u64(shortest(framing))) return ERROR_FRAME_MALFORMED;
  const value = i64(frame) - uncounted(framing);
  if (value < 0) return ERROR_FRAME_MALFORMED;
  const bits = u64(framing.size) << 3;
  if (bits < 64 && u64(value) >> bits != 0) return ERROR_FRAME_TOO_LONG;
  return i32(frame);
}

/**
 * Largest message of a plain length field (nothing before it, nothing adjusted,
 * the whole header stripped): up to it a frame is the field and the message,
 * without a further look. 0 for any other framing.
 */
export function plainMessageMax(framing: Framing): u32 {
  const size = framing.size;
  if (framing.offset != 0 || framing.adjustment != 0 || framing.strip != size) return 0;
  if (framing.maxFrameBytes < size) return 0;
  let largest = <u32>-1;
  if (size < 4) largest = ((<u32>1) << (size << 3)) - 1;
  if (framing.flags & FRAMING_INCLUDES_HEADER) largest -= size;
  return min(largest, framing.maxFrameBytes - size);
}

/** Whether the bytes at `at` are the length field, without an offset, of a frame of so many bytes. */
export function lengthFieldIs(framing: Framing, frame: u32, at: usize): bool {
  const value = u64(i64(frame) - uncounted(framing));
  const size = framing.size;
  const isBig = (framing.flags & FRAMING_BIG_ENDIAN) != 0;
  for (let index: u32 = 0; index < size; index++) {
    const shift = (isBig ? size - 1 - index : index) << 3;
    if (load<u8>(at + index) != u8(value >> shift)) return false;
  }
  return true;
}

/** Writes the field of the frame of `frame` bytes at `out`. */
export function writeLengthField(framing: Framing, frame: u32, out: usize): void {
  const field = out + framing.offset;
  const size = framing.size;
  let value = u64(i64(frame) - uncounted(framing));
  if ((framing.flags & FRAMING_BIG_ENDIAN) != 0) value = bswap<u64>(value) >> u64(64 - (size << 3));
  if (size == 2) store<u16>(field, u16(value));
  else if (size == 4) store<u32>(field, u32(value));
  else if (size == 8) store<u64>(field, value);
  else {
    store<u8>(field, u8(value));
    if (size == 3) store<u16>(field, u16(value >> 8), 1);
  }
}
