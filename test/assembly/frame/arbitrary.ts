/** Random framings, and streams in which they find something. */

import type { Framing } from '../../../src/framing.ts';
import * as framings from '../../../src/framing.ts';
import { modelEncode } from '../../models/frame-encode.ts';
import { fc } from '../../support/property.ts';

const limits = {
  maxFrameBytes: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 40 }) },
    fc.integer({ min: 500, max: 1300 }),
  ),
  failFast: fc.boolean(),
  onOversize: fc.constantFrom('error', 'discard', 'discard'),
} as const;

/** Options that contradict each other are drawn again. */
function valid<T>(options: fc.Arbitrary<T>, make: (options: T) => Framing): fc.Arbitrary<Framing> {
  const tried = options.map((value): Framing | undefined => {
    try {
      return make(value);
    } catch {
      return undefined;
    }
  });
  return tried.filter((framing) => framing !== undefined);
}

const lengthField = valid(
  fc.record({
    ...limits,
    size: fc.constantFrom(1, 2, 3, 4, 8),
    endian: fc.constantFrom('big', 'little'),
    offset: fc.integer({ min: 0, max: 3 }),
    adjustment: fc.integer({ min: -4, max: 6 }),
    includesHeader: fc.boolean(),
    strip: fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined }),
  }),
  framings.lengthField,
);

const varint = valid(
  fc.record({
    ...limits,
    offset: fc.integer({ min: 0, max: 3 }),
    maxBytes: fc.integer({ min: 1, max: 5 }),
    keepHeader: fc.boolean(),
  }),
  framings.varint,
);

const ended = {
  ...limits,
  stripDelimiter: fc.boolean(),
  unterminated: fc.constantFrom('error', 'deliver'),
} as const;

/** Few letters, so that delimiters overlap, repeat and nearly match. */
const letters = fc.constantFrom(97, 98, 13, 10);
const word = (maxLength: number) =>
  fc.array(letters, { minLength: 1, maxLength }).map((bytes) => Uint8Array.from(bytes));

const delimiter = valid(
  fc.record({
    ...ended,
    delimiters: fc.oneof(
      fc.array(word(4), { minLength: 1, maxLength: 5 }),
      fc.array(word(1), { minLength: 1, maxLength: 1 }),
      fc.array(word(24), { minLength: 1, maxLength: 2 }),
    ),
  }),
  framings.delimiter,
);

const line = valid(fc.record(ended), framings.line);
const fixed = fc
  .oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 500, max: 1500 }))
  .map(framings.fixed);

/** Every kind but `raw`, whose messages depend on the chunks. */
export const anyFraming: fc.Arbitrary<Framing> = fc.oneof(
  lengthField,
  lengthField,
  varint,
  delimiter,
  delimiter,
  line,
  fixed,
);

const textual = (framing: Framing) => framing.kind === 'delimiter' || framing.kind === 'line';

/** Bytes as they are likely to matter for this framing. */
export function anyBytes(framing: Framing, maxLength: number): fc.Arbitrary<Uint8Array> {
  if (!textual(framing)) return fc.uint8Array({ maxLength });
  const sparse = fc.array(fc.oneof({ weight: 8, arbitrary: fc.constant(97) }, letters), {
    maxLength,
  });
  return fc.oneof(fc.array(letters, { maxLength }), sparse).map((bytes) => Uint8Array.from(bytes));
}

/** Messages whose frames are well below, around and above the limit. */
export function anyMessage(framing: Framing): fc.Arbitrary<Uint8Array> {
  const max =
    framing.kind === 'fixed' ? framing.size : framing.kind === 'raw' ? 50 : framing.maxFrameBytes;
  const around = fc.integer({ min: Math.max(0, max - 8), max: max + 3 });
  const filled = around.chain((length) =>
    fc.constantFrom(0, 97, 128).map((byte) => new Uint8Array(length).fill(byte)),
  );
  return fc.oneof(anyBytes(framing, 24), anyBytes(framing, 24), filled);
}

/** Frames, too long ones among them, and garbage, one after the other. */
export function anyStream(framing: Framing): fc.Arbitrary<Uint8Array> {
  // The layout of a frame without its limit.
  const roomy = 'maxFrameBytes' in framing ? { ...framing, maxFrameBytes: 10_000 } : framing;
  const frame = anyMessage(framing).map((message) => {
    const encoded = modelEncode(roomy, message);
    return typeof encoded === 'string' ? new Uint8Array() : encoded;
  });
  const piece = fc.oneof(
    { weight: 12, arbitrary: frame },
    { weight: textual(framing) ? 4 : 1, arbitrary: anyBytes(framing, 20) },
  );
  return fc
    .array(piece, { maxLength: 8 })
    .map((pieces) => Uint8Array.from(pieces.flatMap((bytes) => Array.from(bytes))));
}

/** How a stream is cut: cuts in thousandths of its length, or into pieces of one size. */
export const anyCuts = fc.oneof(
  fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 6 }),
  fc.integer({ min: 1, max: 3 }),
);

export function cut(stream: Uint8Array, cuts: number | readonly number[]): Uint8Array[] {
  const places =
    typeof cuts === 'number'
      ? Array.from({ length: Math.ceil(stream.length / cuts) }, (_, i) => i * cuts)
      : cuts.map((cut) => Math.floor((cut * stream.length) / 1000));
  const sorted = [0, ...places, stream.length].sort((a, b) => a - b);
  return sorted.slice(1).map((place, i) => stream.slice(sorted[i], place));
}
