/**
 * The loop for the kinds whose frames say (or have) their length up front:
 * length field, varint, fixed. Whole frames in the input go through the kind's
 * own tight scan; this file handles the rest: frames that span inputs, and
 * frames that are too long or wrong.
 */
import {
  DecodeContext,
  Decoder,
  ERROR_NO_BUFFERS,
  EVENT_BYTES,
  EVENT_MESSAGE,
  FRAMING_FIXED,
  FRAMING_KEEP_HEADER,
  FRAMING_LENGTH_FIELD,
  Framing,
} from '../layout';
import { appendToBlock, blockPayload, dropBlock, releaseBlock } from './assembly-block';
import { eventCell, eventHead, writeEvent } from './event';
import { scanFixed } from './fixed';
import { measureLengthField, scanLengthField } from './length-field';
import { PHASE_SKIP_BYTES, clampLength, fail, oversizeCertain, oversizePassed } from './state';
import { measureVarint, prefixBytes, scanVarint, wantVarint } from './varint';

function scanMeasured(
  decoder: Decoder,
  framing: Framing,
  input: usize,
  length: u32,
  cell: usize,
  stop: usize,
): usize {
  const kind = framing.kind;
  if (kind == FRAMING_LENGTH_FIELD) {
    return scanLengthField(decoder, framing, input, length, cell, stop);
  }
  if (kind == FRAMING_FIXED) return scanFixed(decoder, framing, input, length, cell, stop);
  return scanVarint(decoder, framing, input, length, cell, stop);
}

/** Length of the frame, 0 while its header is incomplete, or a negative error. */
function measure(framing: Framing, at: usize, available: u32): f64 {
  const kind = framing.kind;
  if (kind == FRAMING_LENGTH_FIELD) return measureLengthField(framing, at, available);
  if (kind == FRAMING_FIXED) return f64(framing.size);
  return measureVarint(framing, at, available);
}

/** Header bytes to add to `held` before measuring again. */
function wantHeader(framing: Framing, held: u32): u32 {
  if (framing.kind == FRAMING_LENGTH_FIELD) return framing.offset + framing.size - held;
  return wantVarint(framing, held);
}

/** Bytes that leave the front of the whole frame at `at`. */
function stripOf(framing: Framing, at: usize): u32 {
  const kind = framing.kind;
  if (kind == FRAMING_LENGTH_FIELD) return framing.strip;
  if (kind == FRAMING_FIXED || (framing.flags & FRAMING_KEEP_HEADER) != 0) return 0;
  return framing.offset + prefixBytes(at + framing.offset);
}

/** A frame is too long; `received` bytes of it were taken. Returns the count of events. */
function beginSkip(
  context: DecodeContext,
  decoder: Decoder,
  framing: Framing,
  frame: f64,
  received: u32,
  out: usize,
  count: u32,
): u32 {
  const length = clampLength(frame);
  dropBlock(context, decoder);
  const events = oversizeCertain(context, decoder, framing, length, out, count);
  if (decoder.error != 0) return events;
  decoder.phase = PHASE_SKIP_BYTES;
  decoder.skip = frame - f64(received);
  decoder.frameLength = length;
  return events;
}

/** Every pass of the loop takes bytes and leaves at most one event, or ends the loop. */
export function decodeMeasured(
  context: DecodeContext,
  decoder: Decoder,
  framing: Framing,
  input: usize,
  length: u32,
  out: usize,
  capacity: u32,
): i32 {
  const most = framing.maxFrameBytes;
  let count: u32 = 0;
  let position: u32 = 0;
  while (position < length && count < capacity && decoder.error == 0) {
    const available = length - position;

    if (decoder.phase == PHASE_SKIP_BYTES) {
      const take = decoder.skip < f64(available) ? u32(decoder.skip) : available;
      position += take;
      decoder.skip -= f64(take);
      if (decoder.skip == 0) {
        count = oversizePassed(context, decoder, framing, decoder.frameLength, out, count);
      }
      continue;
    }

    if (decoder.assembly == 0) {
      decoder.consumed = position;
      const cell = eventCell(out, count);
      const stop = eventCell(out, capacity);
      const last = scanMeasured(decoder, framing, input, length, cell, stop);
      count += u32(last - cell) / EVENT_BYTES;
      position = decoder.consumed;
      if (last == stop || position == length) break;
      // What stopped the scan is incomplete or wrong.
      const rest = length - position;
      const frame = measure(framing, input + position, rest);
      if (frame < 0) {
        fail(context, decoder, i32(frame));
      } else if (frame > f64(most)) {
        // Skipping starts at the frame's first byte, which is still to be taken.
        count = beginSkip(context, decoder, framing, frame, 0, out, count);
      } else if (appendToBlock(context, decoder, input + position, rest, rest)) {
        decoder.frameLength = u32(frame);
        position = length;
      } else {
        fail(context, decoder, ERROR_NO_BUFFERS);
      }
      continue;
    }

    const frameLength = decoder.frameLength;
    const held = decoder.assemblyLength;
    const want = frameLength != 0 ? frameLength - held : wantHeader(framing, held);
    const take = min(want, available);
    if (!appendToBlock(context, decoder, input + position, take, held + want)) {
      fail(context, decoder, ERROR_NO_BUFFERS);
      break;
    }
    position += take;
    if (take < want) break;
    if (frameLength == 0) {
      const frame = measure(framing, blockPayload(decoder), held + take);
      if (frame == 0) continue;
      if (frame < 0) {
        fail(context, decoder, i32(frame));
        break;
      }
      if (frame > f64(most)) {
        count = beginSkip(context, decoder, framing, frame, held + take, out, count);
        continue;
      }
      decoder.frameLength = u32(frame);
      if (decoder.frameLength > held + take) continue;
    }
    const payload = blockPayload(decoder);
    const strip = stripOf(framing, payload);
    writeEvent(
      eventCell(out, count++),
      eventHead(EVENT_MESSAGE, decoder.owner),
      payload + strip,
      decoder.frameLength - strip,
    );
    releaseBlock(context, decoder);
    decoder.frameLength = 0;
  }
  decoder.consumed = position;
  return i32(count);
}
