/** 'raw': whatever arrived is one message. */
import { Decoder, EVENT_MESSAGE } from '../layout';
import { eventHead, writeEvent } from './event';

export function decodeRaw(
  decoder: Decoder,
  input: usize,
  length: u32,
  out: usize,
  capacity: u32,
): i32 {
  if (length == 0 || capacity == 0) return 0;
  writeEvent(out, eventHead(EVENT_MESSAGE, decoder.owner), input, length);
  decoder.consumed = length;
  return 1;
}
