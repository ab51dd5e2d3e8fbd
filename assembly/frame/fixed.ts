/** 'fixed': every frame has `framing.size` bytes. */
import {
  Decoder,
  ERROR_FRAME_MALFORMED,
  ERROR_FRAME_TOO_LONG,
  EVENT_BYTES,
  EVENT_MESSAGE,
  Framing,
} from '../layout';
import { eventHead, writeEvent } from './event';

/** Delivers the whole frames that lie in the input from `position`; see `scanMeasured`. */
export function scanFixed(
  decoder: Decoder,
  framing: Framing,
  input: usize,
  length: u32,
  cell: usize,
  stop: usize,
): usize {
  const size = framing.size;
  const head = eventHead(EVENT_MESSAGE, decoder.owner);
  const end = input + length;
  let at = input + decoder.consumed;
  while (cell < stop && end - at >= size) {
    writeEvent(cell, head, at, size);
    cell += EVENT_BYTES;
    at += size;
  }
  decoder.consumed = u32(at - input);
  return cell;
}

/** Wire size for a message of `length` bytes, or a negative error. */
export function sizeFixed(framing: Framing, length: u32): i32 {
  if (length == framing.size) return i32(length);
  return length > framing.size ? ERROR_FRAME_TOO_LONG : ERROR_FRAME_MALFORMED;
}
