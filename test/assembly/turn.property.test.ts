/** The turn against a backend that does everything it may, in any order (R1, R3, R19, R20, R21). */
import { test } from 'uvu';
import { ERROR_RESET, ERROR_TIMED_OUT } from '#generated/layout';
import {
  delimiter,
  type Framing,
  fixed,
  lengthField,
  line,
  parseFraming,
  raw,
} from '../../src/framing.ts';
import { modelEncode } from '../models/frame-encode.ts';
import type { ConnectionModel } from '../models/turn.ts';
import { type Link, type Random, randomFrom } from '../models/turn-backend.ts';
import { TurnHost } from '../models/turn-host.ts';
import { createCore } from '../support/primitives.ts';
import { check, fc } from '../support/property.ts';
import { forEachVariant } from '../support/variants.ts';

const FRAMINGS: readonly Framing[] = [
  raw(),
  parseFraming('u16le,inclusive'),
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

export function messageOf(random: Random, framing: Framing): Uint8Array {
  const length =
    framing.kind === 'fixed' ? framing.size : random(6) === 0 ? random(400) : random(30);
  return Uint8Array.from({ length }, () => 97 + random(26));
}

function streamOf(random: Random, framing: Framing): Uint8Array {
  const bytes: number[] = [];
  for (let count = random(8); count >= 0; count--) {
    const frame = modelEncode(framing, messageOf(random, framing));
    if (typeof frame !== 'string') bytes.push(...frame);
    if (random(60) === 0) for (let i = random(5); i >= 0; i--) bytes.push(random(256));
  }
  return Uint8Array.from(bytes);
}

const setups = fc.record({
  seed: fc.integer(),
  steps: fc.integer({ min: 1, max: 400 }),
  framing: fc.constantFrom(...FRAMINGS),
  /** Whether the application closes, aborts, pauses and the like, and peers reset. */
  wild: fc.boolean(),
  selectsBuffers: fc.boolean(),
  receiveDepth: fc.constantFrom(1, 2, 3, 8),
  sendDepth: fc.constantFrom(1, 1, 2, 4),
  readOrder: fc.boolean(),
  writeOrder: fc.boolean(),
  eagerRead: fc.boolean(),
  allowHalfOpen: fc.boolean(),
  eventCapacity: fc.constantFrom(2, 3, 5, 16, 4096),
  submissionCapacity: fc.constantFrom(2, 3, 7, 1024),
  receiveBuffers: fc.constantFrom(3, 8, 40),
  receiveBufferBytes: fc.constantFrom(16, 100, 1024),
  maxConnections: fc.constantFrom(2, 4, 9),
  listenerMost: fc.constantFrom(0, 0, 2),
  highWaterMarkBytes: fc.constantFrom(1, 50, 700),
  firstSequence: fc.integer({ min: 2 ** 32 - 12, max: 2 ** 32 - 1 }),
});
type Setup = typeof setups extends fc.Arbitrary<infer T> ? T : never;

/** One step of the world, the application or the clock. */
class World {
  readonly host: TurnHost;
  readonly random: Random;
  readonly setup: Setup;
  readonly profile: number;
  readonly listener: ReturnType<TurnHost['listen']>;

  constructor(host: TurnHost, setup: Setup) {
    this.host = host;
    this.setup = setup;
    this.random = randomFrom(setup.seed);
    this.profile = host.profile({
      framing: setup.framing,
      readOrder: setup.readOrder,
      writeOrder: setup.writeOrder,
      eagerRead: setup.eagerRead,
      allowHalfOpen: setup.allowHalfOpen,
      highWaterMarkBytes: setup.highWaterMarkBytes,
      maxQueuedBytes: 2000,
      maxConnections: setup.listenerMost,
      chunkBytes: 512,
    });
    this.listener = host.listen(this.profile);
    host.onEvent = (model) => this.react(model);
    host.meanwhile = () => {
      const link = this.anyLink();
      if (link !== undefined) host.backend.performReceive(link, 50);
    };
  }

  anyLink(): Link | undefined {
    const open = [...this.host.backend.links.values()].filter(
      (link) => !link.closed && link.handle !== this.listener.handle,
    );
    return open[this.random(Math.max(open.length, 1))];
  }

  anyModel(): ConnectionModel | undefined {
    const open = [...this.host.models.values()].filter((model) => model.opened && !model.closed);
    return open[this.random(Math.max(open.length, 1))];
  }

  react(model: ConnectionModel): void {
    const { random, host } = this;
    if (random(3) === 0) host.send(model, messageOf(random, model.framing));
    if (this.setup.wild) this.disturb(model, 40);
  }

  disturb(model: ConnectionModel, rarity: number): void {
    const { random, host } = this;
    if (random(rarity) > 7) return;
    const what = random(24);
    if (what < 4) host.pause(model);
    else if (what < 8) host.hold(model);
    else if (what < 20) host.resume(model);
    else if (what === 20) host.end(model);
    else if (what === 21) host.close(model);
    else if (what === 22) host.abort(model);
  }

  step(): void {
    const { random, host, setup } = this;
    const { backend } = host;
    const link = this.anyLink();
    const model = this.anyModel();
    switch (random(16)) {
      case 0:
        host.arrive(this.listener);
        break;
      case 1:
        if (host.loop.counters().connections < setup.maxConnections) {
          const connecting = host.connect(this.profile, random(10) === 0 ? ERROR_TIMED_OUT : 0);
          host.loop.startSequences(connecting.token, setup.firstSequence, setup.firstSequence);
          if (setup.wild && random(15) === 0) host.abort(connecting);
        }
        break;
      case 2:
      case 3:
        link?.feed(streamOf(random, setup.framing));
        break;
      case 4:
      case 5:
      case 6:
        if (link !== undefined) backend.performReceive(link, 1 + random(random(2) === 0 ? 5 : 200));
        break;
      case 7:
      case 8:
        if (link === undefined) break;
        backend.performSend(link, random(100));
        backend.performShutdown(link);
        break;
      case 9:
        if (model !== undefined) host.send(model, messageOf(random, setup.framing));
        if (model !== undefined && setup.wild) this.disturb(model, 12);
        host.flush();
        break;
      case 10:
        if (link === undefined || random(8) > 0) break;
        link.terminal ??= setup.wild && random(2) === 0 ? ERROR_RESET : 0;
        if (setup.wild && random(6) === 0) {
          const failing = host.modelOf(link.handle);
          if (failing !== undefined && backend.failSend(link, ERROR_RESET))
            failing.disturbed = true;
        }
        break;
      case 11: {
        const token = backend.spent[random(Math.max(backend.spent.length, 1))];
        if (token !== undefined) backend.duplicate(random(9) === 0 ? token + 0.5 : token);
        host.due = true;
        break;
      }
      case 12:
      case 13:
        for (let i = random(6); i >= 0; i--) host.reportAny(random);
        break;
      default:
        host.round();
    }
  }
}

forEachVariant((name, makeCore) => {
  test(`${name}: every connection sees what the model says, and nothing is left`, async () => {
    await check(
      fc.property(setups, (setup) => {
        const core = createCore(makeCore, 4 << 20);
        const host = new TurnHost(core, {
          maxConnections: setup.maxConnections + 1,
          receiveBuffers: setup.receiveBuffers,
          receiveBufferBytes: setup.receiveBufferBytes,
          arenaBytes: 1 << 16,
          receiveDepth: setup.receiveDepth,
          sendDepth: setup.sendDepth,
          selectsBuffers: setup.selectsBuffers,
          eventCapacity: setup.eventCapacity,
          submissionCapacity: setup.submissionCapacity,
        });
        const world = new World(host, setup);
        for (let step = 0; step < setup.steps; step++) world.step();
        host.finishAll(world.random);
        host.verify();
      }),
      { numRuns: 150 },
    );
  });
});

test.run();
