/** The turn against a backend that does everything it may, in any order (R1, R3, R19, R20, R21). */
import { test } from 'uvu';
import {
  delimiter,
  type Framing,
  fixed,
  lengthField,
  line,
  parseFraming,
  raw,
} from '../../src/framing.ts';
import { World } from '../models/turn-world.ts';
import { createCore } from '../support/primitives.ts';
import { check, fc } from '../support/property.ts';
import { forEachVariant } from '../support/variants.ts';

const FRAMINGS: readonly Framing[] = [
  raw(),
  parseFraming('u16le,inclusive'),
  lengthField({ size: 2, endian: 'big', maxFrameBytes: 5000 }),
  parseFraming('u32be'),
  parseFraming('varint'),
  parseFraming('varint,max=60'),
  parseFraming('line'),
  parseFraming('line,max=40'),
  lengthField({ size: 2, maxFrameBytes: 60, onOversize: 'discard' }),
  line({ maxFrameBytes: 60, onOversize: 'discard', unterminated: 'deliver' }),
  delimiter(['\r\n', '<end>'], { unterminated: 'deliver' }),
  fixed(7),
];

const setups = fc.record({
  seed: fc.integer(),
  steps: fc.integer({ min: 1, max: 400 }),
  framing: fc.constantFrom(...FRAMINGS),
  wild: fc.boolean(),
  selectsBuffers: fc.boolean(),
  probes: fc.constantFrom('never', 'never', 'scarce', 'always'),
  receiveDepth: fc.constantFrom(1, 2, 3, 8),
  adaptiveDepth: fc.boolean(),
  sendDepth: fc.constantFrom(1, 1, 2, 4),
  readOrder: fc.boolean(),
  writeOrder: fc.boolean(),
  eagerRead: fc.boolean(),
  passes: fc.boolean(),
  allowHalfOpen: fc.boolean(),
  receiveWhileBlocked: fc.boolean(),
  eventCapacity: fc.constantFrom(2, 3, 5, 16, 4096),
  submissionCapacity: fc.constantFrom(2, 3, 7, 1024),
  receiveBuffers: fc.constantFrom(3, 8, 40),
  receiveBufferBytes: fc.constantFrom(16, 100, 1024, 8192),
  maxConnections: fc.constantFrom(2, 4, 9),
  listenerMost: fc.constantFrom(0, 0, 2),
  highWaterMarkBytes: fc.constantFrom(1, 50, 700),
  firstSequence: fc.integer({ min: 2 ** 32 - 12, max: 2 ** 32 - 1 }),
});
forEachVariant((name, makeCore) => {
  test(`${name}: every connection sees what the model says, and nothing is left`, async () => {
    await check(
      fc.property(setups, (setup) => {
        const world = new World(createCore(makeCore, 4 << 20), setup);
        for (let step = 0; step < setup.steps; step++) world.step();
        world.host.finishAll(world.random);
        world.host.verify();
      }),
      { numRuns: 200 },
    );
  });
});

test.run();
