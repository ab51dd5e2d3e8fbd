/**
 * R26: the same trace gives the same bytes out in every host. One fixed seed
 * makes chunks for every framing; all that comes out of them goes into one
 * SHA-256, which is the same for every build of the core in every host.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import {
  delimiter,
  type Framing,
  fixed,
  lengthField,
  line,
  parseFraming,
  varint,
} from '../../src/framing.ts';
import { FrameHarness } from '../assembly/frame/harness.ts';
import { forEachVariant } from '../support/variants.ts';

const RECORDED = '07cd9a16545383ab42712d759389ca906bad8c80125466ab061be00a85e9b394';

const OVERSIZE = { maxFrameBytes: 300, onOversize: 'discard' } as const;
const FRAMINGS: readonly Framing[] = [
  ...['raw', 'u8', 'u16le', 'u16be', 'u24be', 'u24le', 'u32le', 'u32be', 'u64be', 'u64le'].map(
    parseFraming,
  ),
  ...['u8,inclusive', 'u16le,inclusive', 'varint', 'line', 'varint,max=100', 'line,max=100'].map(
    parseFraming,
  ),
  lengthField({ size: 2, offset: 3, adjustment: -1, strip: 2, ...OVERSIZE }),
  lengthField({ size: 4, ...OVERSIZE, failFast: false }),
  varint({ offset: 1, maxBytes: 4, keepHeader: true, ...OVERSIZE }),
  line({ ...OVERSIZE, stripDelimiter: false, unterminated: 'deliver' }),
  delimiter('\0'),
  delimiter(['\r\n', '\n', '<end>'], { ...OVERSIZE, failFast: false }),
  delimiter(['abab', 'cab'], { unterminated: 'deliver' }),
  fixed(17),
];

/** xorshift32: the same numbers everywhere. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Bytes of the outcome, little-endian numbers and contents one after the other. */
class Transcript {
  #bytes = new Uint8Array(1 << 16);
  #length = 0;

  numbers(...values: number[]): void {
    for (const value of values) {
      this.bytes(Uint8Array.of(value, value >> 8, value >> 16, value >> 24));
    }
  }

  bytes(more: Uint8Array): void {
    while (this.#length + more.length > this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(more, this.#length);
    this.#length += more.length;
  }

  async digest(): Promise<string> {
    const hash = await crypto.subtle.digest('SHA-256', this.#bytes.subarray(0, this.#length));
    return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('');
  }
}

/** Messages with frames of all sizes; for every tenth stream garbage in between. */
function streamOf(
  harness: FrameHarness,
  random: (below: number) => number,
  run: number,
): Uint8Array {
  const parts: number[] = [];
  for (let i = random(40); i >= 0; i--) {
    const text = random(2) === 0;
    const length = random(8) === 0 ? random(700) : random(40);
    const message = Uint8Array.from({ length }, () => (text ? 97 + random(4) : random(256)));
    const frame = harness.encode(message);
    if (typeof frame !== 'number') parts.push(...frame);
    if (typeof frame === 'number' || (run % 10 === 9 && random(8) === 0)) {
      for (let j = random(6); j > 0; j--)
        parts.push([13, 10, 60, 97, 98, 99, 0, 255][random(8)] as number);
    }
  }
  return Uint8Array.from(parts);
}

const digests = new Set<string>();

forEachVariant((name, makeCore) => {
  test(`${name}: the trace of framing has its recorded digest`, async () => {
    const harness = new FrameHarness(makeCore(24), 19);
    const random = randomFrom(0x5eed);
    const transcript = new Transcript();
    let messages = 0;
    let oversized = 0;
    const errors = new Set<number>();
    const record = (events: readonly { kind: string; length: number; bytes: Uint8Array }[]) => {
      for (const { kind, length, bytes } of events) {
        transcript.numbers(kind === 'message' ? 1 : 2, length);
        transcript.bytes(bytes);
        if (kind === 'message') messages++;
        else oversized++;
      }
    };
    for (const framing of FRAMINGS) {
      for (let run = 0; run < 20; run++) {
        // Encoded without the limit, so that some frames exceed it.
        const limited = 'onOversize' in framing && framing.onOversize === 'discard';
        harness.start(limited ? { ...framing, maxFrameBytes: 2 ** 16 } : framing);
        const stream = streamOf(harness, random, run);
        transcript.bytes(stream);
        harness.start(framing);
        for (let at = 0; at < stream.length; ) {
          const length = 1 + (random(3) === 0 ? random(3) : random(400));
          const fed = harness.feed(stream.subarray(at, at + length), 1 + random(5));
          record(fed.events);
          transcript.numbers(fed.error, fed.taken, fed.calls);
          at += length;
        }
        const end = harness.end();
        record(end.events);
        transcript.numbers(end.error);
        errors.add(end.error);
      }
    }
    // The trace is worth its digest only if it goes everywhere.
    assert.ok(messages > 3000 && oversized > 50, `${messages} messages, ${oversized} oversized`);
    const wanted = [
      0,
      layout.ERROR_FRAME_TOO_LONG,
      layout.ERROR_FRAME_MALFORMED,
      layout.ERROR_FRAME_TRUNCATED,
    ];
    assert.equal(
      wanted.filter((error) => !errors.has(error)),
      [],
    );

    const digest = await transcript.digest();
    if (!digests.has(digest)) console.log(`DIGEST framing ${digest}`);
    digests.add(digest);
    assert.is(digest, RECORDED);
  });
});

test.run();
