/** The encoder of 'delimiter' and 'line'. */
import {
  ERROR_FRAME_MALFORMED,
  ERROR_FRAME_TOO_LONG,
  FRAMING_LINE,
  FRAMING_STRIP_DELIMITER,
  Framing,
} from '../layout';
import {
  CARRIAGE_RETURN,
  LINE_FEED,
  delimiterAt,
  findDelimiter,
  foundEnd,
  sameBytes,
} from './search';

/** The delimiter's bytes that the encoder adds: none where messages bring their own. */
// @ts-ignore: decorator
@inline
export function delimiterBytes(framing: Framing): u32 {
  if ((framing.flags & FRAMING_STRIP_DELIMITER) == 0) return 0;
  return framing.kind == FRAMING_LINE ? 1 : delimiterAt(framing, 0).length;
}

/** Wire size for a message of `length` bytes, or a negative error. */
export function sizeDelimited(framing: Framing, length: u32): i32 {
  const frame = u64(length) + u64(delimiterBytes(framing));
  return frame > u64(framing.maxFrameBytes) ? ERROR_FRAME_TOO_LONG : i32(frame);
}

/**
 * 0 if a decoder of the same framing gives exactly this message back, else
 * ERROR_FRAME_MALFORMED: a delimiter inside it (or formed with the one that
 * follows) would make two messages of it.
 */
export function verifyDelimited(framing: Framing, message: usize, length: u32): i32 {
  const end = message + length;
  const match = findDelimiter(framing, message, message, end);
  if ((framing.flags & FRAMING_STRIP_DELIMITER) == 0) {
    return match != 0 && foundEnd(match) == end ? 0 : ERROR_FRAME_MALFORMED;
  }
  if (match != 0) return ERROR_FRAME_MALFORMED;
  if (framing.kind == FRAMING_LINE) {
    return length != 0 && load<u8>(end - 1) == CARRIAGE_RETURN ? ERROR_FRAME_MALFORMED : 0;
  }
  return endsEarly(framing, end, length) ? ERROR_FRAME_MALFORMED : 0;
}

/** Whether a delimiter begins in the message and ends in the first delimiter, which follows it. */
function endsEarly(framing: Framing, messageEnd: usize, length: u32): bool {
  const first = delimiterAt(framing, 0);
  for (let i: u32 = 0, count = framing.delimiterCount; i < count; i++) {
    const other = delimiterAt(framing, i);
    // `inside` bytes of it lie in the message, the rest is the head of the first delimiter.
    const most = min(other.length - 1, length);
    for (let inside: u32 = 1; inside <= most; inside++) {
      const rest = other.length - inside;
      if (rest > first.length) continue;
      const begins = sameBytes(other.bytes, messageEnd - inside, inside);
      if (begins && sameBytes(other.bytes + inside, first.bytes, rest)) return true;
    }
  }
  return false;
}

/** Writes what stands after the message. */
export function writeDelimiter(framing: Framing, out: usize): void {
  if ((framing.flags & FRAMING_STRIP_DELIMITER) == 0) return;
  if (framing.kind == FRAMING_LINE) {
    store<u8>(out, LINE_FEED);
    return;
  }
  const first = delimiterAt(framing, 0);
  memory.copy(out, first.bytes, first.length);
}
