/** What the decoders of every kind share: phases, failing, and oversized frames. */
import {
  DecodeContext,
  Decoder,
  ERROR_FRAME_TOO_LONG,
  EVENT_OVERSIZE,
  FRAMING_DISCARD_OVERSIZE,
  FRAMING_FAIL_FAST,
  Framing,
} from '../layout';
import { dropBlock } from './assembly-block';
import { eventCell, eventHead, writeEvent } from './event';

/** Between frames, or inside one that is being assembled. */
export const PHASE_FRAME: u32 = 0;
/** `skip` bytes of an oversized frame are still to come. */
export const PHASE_SKIP_BYTES: u32 = 1;
/** Inside an oversized frame whose end is a delimiter; `skip` counts its bytes so far. */
export const PHASE_SKIP_DELIMITER: u32 = 2;

/** 2^53 - 1: up to here a length is exact in a double. */
export const SAFE_MAX: u64 = 0x1fffffffffffff;

/** Breaks the stream for good. What was being assembled is nobody's any more. */
export function fail(context: DecodeContext, decoder: Decoder, error: i32): void {
  dropBlock(context, decoder);
  decoder.error = error;
  decoder.phase = PHASE_FRAME;
  decoder.skip = 0;
  decoder.frameLength = 0;
}

// @ts-ignore: decorator
@inline
export function clampLength(length: f64): u32 {
  return length < 4294967295 ? u32(length) : u32.MAX_VALUE;
}

function reportOversize(decoder: Decoder, length: u32, out: usize, count: u32): void {
  writeEvent(eventCell(out, count), eventHead(EVENT_OVERSIZE, decoder.owner), 0, length);
}

/**
 * It is certain that a frame is too long. Fails at once if that is asked for
 * (the caller then sees `decoder.error`), or reports it at once if it is only
 * skipped. `length` is as known now. Returns the count of events.
 */
export function oversizeCertain(
  context: DecodeContext,
  decoder: Decoder,
  framing: Framing,
  length: u32,
  out: usize,
  count: u32,
): u32 {
  const flags = framing.flags;
  if ((flags & FRAMING_FAIL_FAST) == 0) return count;
  if ((flags & FRAMING_DISCARD_OVERSIZE) != 0) {
    reportOversize(decoder, length, out, count);
    return count + 1;
  }
  fail(context, decoder, ERROR_FRAME_TOO_LONG);
  return count;
}

/** The last byte of an oversized frame has passed: what `oversizeCertain` did not say, is said. */
export function oversizePassed(
  context: DecodeContext,
  decoder: Decoder,
  framing: Framing,
  length: u32,
  out: usize,
  count: u32,
): u32 {
  const flags = framing.flags;
  dropBlock(context, decoder);
  decoder.phase = PHASE_FRAME;
  decoder.skip = 0;
  decoder.frameLength = 0;
  if ((flags & FRAMING_DISCARD_OVERSIZE) == 0) {
    fail(context, decoder, ERROR_FRAME_TOO_LONG);
    return count;
  }
  if ((flags & FRAMING_FAIL_FAST) != 0) return count;
  reportOversize(decoder, length, out, count);
  return count + 1;
}
