/** 'delimiter' and 'line': a byte string ends the frame. */
import {
  DecodeContext,
  Decoder,
  ERROR_FRAME_TRUNCATED,
  ERROR_NO_BUFFERS,
  EVENT_BYTES,
  EVENT_MESSAGE,
  FRAMING_DELIVER_UNTERMINATED,
  FRAMING_STRIP_DELIMITER,
  Framing,
} from '../layout';
import { appendToBlock, blockPayload, dropBlock, releaseBlock } from './assembly-block';
import { eventCell, eventHead, writeEvent } from './event';
import {
  findDelimiter,
  foundEnd,
  foundLength,
  longestDelimiter,
  matchEndingAt,
  scanDelimited,
} from './search';
import {
  PHASE_FRAME,
  PHASE_SKIP_DELIMITER,
  clampLength,
  fail,
  oversizeCertain,
  oversizePassed,
} from './state';

// @ts-ignore: decorator
@inline
function emit(
  decoder: Decoder,
  framing: Framing,
  frame: usize,
  length: u32,
  delimiter: u32,
  cell: usize,
): void {
  const strip = (framing.flags & FRAMING_STRIP_DELIMITER) != 0 ? delimiter : 0;
  writeEvent(cell, eventHead(EVENT_MESSAGE, decoder.owner), frame, length - strip);
}

/**
 * `maxFrameBytes` bytes have passed without an end, and there is one more: from
 * here on only the end of the frame is looked for. The last bytes before
 * `reached` stay in a small block, because a delimiter may have begun in them.
 */
function beginSkip(
  context: DecodeContext,
  decoder: Decoder,
  framing: Framing,
  reached: usize,
  out: usize,
  count: u32,
): u32 {
  const passed = framing.maxFrameBytes;
  const events = oversizeCertain(context, decoder, framing, passed + 1, out, count);
  if (decoder.error != 0) return events;
  const keep = min(longestDelimiter(framing) - 1, passed);
  const old = decoder.assembly;
  decoder.assembly = 0;
  decoder.assemblyLength = 0;
  const kept = keep == 0 || appendToBlock(context, decoder, reached - keep, keep, keep);
  const fresh = decoder.assembly;
  const freshLength = decoder.assemblyLength;
  decoder.assembly = old;
  dropBlock(context, decoder);
  decoder.assembly = fresh;
  decoder.assemblyLength = freshLength;
  if (!kept) {
    fail(context, decoder, ERROR_NO_BUFFERS);
    return events;
  }
  decoder.phase = PHASE_SKIP_DELIMITER;
  decoder.skip = f64(passed);
  return events;
}

/** Bytes up to the end of the frame being skipped, or 0 if it does not end in this input. */
function skipStep(
  context: DecodeContext,
  decoder: Decoder,
  framing: Framing,
  at: usize,
  available: u32,
): u32 {
  const reach = longestDelimiter(framing) - 1;
  const window = min(reach, available);
  if (window != 0) {
    const held = decoder.assemblyLength;
    if (!appendToBlock(context, decoder, at, window, held + window)) {
      fail(context, decoder, ERROR_NO_BUFFERS);
      return 0;
    }
    const tail = blockPayload(decoder);
    const match = findDelimiter(framing, tail, tail + held, tail + held + window);
    if (match != 0) return u32(foundEnd(match) - tail) - held;
  }
  const match = findDelimiter(framing, at, at + window, at + available);
  if (match != 0) return u32(foundEnd(match) - at);
  if (reach != 0) {
    // Keep the last bytes: of the input, or of both where the input is short.
    const tail = blockPayload(decoder);
    const held = decoder.assemblyLength;
    const keep = min(reach, held);
    if (available >= reach) memory.copy(tail, at + available - keep, keep);
    else memory.copy(tail, tail + held - keep, keep);
    decoder.assemblyLength = keep;
  }
  return 0;
}

/**
 * Adds input to the assembly: up to the end of its frame, or up to the limit.
 * Returns the delimiter's length if the frame is whole now. Every byte is
 * looked at once as a possible end, so input of single bytes stays linear.
 */
