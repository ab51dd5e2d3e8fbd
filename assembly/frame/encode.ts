/**
 * Messages to frames: the inverse of each decoder.
 *
 * Where the message is in linear memory: `encodedBytes`, find as much room,
 * `encode`. Where the host writes the message itself: `encodedLength`, find as
 * much room, `encodeFrame`, write into the gap, `encodeSeal`.
 */
import { copyBytes } from '../copy';
import {
  ERROR_FRAME_TOO_LONG,
  FRAMING_DELIMITER,
  FRAMING_FIXED,
  FRAMING_LENGTH_FIELD,
  FRAMING_LINE,
  FRAMING_RAW,
  Framing,
} from '../layout';
import { sizeDelimited, verifyDelimited, writeDelimiter } from './delimiter-encode';
import { sizeFixed } from './fixed';
import { sizeLengthField, writeLengthField } from './length-field';
import { sizeVarint, verifyVarint, writeVarintHead } from './varint';

/** Wire size of the frame for any message of `length` bytes, or a negative error. */
export function encodedLength(framing: usize, length: u32): i32 {
  const record = changetype<Framing>(framing);
  switch (record.kind) {
    case FRAMING_LENGTH_FIELD:
      return sizeLengthField(record, length);
    case FRAMING_RAW:
      return length > u32(i32.MAX_VALUE) ? ERROR_FRAME_TOO_LONG : i32(length);
    case FRAMING_FIXED:
      return sizeFixed(record, length);
    case FRAMING_DELIMITER:
    case FRAMING_LINE:
      return sizeDelimited(record, length);
    default:
      return sizeVarint(record, length);
  }
}

/** 0 if the message can be a frame's as it is, else a negative error. */
function verify(framing: Framing, message: usize, length: u32): i32 {
  switch (framing.kind) {
    case FRAMING_LENGTH_FIELD:
    case FRAMING_RAW:
    case FRAMING_FIXED:
      return 0;
    case FRAMING_DELIMITER:
    case FRAMING_LINE:
      return verifyDelimited(framing, message, length);
    default:
      return verifyVarint(framing, message, length);
  }
}

/** Wire size of this message's frame, or a negative error: too long, or not of this framing. */
export function encodedBytes(framing: usize, message: usize, length: u32): i32 {
  const bytes = encodedLength(framing, length);
  if (bytes < 0) return bytes;
  const verdict = verify(changetype<Framing>(framing), message, length);
  return verdict < 0 ? verdict : bytes;
}

/**
 * Writes a frame around a gap of `length` bytes and returns where the gap
 * begins, counted from `out`. `encodedLength` must have accepted the length.
 */
export function encodeFrame(framing: usize, length: u32, out: usize): i32 {
  const record = changetype<Framing>(framing);
  switch (record.kind) {
    case FRAMING_LENGTH_FIELD: {
      const strip = record.strip;
      if (strip > record.size || record.offset != 0) memory.fill(out, 0, strip);
      // A field inside the gap belongs to `encodeSeal`.
      if (record.offset + record.size <= strip) writeLengthField(record, strip + length, out);
      return i32(strip);
    }
    case FRAMING_RAW:
    case FRAMING_FIXED:
      return 0;
    case FRAMING_DELIMITER:
    case FRAMING_LINE:
      writeDelimiter(record, out + length);
      return 0;
    default:
      return i32(writeVarintHead(record, length, out));
  }
}

/** The part of a frame that lies over the message's own bytes. */
// @ts-ignore: decorator
@inline
function patch(framing: Framing, length: u32, out: usize): void {
  if (framing.kind == FRAMING_LENGTH_FIELD && framing.offset + framing.size > framing.strip) {
    writeLengthField(framing, framing.strip + length, out);
  }
}

/**
 * Completes a frame whose gap of `length` bytes has been filled. Returns its
 * wire size, or a negative error if those bytes cannot be a message of this
 * framing; the frame must not be sent then.
 */
export function encodeSeal(framing: usize, length: u32, out: usize): i32 {
  const record = changetype<Framing>(framing);
  // Where a message can be refused for its bytes, nothing stands before it.
  const verdict = verify(record, out, length);
  if (verdict < 0) return verdict;
  patch(record, length, out);
  return encodedLength(framing, length);
}

/** Writes the frame. `encodedBytes` must have accepted the message. */
export function writeFrame(framing: usize, message: usize, length: u32, out: usize): void {
  const gap = encodeFrame(framing, length, out);
  copyBytes(out + gap, message, length);
  patch(changetype<Framing>(framing), length, out);
}

/** As `writeFrame`; returns the frame's wire size. */
export function encode(framing: usize, message: usize, length: u32, out: usize): i32 {
  writeFrame(framing, message, length, out);
  return encodedLength(framing, length);
}
