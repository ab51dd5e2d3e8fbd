/**
 * The hot loop for frames that one byte ends: lines, and a single delimiter of
 * one byte. It works through 16 bytes at a time and takes every end in them
 * before it loads the next, so short lines cost no search each.
 */
import { Decoder, EVENT_BYTES, EVENT_MESSAGE, FRAMING_STRIP_DELIMITER, Framing } from '../layout';
import { eventHead, writeEvent } from './event';
import { soleLength } from './search';

/**
 * Delivers frames from the input while they are whole and short enough. Returns
 * the cell after the last event; unless that is `stop`, what is left of the
 * input is one frame that is too long or not whole.
 */
export function scanSoleByte(
  byte: u8,
  decoder: Decoder,
  framing: Framing,
  input: usize,
  length: u32,
  out: usize,
  stop: usize,
): usize {
  const most = framing.maxFrameBytes;
  const strip = (framing.flags & FRAMING_STRIP_DELIMITER) != 0;
  const head = eventHead(EVENT_MESSAGE, decoder.owner);
  const wanted = i8x16.splat(byte);
  const end = input + length;
  let start = input + decoder.consumed;
  let block = start;
  let cell = out;
  while (block < end) {
    let base = block;
    let mask = 0;
    if (end - block >= 16) {
      mask = i8x16.bitmask(i8x16.eq(v128.load(block), wanted));
      block += 16;
    } else if (length >= 16) {
      // The last 16 bytes once more, without those already seen.
      base = end - 16;
      mask = i8x16.bitmask(i8x16.eq(v128.load(base), wanted)) & (0xffff << i32(block - base));
      block = end;
    } else {
      for (let lane = 0; block < end; lane++, block++) {
        mask |= i32(load<u8>(block) == byte) << lane;
      }
    }
    while (mask != 0) {
      const after = base + ctz(mask) + 1;
      const frame = u32(after - start);
      if (frame > most || cell == stop) {
        decoder.consumed = u32(start - input);
        return cell;
      }
      writeEvent(cell, head, start, strip ? frame - soleLength(framing, start, after) : frame);
      cell += EVENT_BYTES;
      start = after;
      mask &= mask - 1;
    }
  }
  decoder.consumed = u32(start - input);
  return cell;
}
