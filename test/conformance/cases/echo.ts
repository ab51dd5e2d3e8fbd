/** Every framing, both ways, and many connections at once. */
import * as assert from 'uvu/assert';
import {
  type Connection,
  delimiter,
  type Framing,
  fixed,
  lengthField,
  line,
  raw,
  varint,
} from '../../../src/index.ts';
import { concat, isEqual, letters, noise, Signal, within } from '../context.ts';
import type { Case } from '../suite.ts';

const LIMIT = 9000; // above two receive buffers
const SIZES = [0, 1, 2, 3, 100, 127, 128, 300, 1023, 4096, 4097];

interface FramingCase {
  readonly framing: Framing;
  /** Bytes of header and delimiter. */
  readonly overhead: number;
  readonly sizes: readonly number[];
  readonly content: (length: number, seed: number) => Uint8Array;
}

function framingCase(
  framing: Framing,
  overhead: number,
  sizes: readonly number[] = SIZES,
  content = noise,
): FramingCase {
  return { framing, overhead, sizes: [...sizes, LIMIT - overhead], content };
}

function allFramings(): FramingCase[] {
  const maxFrameBytes = LIMIT;
  const cases: FramingCase[] = [];
  for (const size of [2, 3, 4, 8] as const) {
    for (const endian of ['big', 'little'] as const) {
      for (const includesHeader of [false, true]) {
        const framing = lengthField({ size, endian, includesHeader, maxFrameBytes });
        cases.push(framingCase(framing, size));
      }
    }
  }
  cases.push(
    { framing: lengthField({ size: 1 }), overhead: 1, sizes: [0, 1, 254, 255], content: noise },
    framingCase(varint({ maxFrameBytes }), 2),
    framingCase(delimiter('\r\n', { maxFrameBytes }), 2, SIZES, letters),
    framingCase(delimiter(['END', ';'], { maxFrameBytes }), 3, SIZES, letters),
    framingCase(line({ maxFrameBytes }), 1, SIZES, letters),
    { framing: fixed(700), overhead: 0, sizes: [700, 700, 700], content: noise },
  );
  return cases;
}

/** Sends and compares what comes back; the server speaks first. */
async function echoed(context: Parameters<Case['run']>[0], each: FramingCase): Promise<void> {
  const { framing, sizes, content } = each;
  const messages = sizes.map((length, index) => content(length, index + 1));
  const label = `${framing.kind} ${JSON.stringify(framing)}`;
  const greeting = messages[1] as Uint8Array;
  const done = new Signal();
  const wrong: string[] = [];
  let next = -1;
  const { server, connection } = await context.pair(
    {
      framing,
      open: (accepted) => void accepted.send(greeting),
      message: (accepted, bytes) => void accepted.send(bytes),
    },
    {
      framing,
      message(_, bytes) {
        const expected = next < 0 ? greeting : (messages[next] as Uint8Array);
        if (!isEqual(bytes, expected)) wrong.push(`message ${next} of ${bytes.length} bytes`);
        next += 1;
        if (next === messages.length) done.resolve();
      },
    },
  );
  for (const message of messages) connection.send(message);
  await within(label, done.promise);
  assert.equal(wrong, [], label);
  await within('close', connection.close());
  assert.is(connection.error, undefined, label);
  await within('close of the server', server.close());
}

/** Sequence number, then noise that follows from it. */
function numbered(connection: number, number: number): Uint8Array {
  const size = 8 + ((connection * 7919 + number * 104_729) % 3000);
  const bytes = noise(size, connection * 1000 + number);
  new DataView(bytes.buffer).setUint32(0, connection);
  new DataView(bytes.buffer).setUint32(4, number);
  return bytes;
}

