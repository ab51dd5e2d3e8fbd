/**
 * Bytes to frames. A frame that lies in one input is delivered where it lies;
 * one that spans inputs is put together in a block of the arena. Whatever the
 * split of a stream into inputs, the same events come out.
 */
import {
  DecodeContext,
  Decoder,
  ERROR_FRAME_TRUNCATED,
  FRAMING_DELIMITER,
  FRAMING_LINE,
  FRAMING_RAW,
  Framing,
} from '../layout';
import { dropBlock, reclaimBlocks } from './assembly-block';
import { decodeDelimited, endDelimited } from './delimiter';
import { decodeMeasured } from './measured';
import { decodeRaw } from './raw';
import { PHASE_FRAME, fail } from './state';

/**
 * Decodes `length` bytes at `input` and writes at most `capacity` Events to
 * `out`: EVENT_MESSAGE and EVENT_OVERSIZE, their connection the decoder's
 * owner. Returns how many. `decoder.consumed` says how many bytes were taken;
 * less than `length` without an error means that `out` is full, and the caller
 * comes again with the rest. `decoder.error` is negative once the stream is
 * broken; frames before the error were delivered, and nothing is decoded after.
 * Messages of assembled frames live until `decodeReclaim`.
 */
export function decode(
  context: usize,
  decoder: usize,
  input: usize,
  length: u32,
  out: usize,
  capacity: u32,
): i32 {
  const record = changetype<Decoder>(decoder);
  record.consumed = 0;
  if (record.error != 0) return 0;
  const framing = changetype<Framing>(record.framing);
  const shared = changetype<DecodeContext>(context);
  switch (framing.kind) {
    case FRAMING_RAW:
      return decodeRaw(record, input, length, out, capacity);
    case FRAMING_DELIMITER:
    case FRAMING_LINE:
      return decodeDelimited(shared, record, framing, input, length, out, capacity);
    default:
      return decodeMeasured(shared, record, framing, input, length, out, capacity);
  }
}

/**
 * The stream has ended. Returns how many Events it left (`capacity` must be at
 * least 1). Inside a frame `decoder.error` becomes ERROR_FRAME_TRUNCATED, or
 * the rest is one message where the framing says so. Otherwise the decoder is
 * as if new.
 */
export function decodeEnd(context: usize, decoder: usize, out: usize, capacity: u32): i32 {
  const record = changetype<Decoder>(decoder);
  record.consumed = 0;
  if (record.error != 0 || capacity == 0) return 0;
  if (record.assembly == 0 && record.phase == PHASE_FRAME) return 0;
  const framing = changetype<Framing>(record.framing);
  const shared = changetype<DecodeContext>(context);
  if (framing.kind == FRAMING_DELIMITER || framing.kind == FRAMING_LINE) {
    return endDelimited(shared, record, framing, out);
  }
  fail(shared, record, ERROR_FRAME_TRUNCATED);
  return 0;
}

/** Frees what the decoder holds and makes it as if new. Delivered messages are not touched. */
export function decodeReset(context: usize, decoder: usize): void {
  const record = changetype<Decoder>(decoder);
  dropBlock(changetype<DecodeContext>(context), record);
  record.error = 0;
  record.consumed = 0;
  record.frameLength = 0;
  record.skip = 0;
  record.phase = PHASE_FRAME;
}

/** The events have been dispatched: frees the blocks of assembled frames. Returns how many. */
export function decodeReclaim(context: usize): i32 {
  return i32(reclaimBlocks(changetype<DecodeContext>(context)));
}
