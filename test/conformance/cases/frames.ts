/** Frames that are wrong: what happens to their connection, and to no other. */
import * as assert from 'uvu/assert';
import {
  type Connection,
  delimiter,
  type Framing,
  lengthField,
  line,
  raw,
  varint,
} from '../../../src/index.ts';
import { noise, Signal, text, until, within } from '../context.ts';
import type { Case } from '../suite.ts';

interface Wrong {
  readonly what: string;
  readonly framing: Framing;
  /** Comes in one piece; `good` says what of it are messages. */
  readonly bytes: readonly number[] | string;
  readonly good: readonly string[];
  readonly code: string;
  /** The stream ends after the bytes. */
  readonly ends?: boolean;
}

const maxFrameBytes = 64;

const WRONG: readonly Wrong[] = [
  {
    what: 'a length above the limit',
    framing: lengthField({ size: 2, maxFrameBytes }),
    bytes: [0, 1, 65, 0, 2, 66, 67, 1, 0],
    good: ['A', 'BC'],
    code: 'FRAME_TOO_LONG',
  },
  {
    what: 'a length of 8 bytes beyond every number',
    framing: lengthField({ size: 8, maxFrameBytes }),
    bytes: [0, 0, 0, 0, 0, 0, 0, 1, 65, 255, 255, 255, 255, 255, 255, 255, 255],
    good: ['A'],
    code: 'FRAME_TOO_LONG',
  },
  {
    what: 'a length that does not count its own header',
    framing: lengthField({ size: 2, includesHeader: true, endian: 'little' }),
    bytes: [3, 0, 65, 1, 0, 66],
    good: ['A'],
    code: 'FRAME_MALFORMED',
  },
  {
    what: 'a varint that does not end',
    framing: varint(),
    bytes: [1, 65, 128, 128, 128, 128, 128, 128],
    good: ['A'],
    code: 'FRAME_MALFORMED',
  },
  {
    what: 'a line without an end',
    framing: line({ maxFrameBytes }),
    bytes: `A\nB\r\n${'x'.repeat(100)}`,
    good: ['A', 'B'],
    code: 'FRAME_TOO_LONG',
  },
  {
    what: 'an end inside a header',
    framing: lengthField({ size: 4 }),
    bytes: [0, 0, 0, 1, 65, 0, 0],
    good: ['A'],
    code: 'FRAME_TRUNCATED',
    ends: true,
  },
  {
    what: 'an end inside a frame',
    framing: varint(),
    bytes: [1, 65, 5, 66, 67],
    good: ['A'],
    code: 'FRAME_TRUNCATED',
    ends: true,
  },
  {
    what: 'an end inside a line',
    framing: delimiter('\r\n'),
    bytes: 'A\r\nB\r',
    good: ['A'],
    code: 'FRAME_TRUNCATED',
    ends: true,
  },
];

function bytesOf(bytes: readonly number[] | string): Uint8Array {
  return typeof bytes === 'string' ? new TextEncoder().encode(bytes) : Uint8Array.from(bytes);
}

export const frames: readonly Case[] = [
  {
    name: 'a wrong frame ends its connection with its own error, after all that was good',
    async run(context) {
      for (const { what, framing, bytes, good, code, ends } of WRONG) {
        const lines: string[] = [];
        const closed = new Signal();
        const echoed = new Signal();
        let bad: Connection | undefined;
        const server = await context.listen({
          framing,
          message(connection, message) {
            if (text(message) === 'bystander') connection.send(message);
            else {
              bad = connection;
              lines.push(text(message));
            }
          },
          error: (_, error) => void lines.push(`error ${error.code}`),
          close(connection, error) {
            if (connection !== bad) return;
            lines.push(`close ${error?.code ?? 'clean'}`);
            closed.resolve();
          },
        });
        const bystander = await context.connect(server, {
          framing,
          message: () => echoed.resolve(),
        });
        const connection = await context.connect(server, { framing: raw(), message: () => {} });
        connection.send(bytesOf(bytes));
        if (ends) connection.end();
        await within(what, closed.promise);
        assert.equal(lines, [...good, `error ${code}`, `close ${code}`], what);
        await within(`${what}: the peer’s end`, connection.closed);
        bystander.send('bystander');
        await within(`${what}: the bystander`, echoed.promise);
        await within('close', bystander.close());
        await within('close of the server', server.close());
      }
    },
  },
  {
    name: 'oversized frames are skipped and reported where that is wanted',
    async run(context) {
      for (const failFast of [true, false]) {
        const framing = lengthField({
          size: 4,
          maxFrameBytes: 1000,
          onOversize: 'discard',
          failFast,
        });
        const lines: string[] = [];
        const { connection, accepted } = await context.pair(
          {
            framing,
            message: (_, bytes) => void lines.push(text(bytes)),
            error: (_, error) => void lines.push(error.code),
          },
          { framing: lengthField({ size: 4, maxFrameBytes: 2 ** 20 }) },
        );
        connection.send('one');
        connection.send(noise(200_000, 1));
        connection.send('two');
        connection.send(noise(997, 1));
        connection.send('three');
        await until('the last message', () => lines.includes('three'));
        assert.equal(lines, ['one', 'FRAME_TOO_LONG', 'two', 'FRAME_TOO_LONG', 'three']);
        assert.is(accepted.error, undefined);
        await within('close', connection.close());
        assert.is(connection.error, undefined);
      }
    },
  },
  {
    name: 'an unterminated last line is delivered where that is wanted',
    async run(context) {
      const lines: string[] = [];
      const closed = new Signal();
      const { connection } = await context.pair({
        framing: line({ unterminated: 'deliver' }),
        message: (_, bytes) => void lines.push(text(bytes)),
        close(_, error) {
          lines.push(error?.code ?? 'clean');
          closed.resolve();
        },
      });
      connection.send('one\ntwo');
      connection.end();
      await within('close', closed.promise);
      assert.equal(lines, ['one', 'two', 'clean']);
    },
  },
  {
    name: 'what a framing cannot carry is refused by send, and the connection goes on',
    async run(context) {
      const framing = lengthField({ size: 1 });
      const got = new Signal<string>();
      const { connection } = await context.pair(
        { framing, message: (_, bytes) => got.resolve(text(bytes)) },
        { framing },
      );
      assert.throws(
        () => connection.send(noise(256, 1)),
        (error: { code?: string }) => error.code === 'FRAME_TOO_LONG',
      );
      connection.send('fits');
      assert.is(await within('the next message', got.promise), 'fits');
    },
  },
];
