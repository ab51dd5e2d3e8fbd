/**
 * Input of many lines and room for many events: the search takes 64 bytes a
 * step there, and all ends in them at once.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Framing } from '../../../src/framing.ts';
import * as framings from '../../../src/framing.ts';
import { modelAfter, modelFrames } from '../../models/frame.ts';
import { check, fc } from '../../support/property.ts';
import { forEachVariant } from '../../support/variants.ts';
import { cut } from './arbitrary.ts';
import { FrameHarness } from './harness.ts';

const options = fc.record({
  maxFrameBytes: fc.constantFrom(3, 70, 200, 5000),
  onOversize: fc.constant('discard' as const),
  stripDelimiter: fc.boolean(),
});

const anyFraming: fc.Arbitrary<Framing> = fc.oneof(
  options.map(framings.line),
  options.map((rest) => framings.delimiter({ delimiters: '\n', ...rest })),
  options.map((rest) => framings.delimiter({ delimiters: '\r\n', ...rest })),
  options.map((rest) => framings.delimiter({ delimiters: ['\n', '\r\n'], ...rest })),
  options.map((rest) => framings.delimiter({ delimiters: ['\n\n', 'b'], ...rest })),
  options.map(({ maxFrameBytes, ...rest }) =>
    framings.delimiter({
      delimiters: 'abbabbabb\n',
      maxFrameBytes: Math.max(maxFrameBytes, 10),
      ...rest,
    }),
  ),
);

/** Runs of one letter between line ends, and line ends close together. */
const anyStream = fc
  .array(
    fc.tuple(
      fc.constantFrom(0, 1, 2, 7, 15, 16, 62, 63, 64, 65, 130, 400),
      fc.constantFrom('\n', '\n', '\r\n', '\r', '\n\n', 'b', 'abbabbabb\n', '\r\r\n'),
    ),
    { maxLength: 150 },
  )
  .map((pieces) => pieces.map(([run, end]) => 'a'.repeat(run) + end).join(''))
  .map((text) => new TextEncoder().encode(text));

forEachVariant((name, makeCore) => {
  test(`${name}: many delimited frames in one input are the model's`, async () => {
    const harness = new FrameHarness(makeCore(18), 17);
    const cases = fc.tuple(
      anyFraming,
      anyStream,
      fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 2 }),
      fc.constantFrom(1, 60, 66, 130, 500),
    );
    await check(
      fc.property(cases, ([framing, stream, cuts, capacity]) => {
        harness.start(framing);
        const frames = modelFrames(framing, stream);
        let fed = 0;
        let seen = 0;
        for (const chunk of cut(stream, cuts)) {
          fed += chunk.length;
          const { events, error } = harness.feed(chunk, capacity);
          const model = modelAfter(framing, frames, fed);
          const text = (event: { kind: string; length?: number; bytes?: Uint8Array }) =>
            event.kind === 'message' ? `message ${event.bytes}` : `oversize ${event.length}`;
          assert.equal(events.map(text), model.events.slice(seen).map(text));
          assert.is(error, 0);
          seen = model.events.length;
        }
      }),
      { numRuns: 300 },
    );
  });
});

test.run();