function assembleStep(
  context: DecodeContext,
  decoder: Decoder,
  framing: Framing,
  at: usize,
  available: u32,
): u32 {
  const most = framing.maxFrameBytes;
  const held = decoder.assemblyLength;
  const within = min(available, most - held);
  const window = min(longestDelimiter(framing) - 1, within);
  if (window != 0) {
    if (!appendToBlock(context, decoder, at, window, most)) {
      fail(context, decoder, ERROR_NO_BUFFERS);
      return 0;
    }
    const payload = blockPayload(decoder);
    const match = findDelimiter(framing, payload, payload + held, payload + held + window);
    if (match != 0) {
      decoder.assemblyLength = u32(foundEnd(match) - payload);
      return foundLength(match);
    }
  }
  const match = findDelimiter(framing, at, at + window, at + within);
  const end = match != 0 ? u32(foundEnd(match) - at) : within;
  if (end > window && !appendToBlock(context, decoder, at + window, end - window, most)) {
    fail(context, decoder, ERROR_NO_BUFFERS);
    return 0;
  }
  // A line's carriage return may lie on the other side of the seam.
  const payload = blockPayload(decoder);
  return match != 0 ? matchEndingAt(framing, payload, payload + held + end) : 0;
}

/** Every pass of the loop takes bytes and leaves at most one event, or ends the loop. */
export function decodeDelimited(
  context: DecodeContext,
  decoder: Decoder,
  framing: Framing,
  input: usize,
  length: u32,
  out: usize,
  capacity: u32,
): i32 {
  const most = framing.maxFrameBytes;
  const head = eventHead(EVENT_MESSAGE, decoder.owner);
  let count: u32 = 0;
  let position: u32 = 0;
  while (position < length && count < capacity && decoder.error == 0) {
    const available = length - position;
    const at = input + position;

    if (decoder.phase == PHASE_SKIP_DELIMITER) {
      const taken = skipStep(context, decoder, framing, at, available);
      if (decoder.error != 0) break;
      position += taken != 0 ? taken : available;
      decoder.skip += f64(taken != 0 ? taken : available);
      if (taken != 0) {
        const whole = clampLength(decoder.skip);
        count = oversizePassed(context, decoder, framing, whole, out, count);
      }
      continue;
    }

    if (decoder.assembly == 0) {
      const cell = eventCell(out, count);
      const stop = eventCell(out, capacity);
      const scan = scanDelimited(framing, head, at, at, input + length, most, cell, stop);
      const last = foundLength(scan);
      count += (last - u32(cell)) / EVENT_BYTES;
      position = u32(foundEnd(scan) - input);
      if (usize(last) == stop || position == length) break;
      const rest = length - position;
      if (rest > most) {
        count = beginSkip(context, decoder, framing, input + position + most, out, count);
        if (decoder.error == 0) position += most;
      } else if (appendToBlock(context, decoder, input + position, rest, rest)) {
        position = length;
      } else {
        fail(context, decoder, ERROR_NO_BUFFERS);
      }
      continue;
    }

    const held = decoder.assemblyLength;
    const delimiter = assembleStep(context, decoder, framing, at, available);
    if (decoder.error != 0) break;
    position += decoder.assemblyLength - held;
    if (delimiter != 0) {
      const frame = blockPayload(decoder);
      emit(decoder, framing, frame, decoder.assemblyLength, delimiter, eventCell(out, count++));
      releaseBlock(context, decoder);
    } else if (position < length) {
      const reached = blockPayload(decoder) + decoder.assemblyLength;
      count = beginSkip(context, decoder, framing, reached, out, count);
    }
  }
  decoder.consumed = position;
  return i32(count);
}

/** The stream ended inside a frame. Returns the count of events (0 or 1). */
export function endDelimited(
  context: DecodeContext,
  decoder: Decoder,
  framing: Framing,
  out: usize,
): i32 {
  if ((framing.flags & FRAMING_DELIVER_UNTERMINATED) == 0) {
    fail(context, decoder, ERROR_FRAME_TRUNCATED);
    return 0;
  }
  if (decoder.phase == PHASE_SKIP_DELIMITER) {
    // The end stands for a delimiter: the oversized frame has passed.
    const whole = clampLength(decoder.skip);
    return i32(oversizePassed(context, decoder, framing, whole, out, 0));
  }
  emit(decoder, framing, blockPayload(decoder), decoder.assemblyLength, 0, out);
  releaseBlock(context, decoder);
  decoder.phase = PHASE_FRAME;
  return 1;
}
