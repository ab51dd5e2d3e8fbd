/** Messages queued on a connection, submitted, and reported as sent. */
import * as layout from '#generated/layout';
import { Core } from '../../../src/core/index.ts';
import { writeLoopProfile } from '../../../src/core/loop-profile.ts';
import { placeRegions } from '../../../src/core/regions.ts';
import { lengthField } from '../../../src/framing.ts';
import {
  CALLS,
  CORE,
  DIGEST_SEED,
  type MicroCase,
  mixBytes,
  PLAIN,
  randomFrom,
  type Version,
  type Work,
} from '../case.ts';
import { hasBuffer, searchableBytes } from '../plain/bytes.ts';
import { plainEncoder } from '../plain/encoder.ts';
import { SHAPES, type Shape } from '../streams.ts';

const COUNT = 64;
const REPLY_WORDS = layout.REPLY_BYTES / 4;
const SUBMISSION_WORDS = layout.SUBMISSION_BYTES / 4;
const SHAPE = SHAPES.find(({ name }) => name === 'lengthField4be') as Shape;

/** A loop with one open connection and nothing behind it. */
function openLoop(messages: Uint8Array, length: number) {
  const core = Core.create({ memoryBytes: 2 ** 24 });
  const limits = {
    receiveDepth: 1,
    sendDepth: 16,
    maxTransferBytes: 2 ** 30,
    selectsBuffers: true,
  };
  const sizes = {
    maxConnections: 16,
    receiveBuffers: 16,
    receiveBufferBytes: 65_536,
    arenaBytes: 2 ** 21,
  };
  const regions = placeRegions(core, sizes, limits);
  const profile = writeLoopProfile(
    core,
    { framing: lengthField({ size: 4 }) },
    { receiveDepth: 1, sendDepth: 16, receiveBytes: 65_536 },
  );
  const { exports, u32, f64 } = core;
  const { worker, submissions } = regions;
  const token = exports.connectionCreate(worker, layout.CONNECTION_STREAM, profile);
  const slot = exports.connectionCheck(worker, token);
  const opening = exports.operationStart(worker, layout.OPERATION_CONNECT, slot);
  exports.complete(worker, opening, 1, 0, layout.NOTHING, 0);
  const messagesAt = core.reserve(messages.length);
  core.u8.set(messages, messagesAt);
  const counter = (worker + layout.Worker.submissionCount) >>> 2;
  const sent: number[] = [];
  /** Submits what is queued, reports it as sent, and lets the loop see that. */
  const flush = () => {
    sent.length = 0;
    exports.finish(worker);
    const count = u32[counter] as number;
    for (let index = 0; index < count; index++) {
      const word = (submissions >>> 2) + index * SUBMISSION_WORDS;
      if (u32[word] !== layout.OPERATION_SEND) continue;
      const bytes = u32[word + layout.Submission.length / 4] as number;
      sent.push(u32[word + layout.Submission.offset / 4] as number, bytes);
      const operation = f64[(word >>> 1) + layout.Submission.token / 8] as number;
      exports.complete(worker, operation, bytes, 0, layout.NOTHING, 0);
    }
    u32[counter] = 0;
    exports.turn(worker, 1);
  };
  exports.turn(worker, 1);
  flush();
  flush();
  const digest = () => {
    const whole = new Uint8Array(COUNT * (length + 4));
    let end = 0;
    for (let index = 0; index < sent.length; index += 2) {
      const from = sent[index] as number;
      const part = core.u8.subarray(from, from + (sent[index + 1] as number));
      whole.set(part.subarray(0, whole.length - end), end);
      end += part.length;
    }
    return mixBytes(DIGEST_SEED, whole, 0, end);
  };
  return { core, regions, slot, messagesAt, flush, digest };
}

function coreVersions(messages: Uint8Array, length: number): Version[] {
  const batched = openLoop(messages, length);
  const called = openLoop(messages, length);
  const { u32 } = batched.core;
  const replies = batched.regions.replies >>> 2;
  return [
    {
      name: CORE,
      role: 'own',
      steps: 1,
      step() {
        const { core, regions, slot, messagesAt } = batched;
        for (let index = 0; index < COUNT; index++) {
          const word = replies + index * REPLY_WORDS;
          u32[word] = slot;
          u32[word + 1] = messagesAt + index * length;
          u32[word + 2] = length;
        }
        const taken = core.exports.sendList(regions.worker, 0, COUNT);
        batched.flush();
        return taken;
      },
      digest: batched.digest,
    },
    {
      name: CALLS,
      role: 'own',
      steps: 1,
      step() {
        const { core, regions, slot, messagesAt } = called;
        let taken = 0;
        for (let index = 0; index < COUNT; index++) {
          const at = messagesAt + index * length;
          if (core.exports.send(regions.worker, slot, at, length) >= 0) taken++;
        }
        called.flush();
        return taken;
      },
      digest: called.digest,
    },
  ];
}

/** One chunk, written front to back, and handed over whole. */
function plainVersion(messages: Uint8Array, length: number): Version {
  const bytes = searchableBytes(messages.length + COUNT * (length + 4));
  bytes.set(messages);
  const encode = plainEncoder(SHAPE, bytes);
  let end = 0;
  return {
    name: PLAIN,
    role: 'peer',
    steps: 1,
    step() {
      end = encode(0, length, COUNT, messages.length);
      return COUNT;
    },
    digest: () => mixBytes(DIGEST_SEED, bytes, messages.length, end),
  };
}

function naiveVersion(messages: Uint8Array, length: number): Version[] {
  if (!hasBuffer) return [];
  const views = Array.from({ length: COUNT }, (_, index) =>
    Buffer.from(messages.subarray(index * length, (index + 1) * length)),
  );
  let whole = Buffer.alloc(0);
  return [
    {
      name: 'Buffer.concat',
      role: 'peer',
      steps: 1,
      step() {
        const queue: Buffer[] = [];
        for (const view of views) {
          const header = Buffer.alloc(4);
          header.writeUInt32BE(view.length);
          queue.push(header, view);
        }
        whole = Buffer.concat(queue);
        return COUNT;
      },
      digest: () => mixBytes(DIGEST_SEED, whole, 0, whole.length),
    },
  ];
}

function open(frameBytes: number): Work {
  const length = frameBytes - 4;
  const random = randomFrom(frameBytes);
  const messages = Uint8Array.from({ length: length * COUNT }, () => random(256));
  return {
    versions: [
      ...coreVersions(messages, length),
      plainVersion(messages, length),
      ...naiveVersion(messages, length),
    ],
    native: { kernel: 'encode', numbers: [0, 4, 1, length, COUNT], input: messages },
  };
}

export const sendQueueCases: readonly MicroCase[] = [16, 64, 1024].map(
  (size): MicroCase => ({
    id: `send-queue/${size}`,
    section: 'Send queue',
    title: `Queue, submit and finish 64 sends of ${size} B`,
    unit: 'message',
    labels: { bytes: size },
    quick: size === 64,
    essential: size === 64,
    open: () => open(size),
  }),
);
