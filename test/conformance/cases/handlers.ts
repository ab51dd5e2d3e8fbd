/** The ways in which messages reach a program. */
import * as assert from 'uvu/assert';
import { type Connection, lengthField, type OverlappedError } from '../../../src/index.ts';
import { msgpack } from '../../../src/msgpack.ts';
import { isEqual, noise, pass, Signal, takingExceptions, text, until, within } from '../context.ts';
import type { Case } from '../suite.ts';

const FRAMING = lengthField({ size: 4, maxFrameBytes: 2 ** 20 });
const MESSAGES = 120;

interface Greeting {
  readonly name: string;
  readonly list: readonly number[];
}

export const handlers: readonly Case[] = [
  {
    name: 'batches hold the same messages as the message handler gets',
    async run(context) {
      const sizeOf = (number: number) => (number * 37) % 5000;
      const one: Uint8Array[] = [];
      const many: Uint8Array[] = [];
      const echoed: Uint8Array[] = [];
      const strangers: number[] = [];
      let expected: Connection | undefined;
      const single = await context.pair(
        { framing: FRAMING, message: (_, bytes) => void one.push(bytes.slice()) },
        { framing: FRAMING },
      );
      const batched = await context.pair(
        {
          framing: FRAMING,
          open: (connection) => {
            expected = connection;
          },
          messages(batch) {
            for (let index = 0; index < batch.length; index += 1) {
              const offset = batch.offset(index);
              const view = batch.bytes.subarray(offset, offset + batch.size(index));
              if (batch.connection(index) !== expected) strangers.push(index);
              if (!isEqual(view, batch.message(index))) strangers.push(index);
              many.push(view.slice());
              if (index % 2 === 0) batch.echo(index);
              else batch.reply(index, offset, batch.size(index));
            }
          },
        },
        { framing: FRAMING, message: (_, bytes) => void echoed.push(bytes.slice()) },
      );
      for (let number = 0; number < MESSAGES; number += 1) {
        single.connection.send(noise(sizeOf(number), number));
        batched.connection.send(noise(sizeOf(number), number));
      }
      await until(
        'all messages',
        () => one.length === MESSAGES && many.length === MESSAGES && echoed.length === MESSAGES,
      );
      const isRight = (bytes: Uint8Array, number: number) =>
        isEqual(bytes, noise(sizeOf(number), number));
      assert.ok(one.every(isRight));
      assert.ok(many.every(isRight));
      assert.ok(echoed.every(isRight));
      assert.equal(strangers, []);
    },
  },
  {
    name: 'large messages echoed to a peer that reads late come back whole',
    async run(context) {
      const echoed: Uint8Array[] = [];
      const { connection } = await context.pair(
        {
          framing: FRAMING,
          messages(batch) {
            for (let index = 0; index < batch.length; index += 1) batch.echo(index);
          },
        },
        { framing: FRAMING, message: (_, bytes) => void echoed.push(bytes.slice()) },
      );
      // Within a receive buffer and across several, small ones in between.
      const sizeOf = (number: number) => [3000, 2044, 9000, 10, 4000, 2047][number % 6] as number;
      connection.pause();
      for (let number = 0; number < 3 * MESSAGES; number += 1) {
        connection.send(noise(sizeOf(number), number));
      }
      for (let turn = 0; turn < 20; turn += 1) await pass();
      connection.resume();
      await until('all messages', () => echoed.length === 3 * MESSAGES);
      assert.ok(echoed.every((bytes, number) => isEqual(bytes, noise(sizeOf(number), number))));
    },
  },
  {
    name: 'a connection is iterated: owned messages, in order, until the peer ends',
    async run(context) {
      const opened = new Signal<Connection>();
      const server = await context.listen({
        framing: FRAMING,
        highWaterMarkBytes: 20_000,
        open: (connection) => opened.resolve(connection),
      });
      const connection = await context.connect(server, { framing: FRAMING });
      const sending = (async () => {
        for (let number = 0; number < MESSAGES; number += 1) {
          if (!connection.send(noise(3000, number))) await connection.drained();
        }
        connection.end();
      })();
      const kept: Uint8Array[] = [];
      const accepted = await within('accept', opened.promise);
      const reading = (async () => {
        for await (const message of accepted) {
          kept.push(message);
          if (kept.length % 16 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
        }
      })();
      await within('all messages', Promise.all([sending, reading]));
      assert.is(kept.length, MESSAGES);
      assert.ok(kept.every((message, number) => isEqual(message, noise(3000, number))));
      await within('close', connection.closed);
      assert.is(connection.error, undefined);
    },
  },
  {
    name: 'an iteration throws what ended the connection',
    needs: ({ resets }) => resets,
    async run(context) {
      const opened = new Signal<Connection>();
      const server = await context.listen({
        framing: FRAMING,
        open: (accepted) => opened.resolve(accepted),
      });
      const connection = await context.connect(server, { framing: FRAMING });
      const accepted = await within('accept', opened.promise);
      const reading = (async () => {
        const texts: string[] = [];
        try {
          for await (const message of accepted) {
            texts.push(text(message));
            connection.abort();
          }
          texts.push('end');
        } catch (error) {
          texts.push((error as OverlappedError).code);
        }
        return texts;
      })();
      connection.send('hello');
      assert.equal(await within('the error', reading), ['hello', 'RESET']);
    },
  },
  {
    name: 'leaving an iteration closes the connection, clean on both sides',
    async run(context) {
      const opened = new Signal<Connection>();
      const server = await context.listen({
        framing: FRAMING,
        open: (accepted) => opened.resolve(accepted),
      });
      const connection = await context.connect(server, { framing: FRAMING });
      const accepted = await within('accept', opened.promise);
      connection.send('hello');
      for await (const message of accepted) {
        assert.is(text(message), 'hello');
        break;
      }
      await within('close', Promise.all([connection.closed, accepted.closed]));
      assert.is(connection.error, undefined);
      assert.is(accepted.error, undefined);
    },
  },
  {
    name: 'a handler that throws disturbs nobody, and is not swallowed',
    throws: true,
    async run(context) {
      let heard = 0;
      const server = await context.listen({
        framing: FRAMING,
        message(_, bytes) {
          heard += 1;
          if (text(bytes) === 'throw') throw new Error('thrown by the handler');
        },
      });
      const one = await context.connect(server, { framing: FRAMING });
      const other = await context.connect(server, { framing: FRAMING });
      const taken = await takingExceptions(async () => {
        one.send('throw');
        one.send('after');
        other.send('beside');
        await until('all three', () => heard === 3);
      });
      assert.equal(
        taken.map((error) => (error as Error).message),
        ['thrown by the handler'],
      );
      await within('close', Promise.all([one.close(), other.close()]));
      assert.is(one.error, undefined);
    },
  },
  {
    name: 'objects through a codec, both ways; malformed bytes end their connection',
    async run(context) {
      const codec = msgpack<Greeting>();
      const got = new Signal<Greeting>();
      const greeting: Greeting = { name: 'Ada', list: [1, 2.5, -3] };
      const ended = new Signal<string>();
      const server = await context.listen<Greeting>({
        framing: FRAMING,
        codec,
        message: (connection, { name, list }) =>
          void connection.send({ name: `hello ${name}`, list: [...list, list.length] }),
        close: (_, error) => {
          if (error !== undefined) ended.resolve(error.code);
        },
      });
      const connection = await context.connect<Greeting>(server, {
        framing: FRAMING,
        codec,
        message: (_, object) => got.resolve(object),
      });
      connection.send(greeting);
      assert.equal(await within('the answer', got.promise), {
        name: 'hello Ada',
        list: [1, 2.5, -3, 3],
      });
      const bad = await context.connect(server, { framing: FRAMING, message: () => {} });
      bad.send(Uint8Array.of(0xc1));
      assert.is(await within('the end', ended.promise), 'MESSAGE_MALFORMED');
      await within('the peer’s end', bad.closed);
      assert.is(connection.sendConnected, true);
    },
  },
];
