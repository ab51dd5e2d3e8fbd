/** Bytes to messages: every framing and size, in one chunk and split over many. */
import {
  CORE,
  DIGEST_SEED,
  type MicroCase,
  mixBytes,
  PLAIN,
  type Promised,
  type Version,
  type Work,
} from '../case.ts';
import { CoreDecoder } from '../core-decoder.ts';
import { hasBuffer } from '../plain/bytes.ts';
import { plainDecoder } from '../plain/decoder.ts';
import { splitByByte, splitByText } from '../plain/index-of.ts';
import { findBigEndian4, findLine, NaiveDecoder } from '../plain/naive-decoder.ts';
import { makeStream, SHAPES, type Shape, SIZES } from '../streams.ts';

/** A chunk of a split stream: a full TCP segment on an Ethernet. */
const SEGMENT_BYTES = 1460;
const STREAM_BYTES = 32_768;
/** Messages of one chunk at most. */
const CAPACITY = 4096;
const ROOM_BYTES = 1 << 18;

/** What kernels.c calls the kinds. */
const KIND_NUMBERS = {
  lengthField: 0,
  varint: 1,
  delimiter: 2,
  line: 3,
  fixed: 4,
  raw: 5,
} as const;

interface Task {
  readonly shape: Shape;
  readonly frameBytes: number;
  readonly stream: Uint8Array;
  readonly chunkBytes: number;
  readonly steps: number;
}

function taskOf(shape: Shape, frameBytes: number, split: boolean): Task {
  const bytes = Math.max(STREAM_BYTES, 8 * frameBytes);
  const stream = makeStream(shape, frameBytes, bytes);
  const chunkBytes = split ? SEGMENT_BYTES : shape.kind === 'raw' ? frameBytes : bytes;
  return { shape, frameBytes, stream, chunkBytes, steps: Math.ceil(bytes / chunkBytes) };
}

/** The digest of messages somewhere in `bytes`. */
export function digestMessages(
  bytes: Uint8Array,
  count: number,
  offset: (index: number) => number,
  length: (index: number) => number,
): number {
  let digest = DIGEST_SEED;
  for (let index = 0; index < count; index++) {
    const from = offset(index);
    digest = mixBytes(digest, bytes, from, from + length(index));
  }
  return digest;
}

function coreVersion({ shape, frameBytes, stream, chunkBytes, steps }: Task): Version {
  const decoder = new CoreDecoder(shape.framing(frameBytes), stream, ROOM_BYTES, CAPACITY);
  const end = stream.length;
  return {
    name: CORE,
    role: 'own',
    steps,
    step(index) {
      const start = index * chunkBytes;
      return decoder.decode(start, Math.min(start + chunkBytes, end));
    },
    digest: () =>
      digestMessages(
        decoder.core.u8,
        decoder.count,
        (index) => decoder.offset(index),
        (index) => decoder.length(index),
      ),
  };
}

function plainVersion({ shape, frameBytes, stream, chunkBytes, steps }: Task): Version {
  const decoder = plainDecoder(shape.name, stream, ROOM_BYTES, CAPACITY, frameBytes);
  const end = stream.length;
  const { bytes, events } = decoder;
  return {
    name: PLAIN,
    role: 'peer',
    steps,
    step(index) {
      const start = index * chunkBytes;
      return decoder.decode(start, Math.min(start + chunkBytes, end));
    },
    digest: () =>
      digestMessages(
        bytes,
        decoder.count,
        (index) => events[2 * index] as number,
        (index) => events[2 * index + 1] as number,
      ),
  };
}

function naiveVersion({ shape, stream, chunkBytes, steps }: Task): Version | undefined {
  const find = { lengthField4be: findBigEndian4, line: findLine }[shape.name];
  if (find === undefined) return undefined;
  const decoder = new NaiveDecoder(find);
  const whole = hasBuffer ? Buffer.from(stream) : stream;
  const chunks = Array.from({ length: steps }, (_, index) =>
    whole.subarray(index * chunkBytes, (index + 1) * chunkBytes),
  );
  return {
    name: hasBuffer ? 'Buffer.concat' : 'concatenated views',
    role: 'peer',
    steps,
    step: (index) => decoder.decode(chunks[index] as Uint8Array),
    digest() {
      let digest = DIGEST_SEED;
      for (const message of decoder.messages) {
        digest = mixBytes(digest, message, 0, message.length);
      }
      return digest;
    },
  };
}

export const INDEX_OF = 'indexOf in a loop';

/** For a delimiter, whole chunks. */
function indexOfVersion({ shape, stream, steps }: Task): Version | undefined {
  const events = new Int32Array(2 * CAPACITY);
  const bytes = hasBuffer ? Buffer.from(stream) : stream;
  let count = 0;
  let split: () => number;
  if (shape.kind === 'line') split = () => splitByByte(bytes, 10, events);
  else if (shape.kind === 'delimiter' && hasBuffer) {
    const end = Buffer.from('\r\n');
    split = () => splitByText(bytes as Buffer, end, events);
  } else return undefined;
  return {
    name: INDEX_OF,
    role: 'peer',
    steps,
    step() {
      count = split();
      return count;
    },
    digest: () =>
      digestMessages(
        bytes,
        count,
        (index) => events[2 * index] as number,
        (index) => events[2 * index + 1] as number,
      ),
  };
}

function open(task: Task, split: boolean): Work {
  const versions: Version[] = [coreVersion(task), plainVersion(task)];
  const others = [naiveVersion(task), split ? undefined : indexOfVersion(task)];
  for (const version of others) if (version !== undefined) versions.push(version);
  const { shape, frameBytes, stream, chunkBytes } = task;
  return {
    versions,
    native: {
      kernel: 'decode',
      numbers: [
        KIND_NUMBERS[shape.kind],
        shape.fieldBytes,
        shape.bigEndian ? 1 : 0,
        frameBytes,
        chunkBytes,
        ROOM_BYTES,
        CAPACITY,
      ],
      input: stream,
    },
  };
}

function promisesOf(shape: Shape, size: number, split: boolean): Promised[] {
  if (split) return [];
  const promises: Promised[] = [];
  if (shape.kind === 'lengthField' && size <= 64) {
    promises.push({ of: CORE, to: 'gcc -O3', atLeast: 0.85 });
    // Out of reach with one byte: there the next frame waits for a load and an addition, six
    // cycles in any language, and JavaScript takes little more than eight.
    promises.push({ of: CORE, to: PLAIN, atLeast: 1.5 });
  }
  if (shape.kind === 'line' && size === 64) {
    promises.push({ of: CORE, to: INDEX_OF, atLeast: 3 });
  }
  return promises;
}

const ESSENTIAL = new Set(['lengthField2le', 'varint', 'line']);

export const decodeCases: readonly MicroCase[] = SHAPES.flatMap((shape) =>
  SIZES.filter((size) => size <= shape.mostBytes).flatMap((size) =>
    [false, true]
      .filter((split) => !split || shape.kind !== 'raw')
      .map((split): MicroCase => {
        const how = split ? 'split' : 'whole';
        return {
          id: `decode/${shape.name}/${size}/${how}`,
          section: shape.kind === 'line' || shape.kind === 'delimiter' ? 'Delimiters' : 'Decode',
          title: `Decode ${shape.name}, ${size} B, ${how}`,
          unit: 'message',
          labels: { framing: shape.name, bytes: size, chunks: how },
          promises: promisesOf(shape, size, split),
          quick: size === 16 || size === 64 || size === 1024,
          essential: size === 64 && ESSENTIAL.has(shape.name),
          open: () => open(taskOf(shape, size, split), split),
        };
      }),
  ),
);
