/**
 * R26: the same completions give the same events, messages and submissions in
 * every host and every build of the core. The worlds below are made from fixed
 * seeds; all that the loop shows and asks for goes into one SHA-256.
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
import { World, type WorldSetup } from '../models/turn-world.ts';
import { createCore } from '../support/primitives.ts';
import { forEachVariant } from '../support/variants.ts';

const RECORDED = 'ffc90f7b4890b038437363167c8e8d43de41eeaa59d4f8b341d6754bcbbd5cf4';

const OVERSIZE = { maxFrameBytes: 60, onOversize: 'discard' } as const;
const FRAMINGS: readonly Framing[] = [
  ...['raw', 'u8', 'u16le', 'u16be', 'u24be', 'u32be', 'u64le', 'u16le,inclusive'].map(
    parseFraming,
  ),
  ...['varint', 'varint,max=60', 'line', 'line,max=40'].map(parseFraming),
  lengthField({ size: 2, ...OVERSIZE, failFast: false }),
  varint({ keepHeader: true, ...OVERSIZE }),
  line({ ...OVERSIZE, stripDelimiter: false, unterminated: 'deliver' }),
  delimiter(['\r\n', '<end>'], { ...OVERSIZE, unterminated: 'deliver' }),
  fixed(17),
];
const STEPS = 700;

/** All ways to receive, for each framing. */
function setupsOf(framing: Framing, seed: number): WorldSetup[] {
  const receiving = [
    { selectsBuffers: false, probes: 'never', receiveDepth: 1, readOrder: true },
    { selectsBuffers: false, probes: 'never', receiveDepth: 5, readOrder: true },
    { selectsBuffers: false, probes: 'never', receiveDepth: 5, readOrder: false },
    { selectsBuffers: false, probes: 'scarce', receiveDepth: 5, readOrder: true },
    { selectsBuffers: false, probes: 'always', receiveDepth: 5, readOrder: true },
    { selectsBuffers: true, probes: 'never', receiveDepth: 1, readOrder: true },
  ] as const;
  return receiving.map((way, index) => ({
    ...way,
    seed: seed * 16 + index + 1,
    framing,
    wild: index % 2 === 1,
    sendDepth: index === 0 ? 1 : 3,
    writeOrder: index < 3,
    eagerRead: index !== 2,
    allowHalfOpen: index === 1,
    receiveWhileBlocked: index !== 3,
    eventCapacity: [4096, 5, 64, 16][index] as number,
    submissionCapacity: [1024, 3, 64, 8][index] as number,
    receiveBuffers: 24,
    receiveBufferBytes: 100,
    maxConnections: 6,
    listenerMost: index === 1 ? 2 : 0,
    highWaterMarkBytes: 200,
    firstSequence: 2 ** 32 - 9,
  }));
}

class Transcript {
  readonly #values: number[] = [];

  numbers(...values: number[]): void {
    for (const value of values) {
      this.#values.push(value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24);
    }
  }

  bytes(bytes: ArrayLike<number>): void {
    this.numbers(bytes.length);
    for (let index = 0; index < bytes.length; index++) this.#values.push(bytes[index] as number);
  }

  async digest(): Promise<string> {
    const hash = await crypto.subtle.digest('SHA-256', Uint8Array.from(this.#values));
    return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('');
  }
}

const digests = new Set<string>();

forEachVariant((name, makeCore) => {
  test(`${name}: the trace of the turn has its recorded digest`, async () => {
    const transcript = new Transcript();
    const kinds = new Map<number, number>();
    FRAMINGS.forEach((framing, seed) => {
      for (const setup of setupsOf(framing, seed)) {
        const world = new World(createCore(makeCore, 4 << 20), setup);
        const { host } = world;
        const { backend } = host;
        const check = backend.onSubmission;
        backend.onSubmission = (kind, handle, length) => {
          transcript.numbers(kind, handle, length);
          check(kind, handle, length);
        };
        for (let step = 0; step < STEPS; step++) world.step();
        host.finishAll(world.random);
        host.verify();
        for (const { slot, event } of host.log) {
          transcript.numbers(slot, event.kind, event.result);
          transcript.bytes(event.bytes);
          kinds.set(event.kind, (kinds.get(event.kind) ?? 0) + 1);
        }
        for (const { wire } of backend.links.values()) transcript.bytes(wire);
        const { submitted, completed, stale, late, accepted, closed, starved } =
          host.loop.counters();
        transcript.numbers(submitted, completed, stale, late, accepted, closed, starved);
      }
    });
    // The trace is worth its digest only if it goes everywhere.
    const seen = (kind: number) => kinds.get(kind) ?? 0;
    assert.ok(seen(layout.EVENT_MESSAGE) > 3000, `${seen(layout.EVENT_MESSAGE)} messages`);
    for (const kind of [
      layout.EVENT_OPEN,
      layout.EVENT_END,
      layout.EVENT_ERROR,
      layout.EVENT_DRAIN,
      layout.EVENT_CLOSE,
      layout.EVENT_OVERSIZE,
    ]) {
      assert.ok(seen(kind) > 10, `${seen(kind)} events of kind ${kind}`);
    }

    const digest = await transcript.digest();
    if (!digests.has(digest)) console.log(`DIGEST turn ${digest}`);
    digests.add(digest);
    assert.is(digest, RECORDED);
  });
});

test.run();
