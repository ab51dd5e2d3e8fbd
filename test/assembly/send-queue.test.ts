/** The send queue (R21): what is taken goes out whole, once and in order, and all memory comes back. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import { LoopOperation } from '../../src/core/index.ts';
import { writeLoopProfile } from '../../src/core/loop-profile.ts';
import { placeRegions } from '../../src/core/regions.ts';
import { fixed, lengthField, parseFraming, raw } from '../../src/framing.ts';
import { modelEncode } from '../models/frame-encode.ts';
import { SendQueueModel } from '../models/send-queue.ts';
import type { Link } from '../models/turn-backend.ts';
import { randomFrom } from '../models/turn-backend.ts';
import { TurnHost } from '../models/turn-host.ts';
import { createCore } from '../support/primitives.ts';
import { check, fc } from '../support/property.ts';
import { forEachVariant } from '../support/variants.ts';

const setups = fc.record({
  seed: fc.integer(),
  steps: fc.integer({ min: 1, max: 300 }),
  framing: fc.constantFrom(
    raw(),
    parseFraming('u16le,inclusive'),
    parseFraming('line'),
    parseFraming('varint'),
    fixed(100),
    lengthField({ size: 4, maxFrameBytes: 2 ** 20 }),
  ),
  sendDepth: fc.constantFrom(1, 2, 3, 16),
  writeOrder: fc.boolean(),
  highWaterMarkBytes: fc.constantFrom(1, 2, 100, 5000, 100_000),
  room: fc.constantFrom(0, 1, 700, 200_000),
  chunkBytes: fc.constantFrom(512, 4096),
  arenaLog2: fc.constantFrom(12, 14, 18, 20),
  maxTransferBytes: fc.constantFrom(30, 300, 2 ** 20),
  submissionCapacity: fc.constantFrom(2, 3, 1024),
  maxOperations: fc.constantFrom(3, 5, 100),
  firstSequence: fc.integer({ min: 2 ** 32 - 20, max: 2 ** 32 - 1 }),
});

forEachVariant((name, makeCore) => {
  test(`${name}: the queue does what the model does`, async () => {
    await check(
      fc.property(setups, (setup) => {
        const host = new TurnHost(createCore(makeCore, 4 << 20), {
          maxConnections: 1,
          receiveBuffers: 1,
          receiveBufferBytes: 64,
          arenaBytes: 2 ** setup.arenaLog2,
          sendDepth: setup.sendDepth,
          maxTransferBytes: setup.maxTransferBytes,
          submissionCapacity: setup.submissionCapacity,
          maxOperations: setup.maxOperations,
        });
        const most = setup.highWaterMarkBytes + setup.room;
        const model = host.connect(
          host.profile({
            framing: setup.framing,
            writeOrder: setup.writeOrder,
            highWaterMarkBytes: setup.highWaterMarkBytes,
            maxQueuedBytes: most,
            chunkBytes: setup.chunkBytes,
          }),
        );
        host.loop.startSequences(model.token, setup.firstSequence, setup.firstSequence);
        host.reportAll();
        host.rounds();
        const isOrdered = setup.writeOrder && setup.sendDepth > 1;
        const queue = new SendQueueModel(setup.highWaterMarkBytes, most, isOrdered);
        const random = randomFrom(setup.seed);
        const link = model.link as Link;
        const numbers = new Map<number, number>();
        const { backend } = host;
        const drains = () =>
          host.log.filter(({ event }) => event.kind === layout.EVENT_DRAIN).length;

        const send = () => {
          const sizes = [0, random(4), random(600), random(600), 100, random(6000), random(70_000)];
          const message = new Uint8Array(sizes[random(sizes.length)] as number).fill(
            97 + random(26),
          );
          const frame = modelEncode(setup.framing, message);
          const arenaBefore = host.loop.counters().arenaBytes;
          const said = host.send(model, message);
          // A message that does not fit the scratch space needs the arena to be looked at.
          if (typeof frame === 'string')
            return assert.ok(said === frame || message.length > 65_536);
          const arenaNow = host.loop.counters().arenaBytes;
          if (said === 'NO_BUFFERS') {
            assert.is(arenaNow, arenaBefore);
            if (queue.queuedBytes + frame.length > most) return;
            // The arena: there is indeed no block for it, or none for the way there.
            const block = 2 ** Math.ceil(Math.log2(frame.length + layout.SEND_CHUNK_HEADER));
            assert.ok(2 ** setup.arenaLog2 - arenaNow < 2 * block || arenaNow > 0);
          } else assert.is(said, queue.queue(frame.length));
        };
        const report = () => {
          const ready = backend.reportable();
          const held = ready[random(Math.max(ready.length, 1))];
          if (held === undefined) return;
          queue.report(
            numbers.get(held.token) as number,
            (held.outcomes[0] as { result: number }).result,
          );
          backend.report(held);
          host.due = true;
        };
        const number = () => {
          for (const { kind, token } of backend.held.values()) {
            if (kind === LoopOperation.send && !numbers.has(token))
              numbers.set(token, numbers.size);
          }
        };
        const step = (what: number) => {
          if (what < 4) send();
          else if (what < 5) host.flush();
          else if (what < 8) backend.performSend(link, 1 + random(random(2) === 0 ? 10 : 5000));
          else report();
          number();
          host.round();
          number();
          while (host.due) host.round();
          number();
          assert.is(host.loop.queuedBytes(model.token), queue.queuedBytes);
          assert.is(drains(), queue.drains);
          const inFlight = [...backend.held.values()].filter(
            ({ kind }) => kind === LoopOperation.send,
          );
          assert.ok(inFlight.length <= setup.sendDepth);
          assert.ok(inFlight.every(({ length }) => length > 0 && length <= setup.maxTransferBytes));
          host.verify();
        };
        for (let index = 0; index < setup.steps; index++) step(random(11));
        for (let index = 0; queue.queuedBytes > 0; index++) {
          while (backend.performSend(link, 5000));
          step(10);
          if (index > 100_000) throw new Error(`${queue.queuedBytes} bytes stay queued`);
        }
        assert.is(queue.blocked, false);
        assert.is(host.loop.counters().arenaBytes, 0);
        assert.is(link.wire.length, model.queued.length);
        host.finishAll(random);
        host.verify();
      }),
      { numRuns: 30 },
    );
  });

  test(`${name}: raw bytes, a list of replies, and where it stops`, () => {
    const core = createCore(makeCore, 4 << 20);
    const { exports, u8, u32 } = core;
    const sizes = {
      maxConnections: 2,
      receiveBuffers: 2,
      receiveBufferBytes: 64,
      arenaBytes: 2 ** 16,
    };
    const limits = {
      receiveDepth: 1,
      sendDepth: 1,
      maxTransferBytes: 2 ** 20,
      selectsBuffers: false,
    };
    const regions = placeRegions(core, sizes, limits);
    const { worker, replies, scratch } = regions;
    const options = { framing: parseFraming('u16le'), highWaterMarkBytes: 20, maxQueuedBytes: 40 };
    const profile = writeLoopProfile(core, options, {
      receiveDepth: 1,
      sendDepth: 1,
      receiveBytes: 64,
    });
    const token = exports.connectionCreate(worker, layout.CONNECTION_STREAM, profile);
    const slot = exports.connectionCheck(worker, token);
    assert.is(exports.sendRaw(worker, slot, scratch, 5), layout.ERROR_CLOSED);
    const opening = exports.operationStart(worker, layout.OPERATION_CONNECT, slot);
    exports.complete(worker, opening, 7, 0, layout.NOTHING, 0);
    exports.turn(worker, 0);

    u8.set([1, 2, 3, 4, 5], scratch);
    assert.is(exports.sendRaw(worker, slot, scratch, 5), 1);
    assert.is(exports.sendRaw(worker, slot, scratch, 36), layout.ERROR_NO_BUFFERS);
    u8.set([6, 7, 8], scratch);
    const lengths = [3, 3, 20, 3, 3];
    lengths.forEach((length, index) => {
      const word = (replies + index * layout.REPLY_BYTES) >>> 2;
      u32[word] = slot;
      u32[word + 1] = scratch;
      u32[word + 2] = length;
    });
    // 5 + 5 + 5 = 15 bytes are queued, 22 more are 37, and 5 more would be 42.
    assert.is(exports.sendList(worker, 0, 5), 3);
    assert.is(exports.sendList(worker, 3, 5), 3);
    assert.is(exports.sendList(worker, 5, 5), 5);
    exports.finish(worker);
    const record = exports.poolAddress(regions.connections, slot);
    assert.is(u32[(record + layout.Connection.queuedBytes) >>> 2], 37);
    const submissions = regions.submissions >>> 2;
    const at = u32[submissions + layout.Submission.offset / 4] as number;
    assert.is(u32[submissions + layout.Submission.length / 4], 37);
    assert.equal([...u8.subarray(at, at + 12)], [1, 2, 3, 4, 5, 3, 0, 6, 7, 8, 3, 0]);
  });
});

forEachVariant((name, makeCore) => {
  const framings = [
    ...['u8', 'u8,inclusive', 'u16le', 'u16le,inclusive', 'u16be', 'u24be', 'u32le', 'u64be'],
    'u16le,max=300',
    'u32be,inclusive,max=300',
  ].map(parseFraming);
  framings.push(
    lengthField({ size: 2, offset: 1 }),
    lengthField({ size: 2, adjustment: 3 }),
    lengthField({ size: 2, strip: 0 }),
  );
  for (const [index, framing] of framings.entries()) {
    test(`${name}: a list of replies is framed as each alone, framing ${index}`, () => {
      const lengths = [0, 1, 15, 16, 17, 252, 253, 254, 255, 256, 296, 298, 299, 300, 301];
      if (index < 8) lengths.push(65_532, 65_533, 65_534, 65_535);
      const core = createCore(makeCore, 8 << 20);
      const { exports, u8, u32 } = core;
      const sizes = {
        maxConnections: 1,
        receiveBuffers: 1,
        receiveBufferBytes: 64,
        arenaBytes: 2 ** 20,
      };
      const depth = { receiveDepth: 1, sendDepth: 1 };
      const limits = { ...depth, maxTransferBytes: 2 ** 20, selectsBuffers: false };
      const regions = placeRegions(core, sizes, limits);
      const { worker, replies } = regions;
      const profile = writeLoopProfile(core, { framing }, { ...depth, receiveBytes: 64 });
      const slot = exports.connectionCheck(
        worker,
        exports.connectionCreate(worker, layout.CONNECTION_STREAM, profile),
      );
      const opening = exports.operationStart(worker, layout.OPERATION_CONNECT, slot);
      exports.complete(worker, opening, 7, 0, layout.NOTHING, 0);
      exports.turn(worker, 0);
      exports.finish(worker);
      const payload = core.reserve(65_536);
      for (let at = 0; at < 65_536; at++) u8[payload + at] = at * 7;
      for (const length of lengths) {
        const word = replies >>> 2;
        u32[word] = slot;
        u32[word + 1] = payload;
        u32[word + 2] = length;
        const record = exports.poolAddress(regions.connections, slot) >>> 0;
        const queuedBytes = () => u32[(record + layout.Connection.queuedBytes) >>> 2] as number;
        const before = queuedBytes();
        const frame = modelEncode(framing, u8.slice(payload, payload + length));
        assert.is(exports.sendList(worker, 0, 1), typeof frame === 'string' ? 0 : 1, `${length}`);
        const tail = u32[(record + layout.Connection.queueTail) >>> 2] as number;
        const end = u32[(tail + layout.SendChunk.end) >>> 2] as number;
        const bytes = queuedBytes() - before;
        if (typeof frame === 'string') assert.is(bytes, 0);
        else assert.equal(u8.slice(end - bytes, end), Uint8Array.from(frame));
      }
    });
  }
});

const lists = fc.record({
  framing: fc.constantFrom(
    ...['u8', 'u16le,inclusive', 'u16be', 'u24be', 'u32le', 'u32be,inclusive'].map(parseFraming),
    parseFraming('varint'),
  ),
  maxQueuedBytes: fc.constantFrom(50, 700, 3000, 2 ** 20),
  replies: fc.array(
    fc.record({
      connection: fc.integer({ min: 0, max: 1 }),
      run: fc.integer({ min: 1, max: 12 }),
      length: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constantFrom(62, 63, 128, 200, 254)),
    }),
    { minLength: 1, maxLength: 24 },
  ),
});

forEachVariant((name, makeCore) => {
  test(`${name}: lists of replies to two connections fill their chunks, and nothing else`, async () => {
    const core = createCore(makeCore, 4 << 20);
    const { exports, u8, u32 } = core;
    const depth = { receiveDepth: 1, sendDepth: 1 };
    const regions = placeRegions(
      core,
      { maxConnections: 2, receiveBuffers: 1, receiveBufferBytes: 64, arenaBytes: 2 ** 17 },
      { ...depth, maxTransferBytes: 2 ** 20, selectsBuffers: false },
    );
    const { worker } = regions;
    const payload = core.reserve(256);
    for (let at = 0; at < 256; at++) u8[payload + at] = at * 7 + 1;
    const profile = core.reserve(layout.Profile.$size);
    const open = () => {
      const token = exports.connectionCreate(worker, layout.CONNECTION_STREAM, profile);
      const slot = exports.connectionCheck(worker, token);
      const opening = exports.operationStart(worker, layout.OPERATION_CONNECT, slot);
      exports.complete(worker, opening, 7, 0, layout.NOTHING, 0);
      exports.turn(worker, 0);
      return slot;
    };
    await check(
      fc.property(lists, ({ framing, maxQueuedBytes, replies }) => {
        const options = { framing, maxQueuedBytes, highWaterMarkBytes: maxQueuedBytes };
        const written = writeLoopProfile(
          core,
          { ...options, chunkBytes: 512 },
          { ...depth, receiveBytes: 64 },
        );
        u8.copyWithin(profile, written, written + layout.Profile.$size);
        const slots = [open(), open()];
        const wanted: number[][] = [[], []];
        let count = 0;
        let refused = -1;
        for (const { connection, run, length } of replies) {
          for (let index = 0; index < run; index++, count++) {
            const word = (regions.replies + count * layout.REPLY_BYTES) >>> 2;
            u32[word] = slots[connection] as number;
            u32[word + 1] = payload;
            u32[word + 2] = length;
            if (refused >= 0) continue;
            const queue = wanted[connection] as number[];
            const frame = modelEncode(framing, u8.slice(payload, payload + length));
            if (typeof frame === 'string') throw new Error(frame);
            if (queue.length + frame.length > maxQueuedBytes) refused = count;
            else queue.push(...frame);
          }
        }
        assert.is(exports.sendList(worker, 0, count), refused < 0 ? count : refused);
        for (const [index, slot] of slots.entries()) {
          const record = exports.poolAddress(regions.connections, slot) >>> 0;
          const field = (at: number) => u32[(record + at) >>> 2] as number;
          const queue = wanted[index] as number[];
          const found: number[] = [];
          let chunk = field(layout.Connection.queueHead);
          for (let links = 0; chunk !== 0; links++) {
            assert.ok(links < 1000, 'the chain of chunks ends');
            const [end, limit] = [layout.SendChunk.end, layout.SendChunk.limit].map(
              (at) => u32[(chunk + at) >>> 2] as number,
            ) as [number, number];
            assert.ok(end <= limit, 'a chunk ends in its block');
            found.push(...u8.subarray(chunk + layout.SEND_CHUNK_HEADER, end));
            chunk = u32[(chunk + layout.SendChunk.next) >>> 2] as number;
          }
          assert.is(field(layout.Connection.queuedBytes), queue.length);
          assert.equal(found, queue);
        }
        // Both go, and all that they had with them.
        for (const slot of slots) exports.connectionAbort(worker, slot, layout.ERROR_ABORTED);
        exports.finish(worker);
        const submissions = regions.submissions >>> 2;
        const submitted = u32[(worker + layout.Worker.submissionCount) >>> 2] as number;
        for (let index = 0; index < submitted; index++) {
          const at = submissions + index * (layout.SUBMISSION_BYTES / 4);
          const token = core.f64[(at + layout.Submission.token / 4) >>> 1] as number;
          exports.complete(worker, token, layout.ERROR_ABORTED, 0, layout.NOTHING, 0);
        }
        u32[(worker + layout.Worker.submissionCount) >>> 2] = 0;
        exports.turn(worker, 0);
        exports.finish(worker);
        assert.is(exports.arenaUsed(regions.arena), 0);
        assert.is(exports.poolInUse(regions.connections), 0);
        assert.is(exports.poolInUse(regions.operations), 0);
      }),
      { numRuns: 60 },
    );
  });
});

test.run();
