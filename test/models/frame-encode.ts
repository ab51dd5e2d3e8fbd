/** The encoder's model: lay the frame out, then ask the decoder's model whether it gives the message back. */
import type { Framing, LengthFieldFraming } from '../../src/framing.ts';
import { type FrameError, modelDecode } from './frame.ts';

function concat(...parts: readonly ArrayLike<number>[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => Array.from(part)));
}

function uint(value: bigint, size: number, endian: 'big' | 'little'): number[] {
  const bytes = Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
  return endian === 'little' ? bytes : bytes.reverse();
}

export function varintBytes(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varintBytes(Math.floor(value / 128))];
}

function lengthFieldFrame(
  framing: LengthFieldFraming,
  message: Uint8Array,
): Uint8Array | FrameError {
  const { offset, size, strip } = framing;
  const frame = concat(new Uint8Array(strip), message);
  if (frame.length > framing.maxFrameBytes) return 'FRAME_TOO_LONG';
  if (frame.length < offset + size) return 'FRAME_MALFORMED';
  const value = frame.length - framing.adjustment - (framing.includesHeader ? 0 : offset + size);
  if (value < 0) return 'FRAME_MALFORMED';
  if (BigInt(value) >= 256n ** BigInt(size)) return 'FRAME_TOO_LONG';
  frame.set(uint(BigInt(value), size, framing.endian), offset);
  return frame;
}

function layOut(framing: Framing, message: Uint8Array): Uint8Array | FrameError {
  switch (framing.kind) {
    case 'raw':
      return message;
    case 'fixed':
      if (message.length === framing.size) return message;
      return message.length > framing.size ? 'FRAME_TOO_LONG' : 'FRAME_MALFORMED';
    case 'lengthField':
      return lengthFieldFrame(framing, message);
    case 'varint': {
      if (framing.keepHeader) return message;
      const prefix = varintBytes(message.length);
      if (prefix.length > framing.maxBytes) return 'FRAME_TOO_LONG';
      return concat(new Uint8Array(framing.offset), prefix, message);
    }
    case 'line':
      return framing.stripDelimiter ? concat(message, [10]) : message;
    case 'delimiter':
      return framing.stripDelimiter
        ? concat(message, framing.delimiters[0] as Uint8Array)
        : message;
  }
}

/** The frame of a message, or why it has none. */
export function modelEncode(framing: Framing, message: Uint8Array): Uint8Array | FrameError {
  const frame = layOut(framing, message);
  if (typeof frame === 'string' || framing.kind === 'raw') return frame;
  if ('maxFrameBytes' in framing && frame.length > framing.maxFrameBytes) return 'FRAME_TOO_LONG';
  const { events, error, rest } = modelDecode(framing, frame);
  const [first] = events;
  const whole = error === undefined && rest === frame.length && events.length === 1;
  if (!whole || first?.kind !== 'message') return 'FRAME_MALFORMED';
  // The length field, where the message has it, says the right thing now; the rest is as it was.
  const wanted = framing.kind === 'lengthField' ? frame.slice(framing.strip) : message;
  const same =
    first.bytes.length === message.length && first.bytes.every((byte, i) => byte === wanted[i]);
  return same ? frame : 'FRAME_MALFORMED';
}
