/** Messages to frames. */
import { framingRecordBytes, writeFramingRecord } from '../../../src/core/framing-record.ts';
import { Core } from '../../../src/core/index.ts';
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
import { driverOn } from '../driver.ts';
import { hasBuffer, searchableBytes } from '../plain/bytes.ts';
import { plainEncoder } from '../plain/encoder.ts';
import { headerBytes, SHAPES, type Shape, SIZES, trailerBytes } from '../streams.ts';

const OUTPUT_BYTES = 32_768;
const KIND_NUMBERS = {
  lengthField: 0,
  varint: 1,
  delimiter: 2,
  line: 3,
  fixed: 4,
  raw: 5,
} as const;

function coreVersions(
  shape: Shape,
  frameBytes: number,
  messages: Uint8Array,
  length: number,
  count: number,
): Version[] {
  const core = Core.create({ memoryBytes: 2 * messages.length + count * 32 + 2 ** 17 });
  const framing = shape.framing(frameBytes);
  const record = core.reserve(framingRecordBytes(framing));
  writeFramingRecord(core.memory, record, framing);
  const input = core.reserve(messages.length);
  core.u8.set(messages, input);
  const out = core.reserve(count * (frameBytes + 16));
  const { exports } = core;
  const driver = driverOn(core);
  let end = 0;
  const digest = () => mixBytes(DIGEST_SEED, core.u8, out, end);
  return [
    {
      name: CORE,
      role: 'own',
      steps: 1,
      step() {
        end = driver.runEncode(record, input, length, length, count, out);
        return end === 0 ? 0 : count;
      },
      digest,
    },
    {
      name: CALLS,
      role: 'own',
      steps: 1,
      step() {
        let at = out;
        for (let index = 0; index < count; index++) {
          const message = input + index * length;
          if (exports.encodedBytes(record, message, length) < 0) return 0;
          at += exports.encode(record, message, length, at);
        }
        end = at;
        return count;
      },
      digest,
    },
  ];
}

function plainVersion(shape: Shape, messages: Uint8Array, length: number, count: number): Version {
  const bytes = searchableBytes(messages.length + count * (length + 16));
  bytes.set(messages);
  const encode = plainEncoder(shape, bytes);
  let end = 0;
  return {
    name: PLAIN,
    role: 'peer',
    steps: 1,
    step() {
      end = encode(0, length, count, messages.length);
      return end < 0 ? 0 : count;
    },
    digest: () => mixBytes(DIGEST_SEED, bytes, messages.length, end),
  };
}

/** A buffer for the header, and one for the frame. */
function naiveVersion(
  shape: Shape,
  messages: Uint8Array,
  length: number,
  count: number,
): Version[] {
  if (!hasBuffer) return [];
  const views = Array.from({ length: count }, (_, index) =>
    Buffer.from(messages.subarray(index * length, (index + 1) * length)),
  );
  const frames: Buffer[] = new Array(count);
  let frame: (message: Buffer) => Buffer;
  if (shape.name === 'lengthField4be') {
    frame = (message) => {
      const header = Buffer.alloc(4);
      header.writeUInt32BE(message.length);
      return Buffer.concat([header, message]);
    };
  } else if (shape.kind === 'line') {
    const end = Buffer.from('\n');
    frame = (message) => {
      if (message.includes(10) || message.at(-1) === 13) throw new Error('not a line');
      return Buffer.concat([message, end]);
    };
  } else return [];
  return [
    {
      name: 'Buffer.concat',
      role: 'peer',
      steps: 1,
      step() {
        for (let index = 0; index < count; index++) frames[index] = frame(views[index] as Buffer);
        return count;
      },
      digest() {
        const whole = Buffer.concat(frames);
        return mixBytes(DIGEST_SEED, whole, 0, whole.length);
      },
    },
  ];
}

function open(shape: Shape, frameBytes: number): Work {
  const length = frameBytes - headerBytes(shape, frameBytes) - trailerBytes(shape);
  const count = Math.max(8, OUTPUT_BYTES / frameBytes);
  const random = randomFrom(frameBytes);
  const messages = Uint8Array.from({ length: length * count }, () => 97 + random(26));
  return {
    versions: [
      ...coreVersions(shape, frameBytes, messages, length, count),
      plainVersion(shape, messages, length, count),
      ...naiveVersion(shape, messages, length, count),
    ],
    native: {
      kernel: 'encode',
      numbers: [KIND_NUMBERS[shape.kind], shape.fieldBytes, shape.bigEndian ? 1 : 0, length, count],
      input: messages,
    },
  };
}

export const encodeCases: readonly MicroCase[] = SHAPES.filter(
  ({ kind }) => kind !== 'raw',
).flatMap((shape) =>
  SIZES.filter((size) => size <= shape.mostBytes).map(
    (size): MicroCase => ({
      id: `encode/${shape.name}/${size}`,
      section: 'Encode',
      title: `Encode ${shape.name}, ${size} B`,
      unit: 'message',
      labels: { framing: shape.name, bytes: size },
      quick: size === 64 || size === 1024,
      essential: size === 64 && shape.name === 'lengthField2le',
      open: () => open(shape, size),
    }),
  ),
);
