import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import { raw } from '../../../src/framing.ts';
import { modelEncode } from '../../models/frame-encode.ts';
import { check, fc } from '../../support/property.ts';
import { forEachVariant } from '../../support/variants.ts';
import { anyCuts, anyFraming, anyMessage, cut } from './arbitrary.ts';
import { FrameHarness } from './harness.ts';

const NUMBERS = {
  FRAME_TOO_LONG: layout.ERROR_FRAME_TOO_LONG,
  FRAME_MALFORMED: layout.ERROR_FRAME_MALFORMED,
  FRAME_TRUNCATED: layout.ERROR_FRAME_TRUNCATED,
};

const framings = fc.oneof({ weight: 12, arbitrary: anyFraming }, fc.constant(raw()));

forEachVariant((name, makeCore) => {
  test(`${name}: every message has the model's frame, or the model's error`, async () => {
    const harness = new FrameHarness(makeCore(18), 17);
    const cases = framings.chain((framing) => fc.tuple(fc.constant(framing), anyMessage(framing)));
    await check(
      fc.property(cases, ([framing, message]) => {
        harness.start(framing);
        const wanted = modelEncode(framing, message);
        const frame = harness.encode(message);
        assert.equal(frame, typeof wanted === 'string' ? NUMBERS[wanted] : wanted);
      }),
      { numRuns: 1500 },
    );
  });

  test(`${name}: what was encoded comes back from the decoder, in any pieces`, async () => {
    const harness = new FrameHarness(makeCore(18), 17);
    const cases = anyFraming.chain((framing) =>
      fc.tuple(fc.constant(framing), fc.array(anyMessage(framing), { maxLength: 5 }), anyCuts),
    );
    await check(
      fc.property(cases, ([framing, messages, cuts]) => {
        harness.start(framing);
        const frames = messages.map((message) => harness.encode(message));
        const sent = messages.filter((_, i) => typeof frames[i] !== 'number');
        const wire = frames.filter((frame) => typeof frame !== 'number');
        const stream = Uint8Array.from(wire.flatMap((frame) => Array.from(frame)));
        harness.start(framing);
        const received = cut(stream, cuts).flatMap((chunk) => harness.feed(chunk, 2).events);
        assert.is(harness.error, 0);
        assert.is(received.length, sent.length);
        received.forEach(({ bytes, kind }, i) => {
          assert.is(kind, 'message');
          let wanted = sent[i] as Uint8Array;
          if (framing.kind === 'lengthField' && framing.strip < framing.offset + framing.size) {
            // The part of the length field that the message has was rewritten.
            wanted = (wire[i] as Uint8Array).slice(framing.strip);
            const field = framing.offset - framing.strip;
            const other = (bytes: Uint8Array) =>
              Array.from(bytes).filter((_, at) => at < field || at >= field + framing.size);
            assert.equal(other(bytes), other(sent[i] as Uint8Array));
          }
          assert.equal(bytes, wanted);
        });
        assert.equal(harness.end(), { events: [], error: 0 });
      }),
      { numRuns: 800 },
    );
  });
});

test.run();