export const echo: readonly Case[] = [
  {
    name: 'messages of every framing and size come back as they were',
    async run(context) {
      for (const each of allFramings()) await echoed(context, each);
    },
  },
  {
    name: 'raw bytes come back, however they were cut',
    async run(context) {
      const sent = noise(60_000, 1);
      const done = new Signal();
      const parts: Uint8Array[] = [];
      let received = 0;
      const { connection } = await context.pair(
        { framing: raw(), message: (accepted, bytes) => void accepted.send(bytes) },
        {
          framing: raw(),
          message(_, bytes) {
            parts.push(bytes.slice());
            received += bytes.length;
            if (received >= sent.length) done.resolve();
          },
        },
      );
      for (let at = 0; at < sent.length; at += 777) connection.send(sent.subarray(at, at + 777));
      await within('all bytes', done.promise);
      assert.ok(isEqual(concat(parts), sent));
    },
  },
  {
    name: 'text is sent as UTF-8',
    async run(context) {
      const framing = line();
      const got = new Signal<string>();
      const { connection } = await context.pair(
        {
          framing,
          message: (_, bytes) => got.resolve(new TextDecoder().decode(bytes.slice())),
        },
        { framing },
      );
      connection.send('grüße, 世界');
      assert.is(await within('text', got.promise), 'grüße, 世界');
    },
  },
  {
    name: 'messages keep their order and content on many busy connections',
    async run(context) {
      const CONNECTIONS = 16;
      const MESSAGES = 100;
      const framing = lengthField({ size: 2, endian: 'little', includesHeader: true });
      const wrong: string[] = [];
      const server = await context.listen({
        framing,
        receiveDepth: 20,
        message: (accepted, bytes) => void accepted.send(bytes),
      });
      const one = async (index: number) => {
        const done = new Signal();
        let next = 0;
        const connection = await context.connect(server, {
          framing,
          receiveDepth: 20,
          message(_, bytes) {
            if (!isEqual(bytes, numbered(index, next))) wrong.push(`${index}: ${next}`);
            next += 1;
            if (next === MESSAGES) done.resolve();
          },
        });
        for (let number = 0; number < MESSAGES; number += 1) {
          if (!connection.send(numbered(index, number))) await connection.drained();
          if (number % 10 === 9) await Promise.resolve();
        }
        await within(`all of connection ${index}`, done.promise);
        const { messagesSent, messagesReceived } = connection.statistics();
        assert.is(messagesSent, MESSAGES);
        assert.is(messagesReceived, MESSAGES);
        await connection.close();
        assert.is(connection.error, undefined);
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, (_, index) => one(index)));
      assert.equal(wrong, []);
    },
  },
  {
    name: 'connections that break deliver a beginning of what was sent, in order, and say so',
    survivesBreaks: true,
    async run(context) {
      const CONNECTIONS = 12;
      const MESSAGES = 60;
      const framing = lengthField({ size: 2 });
      const wrong: string[] = [];
      const heard = new Map<Connection, number>();
      let gone = 0;
      const server = await context.listen({
        framing,
        receiveDepth: 8,
        message(accepted, bytes) {
          const next = heard.get(accepted) ?? 0;
          const from = new DataView(bytes.slice().buffer).getUint32(0);
          if (!isEqual(bytes, numbered(from, next))) wrong.push(`${from}: ${next}`);
          heard.set(accepted, next + 1);
        },
        close(accepted, error) {
          gone += 1;
          const all = heard.get(accepted) ?? 0;
          if (error === undefined && all !== MESSAGES) wrong.push(`a clean end after ${all}`);
          const codes = ['RESET', 'BROKEN_PIPE', 'FRAME_TRUNCATED', 'TIMED_OUT'];
          if (error !== undefined && !codes.includes(error.code)) wrong.push(String(error));
        },
      });
      const one = async (index: number) => {
        const connection = await context.connect(server, { framing });
        try {
          for (let number = 0; number < MESSAGES; number += 1) {
            if (!connection.send(numbered(index, number))) await connection.drained();
            if (number % 10 === 9) await Promise.resolve();
          }
        } catch (error) {
          if ((error as { code?: string }).code === undefined) throw error;
        }
        await within('close', connection.close());
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, (_, index) => one(index)));
      await within('close of the server', server.close());
      assert.is(gone, CONNECTIONS);
      assert.equal(wrong, []);
    },
  },
];
