/** Readers that are slower than writers. */
import * as assert from 'uvu/assert';
import { type Connection, lengthField, raw } from '../../../src/index.ts';
import { isEqual, noise, pass, Signal, thrownCode, until, within } from '../context.ts';
import type { Case } from '../suite.ts';

const FRAMING = lengthField({ size: 4, maxFrameBytes: 2 ** 22 });
const MARK = 256 * 1024;
const PIECE = 32 * 1024;

export const pressure: readonly Case[] = [
  {
    name: 'a reader that stops holds the writer back; nothing is lost or out of order',
    async run(context) {
      const PIECES = 192; // 6 MiB: more than a loopback's buffers and the mark together
      let paused: Connection | undefined;
      let received = 0;
      const wrong: number[] = [];
      const done = new Signal();
      const { connection, accepted } = await context.pair(
        {
          framing: FRAMING,
          open(each) {
            each.pause();
            paused = each;
          },
          message(_, bytes) {
            if (!isEqual(bytes, noise(PIECE, received))) wrong.push(received);
            received += 1;
            if (received === PIECES) done.resolve();
          },
        },
        { framing: FRAMING, highWaterMarkBytes: MARK, message: () => {} },
      );
      assert.is(paused, accepted);
      let refused = 0;
      let most = 0;
      const sending = (async () => {
        for (let piece = 0; piece < PIECES; piece += 1) {
          const isWelcome = connection.send(noise(PIECE, piece));
          most = Math.max(most, connection.queuedBytes);
          if (isWelcome) continue;
          refused += 1;
          await connection.drained();
          assert.ok(connection.queuedBytes <= MARK);
        }
      })();
      await until('send to turn false', () => refused > 0);
      for (let passes = 0; passes < 20; passes += 1) await pass();
      assert.ok(received <= 1, 'a paused connection hands out no more messages');
      accepted.resume();
      await within('all sent', sending);
      await within('all received', done.promise);
      assert.equal(wrong, []);
      assert.ok(most <= MARK + PIECE + 4, `${most} bytes were queued`);
    },
  },
  {
    name: 'large messages reach a slow reader whole',
    async run(context) {
      const SIZES = [1_500_000, 10, 700_000];
      const parts: number[] = [];
      let received = 0;
      const total = SIZES.reduce((sum, size) => sum + size + 4, 0);
      const expected = new Uint8Array(total);
      let at = 0;
      for (const [index, size] of SIZES.entries()) {
        new DataView(expected.buffer).setUint32(at, size);
        expected.set(noise(size, index), at + 4);
        at += 4 + size;
      }
      const done = new Signal();
      let isRight = true;
      const { connection } = await context.pair(
        {
          framing: raw(),
          message(accepted, bytes) {
            const there = expected.subarray(received, received + bytes.length);
            isRight &&= isEqual(there, bytes);
            received += bytes.length;
            parts.push(bytes.length);
            if (received >= total) done.resolve();
            if (parts.length % 16 !== 0) return;
            accepted.pause();
            void pass().then(() => accepted.resume());
          },
        },
        { framing: FRAMING },
      );
      for (const [index, size] of SIZES.entries()) connection.send(noise(size, index));
      await within('all bytes', done.promise);
      assert.ok(isRight);
      assert.is(received, total);
      await until('the queue to empty', () => connection.queuedBytes === 0);
    },
  },
  {
    name: 'large messages are put together whole',
    async run(context) {
      const SIZES = [2 ** 21, 1, 2 ** 20 + 7];
      const wrong: number[] = [];
      let received = 0;
      const done = new Signal();
      const { connection } = await context.pair(
        {
          framing: FRAMING,
          message(_, bytes) {
            if (!isEqual(bytes, noise(SIZES[received] as number, received))) wrong.push(received);
            received += 1;
            if (received === SIZES.length) done.resolve();
          },
        },
        { framing: FRAMING },
      );
      for (const [index, size] of SIZES.entries()) connection.send(noise(size, index));
      await within('all messages', done.promise);
      assert.equal(wrong, []);
    },
  },
  {
    name: 'the drain handler comes after send turned false, and not without',
    async run(context) {
      let drains = 0;
      let received = 0;
      const { connection } = await context.pair(
        {
          framing: FRAMING,
          message: (_, bytes) => {
            received += bytes.length;
          },
        },
        {
          framing: FRAMING,
          highWaterMarkBytes: 10_000,
          drain: () => {
            drains += 1;
          },
        },
      );
      assert.is(connection.send(noise(100, 1)), true);
      await until('the first message', () => received === 100);
      assert.is(drains, 0);
      while (connection.send(noise(4000, 1)));
      await within('drained', connection.drained());
      assert.is(drains, 1);
      await within('drained at once', connection.drained());
    },
  },
  {
    name: 'above maxQueuedBytes send throws NO_BUFFERS and queues nothing',
    async run(context) {
      const { connection, accepted } = await context.pair(
        { framing: FRAMING, open: (each) => each.pause(), message: () => {} },
        { framing: FRAMING, highWaterMarkBytes: 10_000, maxQueuedBytes: 50_000 },
      );
      let code = 'nothing';
      for (let count = 0; code === 'nothing' && count < 100; count += 1) {
        code = thrownCode(() => connection.send(noise(5000, count)));
      }
      assert.is(code, 'NO_BUFFERS');
      assert.ok(connection.queuedBytes <= 50_000);
      accepted.resume();
      await within('drained', connection.drained());
    },
  },
];
