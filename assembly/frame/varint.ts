/** 'varint': the payload's length in base 128, least significant group first (protobuf, MQTT). */
import {
  Decoder,
  ERROR_FRAME_MALFORMED,
  ERROR_FRAME_TOO_LONG,
  EVENT_BYTES,
  EVENT_MESSAGE,
  FRAMING_KEEP_HEADER,
  Framing,
} from '../layout';
import { eventHead, writeEvent } from './event';

/** Delivers the whole frames that lie in the input; see `scanLengthField`. */
export function scanVarint(
  decoder: Decoder,
  framing: Framing,
  input: usize,
  length: u32,
  cell: usize,
  stop: usize,
): usize {
  const offset: usize = framing.offset;
  const most = framing.maxFrameBytes;
  const maxBytes = framing.maxBytes;
  const keep = (framing.flags & FRAMING_KEEP_HEADER) != 0;
  const head = eventHead(EVENT_MESSAGE, decoder.owner);
  const end = input + length;
  let at = input + decoder.consumed;
  while (cell < stop && end - at > offset) {
    // Prefixes of one and two bytes are nearly all there are.
    let value = u32(load<u8>(at + offset));
    let header = u32(offset) + 1;
    if (value >= 0x80) {
      if (maxBytes < 2 || end - at < offset + 2) break;
      const second = u32(load<u8>(at + offset, 1));
      if (second < 0x80) {
        value = (value & 0x7f) | (second << 7);
        header++;
      } else {
        const frame = measureVarint(framing, at, u32(end - at));
        if (frame <= 0 || frame > f64(most)) break;
        header = u32(offset) + prefixBytes(at + offset);
        value = u32(frame) - header;
      }
    }
    const frame = header + value;
    if (frame > u32(end - at) || frame > most) break;
    if (keep) writeEvent(cell, head, at, frame);
    else writeEvent(cell, head, at + header, value);
    cell += EVENT_BYTES;
    at += frame;
  }
  decoder.consumed = u32(at - input);
  return cell;
}

/** Bytes of a well-formed prefix. */
export function prefixBytes(at: usize): u32 {
  let count: u32 = 1;
  while (load<u8>(at) >= 0x80) {
    at++;
    count++;
  }
  return count;
}

/** As `measureLengthField`. A prefix may be longer than need be, but not than `maxBytes`. */
export function measureVarint(framing: Framing, at: usize, available: u32): f64 {
  const offset = framing.offset;
  const maxBytes = framing.maxBytes;
  let value: u64 = 0;
  for (let i: u32 = 0; i < maxBytes; i++) {
    if (available <= offset + i) return 0;
    const group = load<u8>(at + offset + i);
    value |= u64(group & 0x7f) << (7 * i);
    if (group < 0x80) return f64(offset) + f64(i + 1) + f64(value);
  }
  return f64(ERROR_FRAME_MALFORMED);
}

/** Bytes of the header that must be there before it can be measured again. */
export function wantVarint(framing: Framing, held: u32): u32 {
  return held <= framing.offset ? framing.offset + 1 - held : 1;
}

// @ts-ignore: decorator
@inline
function minimalPrefixBytes(length: u32): u32 {
  return length == 0 ? 1 : (38 - clz(length)) / 7;
}

/** Wire size for a message of `length` bytes, or a negative error. */
export function sizeVarint(framing: Framing, length: u32): i32 {
  if ((framing.flags & FRAMING_KEEP_HEADER) != 0) {
    return length > framing.maxFrameBytes ? ERROR_FRAME_TOO_LONG : i32(length);
  }
  const prefix = minimalPrefixBytes(length);
  const frame = u64(framing.offset) + u64(prefix) + u64(length);
  if (prefix > framing.maxBytes || frame > u64(framing.maxFrameBytes)) return ERROR_FRAME_TOO_LONG;
  return i32(frame);
}

/** A message that is a whole frame must be exactly one. */
export function verifyVarint(framing: Framing, message: usize, length: u32): i32 {
  if ((framing.flags & FRAMING_KEEP_HEADER) == 0) return 0;
  return measureVarint(framing, message, length) == f64(length) && length != 0
    ? 0
    : ERROR_FRAME_MALFORMED;
}

/** Writes what stands before a payload of `length` bytes; returns its size. */
export function writeVarintHead(framing: Framing, length: u32, out: usize): u32 {
  if ((framing.flags & FRAMING_KEEP_HEADER) != 0) return 0;
  const offset = framing.offset;
  if (offset != 0) memory.fill(out, 0, offset);
  let at = out + offset;
  while (length >= 0x80) {
    store<u8>(at++, u8(length | 0x80));
    length >>= 7;
  }
  store<u8>(at++, u8(length));
  return u32(at - out);
}
