/** Our echo server and the foreign client. */
import * as assert from 'uvu/assert';
import { pass, until } from '../../conformance/context.ts';
import type { Case } from '../../conformance/suite.ts';
import { type FramePlan, message, peerFraming, wireBytes } from '../../peer/frames.ts';
import { type ClientBehaviour, Peer, type PeerOptions } from '../../peer/process.ts';
import { EchoServer, type Seen } from '../echo-server.ts';
import type { Quirks } from '../suite.ts';

const PLAN: FramePlan = { messages: 300, sizeBytes: [2, 9000], seed: 1 };
const SHORT: FramePlan = { messages: 20, sizeBytes: [2, 60], seed: 5 };
const LARGE: FramePlan = { messages: 100, sizeBytes: [20_000, 40_000], seed: 7 };
/** More than a system ever keeps between two programs; the client stops when it is held back. */
const ENDLESS: FramePlan = { ...LARGE, messages: 10_000 };
const MARK = 256 * 1024;

export function againstClients(program: string, quirks: Quirks): readonly Case[] {
  const client = (server: EchoServer, behaviour: ClientBehaviour, options: PeerOptions) =>
    Peer.start(program, 'client', server.place, behaviour, options);

  return [
    {
      name: 'a client’s frames come back whole and in order, from several clients at once',
      async run(context) {
        const server = await EchoServer.listen(context, PLAN, { receiveDepth: 20 });
        const work = Array.from({ length: 3 }, async () => {
          await using peer = await client(server, 'echo', { plan: PLAN, inFlight: 40 });
          const { bytesReceived } = await peer.success();
          assert.is(bytesReceived, wireBytes(PLAN));
        });
        await Promise.all(work);
        for (let index = 0; index < 3; index += 1) {
          const { checker, events } = await server.gone(index);
          assert.is(checker.wrong, undefined);
          assert.ok(checker.isComplete);
          assert.equal(events, ['end', 'close clean']);
        }
      },
    },
    {
      name: 'a client that ends its side behind its last byte still gets every echo, then the end',
      async run(context) {
        for (const allowHalfOpen of [false, true]) {
          const server = await EchoServer.listen(context, PLAN, {
            allowHalfOpen,
            end: (connection) => void (allowHalfOpen && connection.end()),
          });
          await using peer = await client(server, 'half-close', { plan: PLAN, inFlight: 300 });
          await peer.success();
          const { checker, events } = await server.gone(0);
          assert.is(checker.wrong, undefined);
          assert.ok(checker.isComplete);
          assert.equal(events, ['end', 'close clean']);
        }
      },
    },
    {
      name: 'a client that resets in the middle of a frame is a RESET, never an end',
      async run(context) {
        const server = await EchoServer.listen(context, PLAN, { allowHalfOpen: true });
        for (const [index, whole] of [10, 30, 150].entries()) {
          // With four in flight it has echoes by then: the reset cannot come before the accept.
          const options = { plan: PLAN, inFlight: 4, afterBytes: wireBytes(PLAN, whole) + 1 };
          await using peer = await client(server, 'reset', options);
          await peer.success();
          const { checker, events, connection } = await server.gone(index);
          assert.is(checker.wrong, undefined);
          assert.ok(checker.count > 0 && checker.count <= whole, `${checker.count} of ${whole}`);
          const code = quirks.hidesResets ? connection.error?.code : 'RESET';
          assert.ok(code === 'RESET' || code === 'FRAME_TRUNCATED', code);
          assert.equal(events.slice(-2), [`error ${code}`, `close ${code}`]);
          if (!quirks.hidesResets) assert.is(events.length, 2);
        }
      },
    },
    {
      name: 'a client that reads nothing is held back alone, and gets everything later',
      async run(context) {
        const server = await EchoServer.listen(context, ENDLESS, { highWaterMarkBytes: MARK });
        const other = await EchoServer.listen(context, PLAN);
        const options = { plan: ENDLESS, bufferBytes: 65_536 };
        await using lazy = await client(server, 'stop-reading', options);
        await lazy.line(/^blocked$/);
        const seen = server.seen[0] as Seen;
        const heard = seen.checker.count;
        const { queuedBytes } = seen.connection;
        // Above the mark by what the last turn had taken in.
        assert.ok(queuedBytes > 0 && queuedBytes < 16 * MARK, `${queuedBytes} queued`);
        await using busy = await client(other, 'echo', { plan: PLAN });
        await busy.success();
        assert.is(seen.checker.count, heard, 'nothing is taken from it meanwhile');
        await lazy.openGate();
        const { messages, bytesSent, bytesReceived, blocked } = await lazy.success();
        assert.ok(blocked && messages > heard);
        assert.is(bytesReceived, bytesSent);
        await server.gone(0);
        assert.is(seen.checker.wrong, undefined);
        assert.is(seen.checker.count, messages);
        assert.equal(seen.events, ['end', 'close clean']);
      },
    },
    {
      name: 'a client that sends byte by byte',
      async run(context) {
        const server = await EchoServer.listen(context, SHORT);
        await using peer = await client(server, 'echo', {
          plan: SHORT,
          chunkBytes: 1,
          pauseEvery: 16,
        });
        await peer.success();
        const { checker, events } = await server.gone(0);
        assert.is(checker.wrong, undefined);
        assert.equal(events, ['end', 'close clean']);
      },
    },
    {
      name: 'a client that closes early: at once, behind a frame, inside one',
      async run(context) {
        const server = await EchoServer.listen(context, PLAN);
        const early = async (afterBytes: number) => {
          const index = server.seen.length;
          await using peer = await client(server, 'early-close', { plan: PLAN, afterBytes });
          await peer.success();
          const { checker, events } = await server.gone(index);
          assert.is(checker.wrong, undefined);
          return { count: checker.count, events, last: events.at(-1) as string };
        };
        assert.equal((await early(0)).events, ['end', 'close clean']);
        // What the client had not read makes a reset of its close; which of both, is a race.
        const behind = await early(wireBytes(PLAN, 40));
        if (behind.last === 'close clean') assert.is(behind.count, 40);
        else assert.match(behind.last, /RESET|BROKEN_PIPE/);
        const inside = await early(wireBytes(PLAN, 40) + 1);
        assert.match(inside.last, /RESET|BROKEN_PIPE|FRAME_TRUNCATED/);
        assert.ok(inside.count <= 40);
      },
    },
    {
      name: 'bytes that are no frame end their own connection: echoes first, then the end',
      async run(context) {
        const plan = { ...SHORT, sizeBytes: [2, 4000] } as const;
        const server = await EchoServer.listen(context, plan, { framing: peerFraming(4096) });
        await using bystander = await client(server, 'echo', {
          plan,
          inFlight: 1,
          chunkBytes: 64,
          pauseEvery: 2,
        });
        await until('the bystander', () => server.seen[0]?.checker.count === 1);
        const codes = {
          short: 'FRAME_MALFORMED',
          noise: 'FRAME_MALFORMED',
          huge: 'FRAME_TOO_LONG',
          truncated: 'FRAME_TRUNCATED',
        } as const;
        for (const garbage of ['short', 'huge', 'noise', 'truncated'] as const) {
          const index = server.seen.length;
          await using peer = await client(server, 'garbage', { plan, garbage });
          const { bytesReceived } = await peer.success();
          assert.is(bytesReceived, wireBytes(plan), garbage);
          const { checker, events } = await server.gone(index);
          assert.is(checker.wrong, undefined);
          assert.ok(checker.isComplete);
          const code = codes[garbage];
          assert.equal(
            events.filter((each) => each !== 'end'),
            [`error ${code}`, `close ${code}`],
          );
        }
        await bystander.success();
      },
    },
    {
      name: 'a client that says nothing is sent away in time',
      async run(context) {
        const silent: PeerOptions = { plan: { ...SHORT, messages: 0 }, end: 'any' };
        for (const limit of [{ idleTimeoutMs: 60 }, { firstMessageTimeoutMs: 60 }]) {
          const server = await EchoServer.listen(context, SHORT, limit);
          await using peer = await client(server, 'listen', silent);
          await peer.success();
          const { events } = await server.gone(0);
          assert.is(events.at(-1), 'close TIMED_OUT');
        }
      },
    },
    {
      name: 'an abort of ours is a reset to the client',
      async run(context) {
        const server = await EchoServer.listen(context, PLAN, {
          message(connection) {
            if (server.seen[0]?.checker.count === 50) connection.abort();
          },
        });
        await using peer = await client(server, 'echo', { plan: PLAN, end: 'reset' });
        await peer.success();
        const { events } = await server.gone(0);
        assert.is(events.at(-1), 'close ABORTED');
        assert.not(events.includes('end'));
      },
    },
    {
      name: 'a close of ours brings everything that was sent before it, then the end',
      async run(context) {
        const server = await EchoServer.listen(context, LARGE, {
          maxQueuedBytes: 2 ** 23,
          open(connection) {
            for (let number = 0; number < LARGE.messages; number += 1) {
              connection.send(message(LARGE, number));
            }
            void connection.close();
          },
        });
        await using peer = await client(server, 'listen', { plan: LARGE, chunkBytes: 3000 });
        await peer.success();
        const { events, connection } = await server.gone(0);
        assert.is(events.at(-1), 'close clean');
        assert.is(connection.statistics().bytesSent, wireBytes(LARGE));
      },
    },
    {
      name: 'clients that come and go in every way at once leave nothing',
      async run(context) {
        const server = await EchoServer.listen(context, PLAN);
        const ways: readonly (readonly [ClientBehaviour, PeerOptions])[] = [
          ['echo', {}],
          ['half-close', {}],
          ['reset', { inFlight: 4, afterBytes: 100_000 }],
          ['early-close', { afterBytes: 100_000 }],
          ['garbage', { garbage: 'short' }],
          ['echo', { chunkBytes: 777, inFlight: 1 }],
        ];
        await Promise.all(
          ways.map(async ([behaviour, options]) => {
            await using peer = await client(server, behaviour, { plan: PLAN, ...options });
            await peer.success();
          }),
        );
        await until('all gone', () => server.seen.length === 6 && server.server.connections === 0);
        await pass();
        const { operationsInFlight } = context.server.statistics();
        // The listener's accept.
        assert.ok(operationsInFlight <= 1, `${operationsInFlight} in flight`);
      },
    },
  ];
}
