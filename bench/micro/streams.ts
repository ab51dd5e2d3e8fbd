/** The byte streams that decoders work on, made the same in every host. */
import {
  delimiter,
  type Framing,
  fixed,
  lengthField,
  line,
  raw,
  varint,
} from '../../src/framing.ts';
import { randomFrom } from './case.ts';

export type Kind = 'lengthField' | 'varint' | 'delimiter' | 'line' | 'fixed' | 'raw';

/** A framing under measurement, and what decoders by hand need to know of it. */
export interface Shape {
  readonly name: string;
  readonly kind: Kind;
  /** Bytes of the length field. */
  readonly fieldBytes: number;
  readonly bigEndian: boolean;
  /** Most bytes of a frame that it can carry. */
  readonly mostBytes: number;
  framing(frameBytes: number): Framing;
}

const MAX_FRAME_BYTES = 1 << 20;

function field(size: 1 | 2 | 3 | 4 | 8, endian: 'big' | 'little'): Shape {
  return {
    name: `lengthField${size}${size === 1 ? '' : endian === 'big' ? 'be' : 'le'}`,
    kind: 'lengthField',
    fieldBytes: size,
    bigEndian: endian === 'big',
    mostBytes: size === 1 ? 256 : MAX_FRAME_BYTES,
    framing: () => lengthField({ size, endian, maxFrameBytes: MAX_FRAME_BYTES }),
  };
}

function other(kind: Kind, framing: (frameBytes: number) => Framing): Shape {
  return {
    name: kind,
    kind,
    fieldBytes: 0,
    bigEndian: false,
    mostBytes: MAX_FRAME_BYTES,
    framing,
  };
}

export const SHAPES: readonly Shape[] = [
  field(1, 'big'),
  field(2, 'little'),
  field(3, 'big'),
  field(4, 'big'),
  field(8, 'little'),
  other('varint', () => varint({ maxFrameBytes: MAX_FRAME_BYTES })),
  other('delimiter', () => delimiter('\r\n', { maxFrameBytes: MAX_FRAME_BYTES })),
  other('line', () => line({ maxFrameBytes: MAX_FRAME_BYTES })),
  other('fixed', (size) => fixed(size)),
  other('raw', () => raw()),
];

export const SIZES = [16, 64, 256, 1024, 16_384] as const;

/** Bytes before the message of a frame of `frameBytes` bytes. */
export function headerBytes({ kind, fieldBytes }: Shape, frameBytes: number): number {
  if (kind === 'lengthField') return fieldBytes;
  if (kind !== 'varint') return 0;
  return frameBytes - 1 < 128 ? 1 : frameBytes - 2 < 16_384 ? 2 : 3;
}

/** Bytes after it. */
export function trailerBytes({ kind }: Shape): number {
  return kind === 'delimiter' ? 2 : kind === 'line' ? 1 : 0;
}

/** Writes what stands around a message of `length` bytes at `at`. */
export function writeFrameAround(shape: Shape, target: Uint8Array, at: number, frame: number) {
  const { kind, fieldBytes, bigEndian } = shape;
  const header = headerBytes(shape, frame);
  if (kind === 'lengthField') {
    let rest = frame - header;
    for (let index = 0; index < fieldBytes; index++) {
      target[at + (bigEndian ? fieldBytes - 1 - index : index)] = rest & 255;
      rest = Math.floor(rest / 256);
    }
  } else if (kind === 'varint') {
    let rest = frame - header;
    for (let index = 0; index < header; index++) {
      target[at + index] = (rest & 127) | (index + 1 < header ? 128 : 0);
      rest >>>= 7;
    }
  } else if (kind === 'delimiter') {
    target[at + frame - 2] = 13;
    target[at + frame - 1] = 10;
  } else if (kind === 'line') target[at + frame - 1] = 10;
}

/**
 * Frames one after the other whose sizes vary around `frameBytes` by an eighth
 * (not for `fixed` and `raw`); contents are letters, so that no end of a line is
 * among them. Exactly `bytes` long.
 */
export function makeStream(shape: Shape, frameBytes: number, bytes: number): Uint8Array {
  const random = randomFrom(frameBytes * 31 + bytes);
  const stream = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at++) stream[at] = 97 + random(26);
  if (shape.kind === 'raw' || shape.kind === 'fixed') return stream;
  const least = headerBytes(shape, frameBytes) + trailerBytes(shape) + 1;
  const spread = frameBytes >> 3;
  for (let at = 0; at < bytes; ) {
    const left = bytes - at;
    let frame = frameBytes - spread + random(2 * spread + 1);
    frame = Math.min(Math.max(frame, least), shape.mostBytes);
    // The last frame takes what is left, and no frame leaves too little for another one.
    if (left - frame < frameBytes) frame = left <= shape.mostBytes ? left : left >> 1;
    writeFrameAround(shape, stream, at, frame);
    at += frame;
  }
  return stream;
}
