/** A whole turn without I/O: completions in, messages to a handler, answers out. */
import { lengthField } from '../../../src/framing.ts';
import { listen } from '../../../src/server.ts';
import type { Handlers } from '../../../src/types.ts';
import {
  CORE,
  DIGEST_SEED,
  type MicroCase,
  mixBytes,
  PLAIN,
  type Version,
  type Work,
} from '../case.ts';
import { IdleBackend } from '../idle-backend.ts';

export type Way = 'batch' | 'message';

const FRAME_BYTES = 64;
const WARM_PASSES = 50;

/** One chunk: `frames` frames of 64 B. */
export function chunkOf(frames: number): Uint8Array {
  const chunk = new Uint8Array(frames * FRAME_BYTES);
  for (let index = 0; index < chunk.length; index++) chunk[index] = (index * 7) & 255;
  for (let frame = 0; frame < frames; frame++) {
    chunk[frame * FRAME_BYTES] = FRAME_BYTES;
    chunk[frame * FRAME_BYTES + 1] = 0;
  }
  return chunk;
}

export const HANDLERS: Readonly<Record<Way, Handlers>> = {
  batch: {
    messages(batch) {
      for (let index = 0; index < batch.length; index++) batch.echo(index);
    },
  },
  message: {
    message(connection, bytes) {
      connection.send(bytes);
    },
  },
};

/** How receives complete, and whether they are put in order. */
export interface Ordering {
  readonly depth: number;
  readonly ordered: boolean;
}

export interface EchoPort {
  readonly backend: IdleBackend;
  /** Connections that received in this pass. */
  pass(): number;
  /** What connections sent in the last pass, one after the other. */
  digest(): number;
  close(): void;
}

/** An echo server on a port of its own, with its connections open. */
export async function openEcho(
  way: Way,
  connections: number,
  frames: number,
  ordering?: Ordering,
): Promise<EchoPort> {
  const limits =
    ordering === undefined ? {} : { selectsBuffers: false, receiveDepth: ordering.depth };
  const backend = new IdleBackend(connections, limits);
  const server = await listen({
    backend: backend.selection as never,
    framing: lengthField({ size: 2, endian: 'little', includesHeader: true }),
    ...(ordering === undefined
      ? {}
      : {
          receiveDepth: ordering.depth,
          readOrder: ordering.ordered,
          writeOrder: ordering.ordered,
        }),
    ...HANDLERS[way],
  });
  backend.connect();
  const chunk = chunkOf(frames);
  // Until as many receives are pending as there will be, and chunks have their size.
  for (let index = 0; index < WARM_PASSES; index++) backend.pass(chunk);
  const { u8 } = server.port.core;
  return {
    backend,
    pass: () => backend.pass(chunk),
    digest() {
      let digest = DIGEST_SEED;
      const { lastCount, lastOffsets, lastLengths, lastHandles } = backend;
      // By connection: a pass serves them in any order, but each one's bytes in theirs.
      const order = Array.from({ length: lastCount }, (_, index) => index).sort(
        (a, b) => (lastHandles[a] as number) - (lastHandles[b] as number) || a - b,
      );
      let whole: Uint8Array[] = [];
      const end = () => {
        if (whole.length === 0) return;
        const bytes = new Uint8Array(whole.reduce((sum, part) => sum + part.length, 0));
        let at = 0;
        for (const part of whole) {
          bytes.set(part, at);
          at += part.length;
        }
        digest = mixBytes(digest, bytes, 0, bytes.length);
        whole = [];
      };
      let handle = -1;
      for (const index of order) {
        if (lastHandles[index] !== handle) end();
        handle = lastHandles[index] as number;
        const from = lastOffsets[index] as number;
        whole.push(u8.slice(from, from + (lastLengths[index] as number)));
      }
      end();
      return digest;
    },
    // There is no system to give anything back to.
    close() {},
  };
}

function version(name: string, port: EchoPort, perPass: number): Version {
  return {
    name,
    role: 'own',
    steps: 1,
    step: () => port.pass() * perPass,
    digest: () => port.digest(),
  };
}

/** What is left of it by hand: each connection's chunk parsed, and framed again into its output. */
function plainVersion(connections: number, frames: number): Version {
  const chunk = chunkOf(frames);
  const bytes = chunk.length;
  // Input and output are one array, so that a message is copied without a view.
  const memory = new Uint8Array(2 * connections * bytes);
  const output = connections * bytes;
  for (let index = 0; index < connections; index++) memory.set(chunk, index * bytes);
  const sent = new Int32Array(connections);
  return {
    name: PLAIN,
    role: 'peer',
    steps: 1,
    step() {
      let messages = 0;
      for (let connection = 0; connection < connections; connection++) {
        const end = (connection + 1) * bytes;
        let at = connection * bytes;
        let out = output + at;
        while (end - at >= 2) {
          const frame = (memory[at] as number) | ((memory[at + 1] as number) << 8);
          if (frame < 2 || frame > end - at) break;
          memory[out] = frame;
          memory[out + 1] = frame >>> 8;
          memory.copyWithin(out + 2, at + 2, at + frame);
          at += frame;
          out += frame;
          messages++;
        }
        sent[connection] = out - output - connection * bytes;
      }
      return messages;
    },
    digest() {
      let digest = DIGEST_SEED;
      for (let connection = 0; connection < connections; connection++) {
        const from = output + connection * bytes;
        digest = mixBytes(digest, memory, from, from + (sent[connection] as number));
      }
      return digest;
    },
  };
}

async function open(connections: number, frames: number): Promise<Work> {
  const batch = await openEcho('batch', connections, frames);
  const message = await openEcho('message', connections, frames);
  return {
    versions: [
      version(BATCH, batch, frames),
      version(MESSAGE, message, frames),
      plainVersion(connections, frames),
    ],
    native: { kernel: 'turn', numbers: [connections], input: chunkOf(frames) },
  };
}

export const BATCH = `${CORE}, batch`;
export const MESSAGE = `${CORE}, message()`;
const ORDERED = 'order on';
const UNORDERED = 'order off';

/** One worker, several receives pending: the in-order store against none (R5). */
async function openOrdering(depth: number): Promise<Work> {
  const [connections, frames] = [50, 4];
  const on = await openEcho('batch', connections, frames, { depth, ordered: true });
  const off = await openEcho('batch', connections, frames, { depth, ordered: false });
  return { versions: [version(ORDERED, on, frames), version(UNORDERED, off, frames)] };
}

export const turnCases: readonly MicroCase[] = [
  ...(
    [
      [50, 16],
      [500, 4],
      [1, 64],
    ] as const
  ).map(
    ([connections, frames]): MicroCase => ({
      id: `turn/${connections}x${frames}`,
      section: 'Turn',
      title: `A turn without I/O, ${connections} × ${frames} frames of 64 B`,
      unit: 'message',
      labels: { connections, frames },
      promises: [
        { of: BATCH, atMostNs: 25 },
        { of: MESSAGE, atMostNs: 150 },
      ],
      quick: connections > 1,
      essential: connections === 50,
      open: () => open(connections, frames),
    }),
  ),
  ...[1, 4].map(
    (depth): MicroCase => ({
      id: `order/${depth}`,
      section: 'Turn',
      title: `Order on and off, one worker, ${depth} receives pending`,
      unit: 'message',
      labels: { depth },
      promises: [{ of: ORDERED, to: UNORDERED, atLeast: 0.9 }],
      open: () => openOrdering(depth),
    }),
  ),
];
