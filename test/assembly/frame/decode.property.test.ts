import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import type { Framing } from '../../../src/framing.ts';
import { type ModelEvent, modelAfter, modelEnd, modelFrames } from '../../models/frame.ts';
import { check, fc } from '../../support/property.ts';
import { forEachVariant } from '../../support/variants.ts';
import { anyCuts, anyFraming, anyStream, cut } from './arbitrary.ts';
import { type Decoded, FrameHarness } from './harness.ts';

const NUMBERS = {
  FRAME_TOO_LONG: layout.ERROR_FRAME_TOO_LONG,
  FRAME_MALFORMED: layout.ERROR_FRAME_MALFORMED,
  FRAME_TRUNCATED: layout.ERROR_FRAME_TRUNCATED,
};

const plain = (event: Decoded | ModelEvent) =>
  event.kind === 'message'
    ? `message ${Array.from(event.bytes).join(' ')}`
    : `oversize ${event.length}`;

/** The most that the arena may have in use for `received` bytes of a frame. */
const held = (received: number) => (received === 0 ? 0 : Math.max(512, 2 * (received + 16)));

/** Longest reach of a delimiter over a seam: so much more may be copied for each piece of a frame. */
const reach = (framing: Framing) =>
  framing.kind === 'delimiter'
    ? Math.max(...framing.delimiters.map(({ length }) => length)) - 1
    : 0;

forEachVariant((name, makeCore) => {
  test(`${name}: any stream in any pieces gives the model's messages, each with the piece that completes it`, async () => {
    const harness = new FrameHarness(makeCore(18), 17);
    const cases = anyFraming.chain((framing) =>
      fc.tuple(fc.constant(framing), anyStream(framing), anyCuts, fc.integer({ min: 1, max: 4 })),
    );
    await check(
      fc.property(cases, ([framing, stream, cuts, capacity]) => {
        harness.start(framing);
        const frames = modelFrames(framing, stream);
        let fed = 0;
        let seen = 0;
        let spanning = 0;
        let pieces = 0;
        for (const chunk of cut(stream, cuts)) {
          const before = fed;
          const broken = harness.error !== 0;
          fed += chunk.length;
          pieces++;
          const result = harness.feed(chunk, capacity);
          const model = modelAfter(framing, frames, fed);
          const wanted = model.events.slice(seen);
          seen = model.events.length;
          assert.equal(result.events.map(plain), wanted.map(plain));
          assert.is(result.error, model.error === undefined ? 0 : NUMBERS[model.error]);
          if (model.error === undefined) assert.is(result.taken, chunk.length);
          if (broken) assert.is(result.taken, 0, 'a broken decoder took bytes');

          // A frame within the piece lies there; one that spans pieces does not.
          wanted.forEach((event, i) => {
            if (event.kind !== 'message') return;
            const at = (result.events[i] as Decoded).offset;
            assert.is(
              at >= result.input,
              event.start >= before,
              'in place exactly where it can be',
            );
            if (event.start < before) spanning += event.end - event.start;
          });

          // Memory follows what was received, never what was announced.
          const received =
            model.error !== undefined || model.skipping ? reach(framing) : fed - model.rest;
          assert.ok(
            result.usedAfter <= held(received),
            `${result.usedAfter} for ${received} bytes`,
          );
        }
        const model = modelAfter(framing, frames, stream.length);
        if (
          model.error === undefined &&
          !('onOversize' in framing && framing.onOversize === 'discard')
        ) {
          const partial = stream.length - model.rest;
          const slack = pieces * reach(framing);
          assert.ok(harness.copied >= (pieces > 1 ? spanning : 0));
          assert.ok(
            harness.copied <= 3 * (spanning + partial) + slack,
            'copied more than was spanning',
          );
        }

        const end = harness.end();
        const wanted = modelEnd(framing, stream);
        assert.equal(end.events.map(plain), wanted.events.map(plain));
        const error = model.error ?? wanted.error;
        assert.is(end.error, error === undefined ? 0 : NUMBERS[error]);
        assert.is(harness.used, 0, 'everything was given back');
      }),
      { numRuns: 600 },
    );
  });

  test(`${name}: hostile bytes neither trap nor hold memory, and a reset gives all of it back`, async () => {
    const harness = new FrameHarness(makeCore(18), 17);
    const nasty = fc.uint8Array({ maxLength: 200 });
    const extremes = fc
      .array(fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff), { maxLength: 60 })
      .map((bytes) => Uint8Array.from(bytes));
    await check(
      fc.property(anyFraming, fc.oneof(nasty, extremes), anyCuts, (framing, bytes, cuts) => {
        harness.start(framing);
        const frames = modelFrames(framing, bytes);
        let fed = 0;
        for (const chunk of cut(bytes, cuts)) {
          fed += chunk.length;
          const { error, usedAfter } = harness.feed(chunk);
          assert.ok(usedAfter <= held(fed));
          const model = modelAfter(framing, frames, fed);
          assert.is(error, model.error === undefined ? 0 : NUMBERS[model.error]);
        }
        harness.reset();
        assert.is(harness.used, 0);
        assert.is(harness.error, 0);
      }),
      { numRuns: 600 },
    );
  });
});

test.run();
