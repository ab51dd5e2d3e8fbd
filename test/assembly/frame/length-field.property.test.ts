/**
 * Length fields whose values lie around the borders that the decoder's loops
 * have: one byte, two bytes, more; the least and the greatest good value; the
 * end of the input. A value that is small but for one high byte is not small.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import { type LengthFieldFraming, lengthField } from '../../../src/framing.ts';
import { modelAfter, modelFrames } from '../../models/frame.ts';
import { check, fc } from '../../support/property.ts';
import { forEachVariant, type MakeCore } from '../../support/variants.ts';
import { cut } from './arbitrary.ts';
import { FrameHarness } from './harness.ts';

const NUMBERS = {
  FRAME_TOO_LONG: layout.ERROR_FRAME_TOO_LONG,
  FRAME_MALFORMED: layout.ERROR_FRAME_MALFORMED,
  FRAME_TRUNCATED: layout.ERROR_FRAME_TRUNCATED,
};

const SIZES = [1, 2, 3, 4, 8] as const;

const around = (border: number) => fc.integer({ min: border - 2, max: border + 2 });

const anyFraming = fc
  .record({
    size: fc.constantFrom(...SIZES),
    endian: fc.constantFrom('big', 'little'),
    offset: fc.oneof(fc.integer({ min: 0, max: 12 }), around(260)),
    adjustment: fc.oneof(fc.constant(0), fc.integer({ min: -300, max: 300 })),
    includesHeader: fc.boolean(),
    strip: fc.option(fc.integer({ min: 0, max: 30 }), { nil: undefined }),
    maxFrameBytes: fc.oneof(around(300), around(65_536), fc.constant(2 ** 30)),
    onOversize: fc.constantFrom('error', 'discard'),
  })
  .map((options): LengthFieldFraming | undefined => {
    try {
      return lengthField(options);
    } catch {
      return undefined;
    }
  })
  .filter((framing) => framing !== undefined);

interface Piece {
  /** Bytes of the frame, if the field can say so. */
  readonly frameBytes: number;
  /** Added to the value: a byte that is not the lowest. */
  readonly high: bigint;
  /** What stands around the field. */
  readonly filler: number;
}

const anyPiece = (framing: LengthFieldFraming): fc.Arbitrary<Piece> =>
  fc.record({
    frameBytes: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 1, max: 60 }) },
      { weight: 3, arbitrary: around(256 + framing.offset + framing.size) },
      { weight: 3, arbitrary: fc.integer({ min: 200, max: 900 }) },
      { weight: 1, arbitrary: around(Math.min(framing.maxFrameBytes, 65_536)) },
    ),
    high: fc.oneof(
      { weight: 30, arbitrary: fc.constant(0n) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 7 }).map((k) => 1n << BigInt(8 * k)) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 7 }).map((k) => 0x80n << BigInt(8 * k)) },
    ),
    filler: fc.constantFrom(0, 1, 0x7f, 0xff),
  });

/** The frame that `piece` asks for, or the nearest that has a whole header. */
function frameOf(framing: LengthFieldFraming, { frameBytes, high, filler }: Piece): Uint8Array {
  const { offset, size, adjustment, includesHeader, endian } = framing;
  const header = offset + size;
  const uncounted = adjustment + (includesHeader ? 0 : header);
  const highest = (1n << BigInt(8 * size)) - 1n;
  const plain = BigInt(Math.max(frameBytes - uncounted, 0));
  const value = ((plain < highest ? plain : highest) | high) & highest;
  const length = Math.max(Number(plain < highest ? plain : highest) + uncounted, header);
  const frame = new Uint8Array(length).fill(filler);
  for (let index = 0; index < size; index++) {
    const shift = 8n * BigInt(endian === 'big' ? size - 1 - index : index);
    frame[offset + index] = Number((value >> shift) & 255n);
  }
  return frame;
}

const sameBytes = (a: Uint8Array, b: Uint8Array) =>
  a.length === b.length && a.every((byte, index) => byte === b[index]);

