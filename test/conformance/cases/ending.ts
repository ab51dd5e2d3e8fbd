/** How connections end: by halves, whole, by force. */
import * as assert from 'uvu/assert';
import { type Connection, lengthField, type OverlappedError } from '../../../src/index.ts';
import { isEqual, noise, Signal, text, thrownCode, until, within } from '../context.ts';
import type { Case } from '../suite.ts';

const FRAMING = lengthField({ size: 4, maxFrameBytes: 2 ** 22 });

/** Writes down what happens to connections, in order. */
function diary() {
  const lines: string[] = [];
  const closed = new Signal();
  return {
    lines,
    closed: closed.promise,
    handlers: {
      end: () => void lines.push('end'),
      message: (_: Connection, bytes: Uint8Array) => void lines.push(text(bytes)),
      error: (_: Connection, error: OverlappedError) => void lines.push(`error ${error.code}`),
      close: (_: Connection, error: OverlappedError | undefined) => {
        lines.push(`close ${error?.code ?? 'clean'}`);
        closed.resolve();
      },
    },
  };
}

export const ending: readonly Case[] = [
  {
    name: 'the client ends its side; the server answers and ends after it',
    async run(context) {
      const here = diary();
      const there = diary();
      const { connection, accepted } = await context.pair(
        {
          framing: FRAMING,
          allowHalfOpen: true,
          ...there.handlers,
          end(each) {
            there.handlers.end();
            each.send('after the end');
            each.end();
          },
        },
        { framing: FRAMING, ...here.handlers },
      );
      connection.send('before the end');
      connection.end();
      assert.is(connection.sendConnected, false);
      assert.is(connection.receiveConnected, true);
      assert.is(
        thrownCode(() => connection.send('too late')),
        'CLOSED',
      );
      await within('both closed', Promise.all([here.closed, there.closed]));
      assert.equal(there.lines, ['before the end', 'end', 'close clean']);
      assert.equal(
        here.lines.filter((each) => each !== 'end'),
        ['after the end', 'close clean'],
      );
      assert.is(accepted.receiveConnected, false);
    },
  },
  {
    name: 'the server ends its side; the client goes on sending',
    async run(context) {
      const here = diary();
      const there = diary();
      const { accepted } = await context.pair(
        { framing: FRAMING, ...there.handlers, allowHalfOpen: true },
        {
          framing: FRAMING,
          allowHalfOpen: true,
          ...here.handlers,
          end(connection) {
            here.handlers.end();
            for (let count = 0; count < 3; count += 1) connection.send(`still ${count}`);
            connection.end();
          },
        },
      );
      accepted.end();
      await within('both closed', Promise.all([here.closed, there.closed]));
      assert.equal(here.lines, ['end', 'close clean']);
      assert.equal(
        there.lines.filter((each) => each !== 'end'),
        ['still 0', 'still 1', 'still 2', 'close clean'],
      );
    },
  },
  {
    name: 'without allowHalfOpen the peer’s end ends this side, after what is queued',
    async run(context) {
      const here = diary();
      const there = diary();
      const { connection } = await context.pair(
        {
          framing: FRAMING,
          ...there.handlers,
          message(accepted, bytes) {
            there.handlers.message(accepted, bytes);
            accepted.send(noise(300_000, 1));
          },
        },
        {
          framing: FRAMING,
          ...here.handlers,
          message: (_, bytes) => void here.lines.push(String(isEqual(bytes, noise(300_000, 1)))),
        },
      );
      connection.send('last');
      connection.end();
      await within('both closed', Promise.all([here.closed, there.closed]));
      assert.is(there.lines.at(-1), 'close clean');
      assert.ok(here.lines.includes('true'));
      assert.is(here.lines.at(-1), 'close clean');
    },
  },
  {
    name: 'what came with the end can be answered: the last message before it is not too late',
    async run(context) {
      const server = await context.listen({
        framing: FRAMING,
        message: (accepted, bytes) => void accepted.send(bytes),
      });
      for (let round = 0; round < 20; round += 1) {
        const here = diary();
        const connection = await context.connect(server, { framing: FRAMING, ...here.handlers });
        for (let count = 0; count <= round; count += 1) connection.send(`${count}`);
        connection.end();
        await within('close', here.closed);
        assert.equal(
          here.lines.filter((each) => each !== 'end'),
          [...Array.from({ length: round + 1 }, (_, count) => `${count}`), 'close clean'],
        );
      }
    },
  },
  {
    name: 'an abort of the client is a RESET of the server, never an end',
    needs: ({ resets }) => resets,
    async run(context) {
      const here = diary();
      const there = diary();
      const { connection, accepted } = await context.pair(
        {
          framing: FRAMING,
          ...there.handlers,
          allowHalfOpen: true,
          error(each, error) {
            there.handlers.error(each, error);
            there.lines.push(`may send: ${each.sendConnected}, ${each.receiveConnected}`);
          },
        },
        { framing: FRAMING, ...here.handlers },
      );
      connection.send('one');
      await until('the message', () => there.lines.length > 0);
      connection.abort();
      await within('both closed', Promise.all([here.closed, there.closed]));
      assert.equal(there.lines, ['one', 'error RESET', 'may send: false, false', 'close RESET']);
      assert.is(accepted.error?.code, 'RESET');
      assert.is(here.lines.at(-1), 'close ABORTED');
      assert.not(here.lines.includes('end'));
    },
  },
  {
    name: 'an abort of the server is a RESET of the client, never an end',
    needs: ({ resets }) => resets,
    async run(context) {
      const here = diary();
      const there = diary();
      const { accepted } = await context.pair(
        { framing: FRAMING, ...there.handlers },
        { framing: FRAMING, ...here.handlers, allowHalfOpen: true },
      );
      accepted.abort();
      await within('both closed', Promise.all([here.closed, there.closed]));
      assert.equal(here.lines, ['error RESET', 'close RESET']);
      assert.is(there.lines.at(-1), 'close ABORTED');
    },
  },
  {
    name: 'close sends what is queued first, and ends clean on both sides',
    async run(context) {
      const there = diary();
      const sent = noise(1_000_000, 3);
      const { connection } = await context.pair(
        {
          framing: FRAMING,
          ...there.handlers,
          message: (_, bytes) => void there.lines.push(String(isEqual(bytes, sent))),
        },
        { framing: FRAMING },
      );
      connection.send(sent);
      await within('close', connection.close());
      await within('close of the peer', there.closed);
      assert.is(connection.error, undefined);
      assert.equal(
        there.lines.filter((each) => each !== 'end'),
        ['true', 'close clean'],
      );
    },
  },
  {
    name: 'both sides close at once',
    async run(context) {
      const here = diary();
      const there = diary();
      const { connection, accepted } = await context.pair(
        { framing: FRAMING, ...there.handlers },
        { framing: FRAMING, ...here.handlers },
      );
      await within('close', Promise.all([connection.close(), accepted.close()]));
      assert.is(connection.error, undefined);
      assert.is(accepted.error, undefined);
      await within('close again', connection.close());
    },
  },
  {
    name: 'after end, close and abort send throws CLOSED, and drained rejects',
    async run(context) {
      for (const way of ['end', 'close', 'abort'] as const) {
        const { connection, server } = await context.pair(
          { framing: FRAMING, message: () => {} },
          { framing: FRAMING, message: () => {} },
        );
        void connection[way]();
        assert.is(
          thrownCode(() => connection.send('late')),
          'CLOSED',
          way,
        );
        await within(`closed after ${way}`, connection.closed);
        assert.is(
          thrownCode(() => connection.send('later')),
          'CLOSED',
          way,
        );
        assert.is(connection.sendConnected, false);
        assert.is(connection.receiveConnected, false);
        assert.is(connection.queuedBytes, 0);
        await connection.drained().then(
          () => assert.unreachable('drained of a closed connection'),
          () => {},
        );
        await server.close();
      }
    },
  },
  {
    name: 'a server closes with connections open; clients see a clean end',
    async run(context) {
      const server = await context.listen({ framing: FRAMING, message: () => {} });
      const connections = await Promise.all(
        Array.from({ length: 10 }, () => context.connect(server, { framing: FRAMING })),
      );
      await until('all accepted', () => server.connections === 10);
      await within('close', server.close());
      assert.is(server.connections, 0);
      await within('clients', Promise.all(connections.map(({ closed }) => closed)));
      for (const { error } of connections) assert.is(error, undefined);
    },
  },
  {
    name: 'a peer that never ends is aborted after closeTimeoutMs',
    async run(context) {
      const { connection, accepted } = await context.pair(
        { framing: FRAMING, allowHalfOpen: true, message: () => {} },
        { framing: FRAMING, closeTimeoutMs: 30, message: () => {} },
      );
      await within('close', connection.close());
      await within('close of the peer', accepted.close());
    },
  },
];