function join(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

forEachVariant((name, makeCore) => {
  test(`${name}: values around every border give the model's frames, whole and in pieces`, async () => {
    const harness = new FrameHarness(makeCore(40), 20);
    const cases = anyFraming.chain((framing) =>
      fc.record({
        framing: fc.constant(framing),
        pieces: fc.array(anyPiece(framing), { minLength: 1, maxLength: 14 }),
        /** Bytes of the last frame that never come. */
        missing: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 20 })),
        cuts: fc.oneof(
          fc.constant([]),
          fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 4 }),
        ),
        capacity: fc.constantFrom(1, 2, 5, 64),
      }),
    );
    await check(
      fc.property(cases, ({ framing, pieces, missing, cuts, capacity }) => {
        const all = join(pieces.map((piece) => frameOf(framing, piece)));
        const stream = all.subarray(0, Math.max(all.length - missing, 0));
        const model = modelAfter(framing, modelFrames(framing, stream), stream.length);
        harness.start(framing);
        const seen: string[] = [];
        for (const chunk of cut(stream, cuts)) {
          for (const event of harness.feed(chunk, capacity).events) {
            seen.push(`${event.kind} ${event.length}`);
            if (event.kind !== 'message') continue;
            const wanted = model.events[seen.length - 1];
            assert.is(wanted?.kind, 'message');
            if (wanted?.kind === 'message') {
              assert.ok(sameBytes(event.bytes, wanted.bytes), 'other bytes');
            }
          }
        }
        assert.equal(
          seen,
          model.events.map((e) => `${e.kind} ${e.kind === 'message' ? e.bytes.length : e.length}`),
        );
        assert.is(harness.error, model.error === undefined ? 0 : NUMBERS[model.error]);
      }),
      { numRuns: 500 },
    );
  });

  test(`${name}: a high byte makes a value too long, wherever it stands and however many frames come before`, () => {
    const harness = new FrameHarness(makeCore(24), 19);
    for (const size of SIZES.slice(1)) {
      for (const endian of ['big', 'little'] as const) {
        const framing = lengthField({ size, endian, maxFrameBytes: 60_000 });
        // From the third byte on: 2^16 is more than the limit.
        for (let high = 2; high < size; high++) {
          for (const before of [0, 1, 2, 9]) {
            for (const bit of [0x01n, 0x80n, 0xffn]) {
              const good = { frameBytes: 20, high: 0n, filler: 0 };
              const bad = { ...good, high: bit << BigInt(8 * high) };
              const pieces = [...Array(before).fill(good), bad, good, good];
              harness.start(framing);
              const { events, error } = harness.feed(join(pieces.map((p) => frameOf(framing, p))));
              const what = `${size} ${endian}, byte ${high}: ${bit}, after ${before}`;
              assert.is(events.length, before, what);
              assert.is(error, layout.ERROR_FRAME_TOO_LONG, what);
            }
          }
        }
      }
    }
  });

  test(`${name}: the least and the greatest good frame pass, their neighbours do not`, () => {
    const harness = new FrameHarness(makeCore(24), 19);
    for (const size of SIZES) {
      for (const endian of ['big', 'little'] as const) {
        for (const [least, most] of [
          [size + 3, size + 9],
          [size + 3, 300],
          [258 + size, 700],
        ] as const) {
          if (size === 1 && most > 256) continue;
          const framing = lengthField({ size, endian, strip: least, maxFrameBytes: most });
          const lengths = (...list: number[]) => {
            const pieces = list.map((frameBytes) => ({ frameBytes, high: 0n, filler: 0xff }));
            harness.start(framing);
            const fed = harness.feed(join(pieces.map((piece) => frameOf(framing, piece))));
            return [...fed.events.map((event) => event.length + least), fed.error];
          };
          const good = [least, most, least, most, most];
          assert.equal(lengths(...good), [...good, 0]);
          assert.equal(lengths(...good, least - 1), [...good, layout.ERROR_FRAME_MALFORMED]);
          assert.equal(lengths(...good, most + 1, least), [...good, layout.ERROR_FRAME_TOO_LONG]);
        }
      }
    }
  });

  if (makeCore.shared || makeCore.debug) return;
  test(`${name}: where the address space ends, no sum of address and length wraps`, () => {
    const harness = largestCore(makeCore);
    if (harness === undefined) return;
    for (const endian of ['big', 'little'] as const) {
      const framing = lengthField({ size: 2, endian });
      for (const wanted of [
        [12, 12, 12],
        [12, 302, 302],
        [302, 302],
      ]) {
        const frames = wanted.map((frameBytes) =>
          frameOf(framing, { frameBytes, high: 0n, filler: 0 }),
        );
        const beyond = frameOf(framing, { frameBytes: 60_000, high: 0n, filler: 0 });
        for (const rest of [0, 1, 2, 30]) {
          harness.start(framing);
          const { events, error } = harness.feed(join([...frames, beyond.subarray(0, rest)]));
          assert.equal(
            events.map((event) => event.length + 2),
            wanted,
          );
          assert.is(error, 0);
        }
      }
    }
  });
});

/** On a memory of 4 GiB, of which little is touched; undefined in a host that has no such memory. */
function largestCore(makeCore: MakeCore): FrameHarness | undefined {
  try {
    return new FrameHarness(makeCore(65_536));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

test.run();
