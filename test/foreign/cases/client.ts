/** Our client and the foreign server. */
import * as assert from 'uvu/assert';
import { until, within } from '../../conformance/context.ts';
import type { Case } from '../../conformance/suite.ts';
import { type FramePlan, message, wireBytes } from '../../peer/frames.ts';
import { Peer, type PeerOptions, type ServerBehaviour } from '../../peer/process.ts';
import { EchoClient } from '../echo-client.ts';
import type { Quirks } from '../suite.ts';

const PLAN: FramePlan = { messages: 300, sizeBytes: [2, 9000], seed: 11 };
const SHORT: FramePlan = { messages: 40, sizeBytes: [2, 60], seed: 13 };
const LARGE: FramePlan = { messages: 500, sizeBytes: [20_000, 40_000], seed: 17 };
const MARK = 256 * 1024;
const LARGEST_FRAME = 40_000;

export function againstServers(program: string, quirks: Quirks): readonly Case[] {
  const server = (behaviour: ServerBehaviour, options: PeerOptions) =>
    Peer.start(program, 'server', { host: '127.0.0.1', port: 0 }, behaviour, options);

  return [
    {
      name: 'a server echoes everything, whole and in order, to several connections at once',
      async run(context) {
        await using peer = await server('echo', { plan: PLAN, connections: 3 });
        const place = await peer.listening();
        const work = Array.from({ length: 3 }, async () => {
          const client = await EchoClient.connect(context, place, PLAN, { receiveDepth: 20 });
          await client.send();
          await within('all echoes', client.complete);
          await within('close', client.connection.close());
          const { checker, events } = client.seen;
          assert.is(checker.wrong, undefined);
          assert.is(events.at(-1), 'close clean');
        });
        await Promise.all(work);
        const { bytesReceived, clean } = await peer.success();
        assert.is(bytesReceived, 3 * wireBytes(PLAN));
        assert.is(clean, 3);
      },
    },
    {
      name: 'a server that resets is a RESET, never an end',
      async run(context) {
        for (const whole of [0, 1, 60]) {
          const afterBytes = wireBytes(PLAN, whole) + 1;
          await using peer = await server('reset-after', { afterBytes });
          const place = await peer.listening();
          const client = await EchoClient.connect(context, place, PLAN, { allowHalfOpen: true });
          await client.send();
          await client.seen.closed;
          await peer.success();
          const { checker, events } = client.seen;
          assert.is(checker.wrong, undefined);
          assert.ok(checker.count <= whole, `${checker.count} of ${whole}`);
          const code = client.connection.error?.code;
          const codes = ['RESET'];
          if (quirks.sendsBreak) codes.push('BROKEN_PIPE');
          if (quirks.hidesResets) codes.push('FRAME_TRUNCATED');
          assert.ok(codes.includes(code ?? 'none'), code);
          assert.equal(events.slice(-2), [`error ${code}`, `close ${code}`]);
          if (!quirks.hidesResets) assert.is(events.length, 2);
        }
      },
    },
    {
      name: 'a reset behind whole frames is a RESET too, to one who only waits for them',
      needs: () => !quirks.hidesResets,
      async run(context) {
        const sizeBytes = wireBytes(SHORT);
        for (const allowHalfOpen of [true, false]) {
          for (const whole of [1, 10, SHORT.messages]) {
            const options = { afterBytes: wireBytes(SHORT, whole), chunkBytes: sizeBytes };
            await using peer = await server('reset-after', options);
            const place = await peer.listening();
            const client = await EchoClient.connect(context, place, SHORT, { allowHalfOpen });
            await client.send();
            await client.seen.closed;
            await peer.success();
            const { checker, events } = client.seen;
            assert.is(checker.wrong, undefined);
            assert.equal(events, ['error RESET', 'close RESET']);
          }
        }
      },
    },
    {
      name: 'a server that closes behind its last echo is an end behind that',
      async run(context) {
        await using peer = await server('close-after', { plan: PLAN, afterBytes: wireBytes(PLAN) });
        const client = await EchoClient.connect(context, await peer.listening(), PLAN);
        await client.send();
        await client.seen.closed;
        await peer.success();
        const { checker, events } = client.seen;
        assert.is(checker.wrong, undefined);
        assert.ok(checker.isComplete);
        assert.equal(events, ['end', 'close clean']);
      },
    },
    {
      name: 'a server that ends its side first still hears the rest',
      async run(context) {
        const echoed = 50;
        const afterBytes = wireBytes(PLAN, echoed);
        await using peer = await server('half-close-first', { plan: PLAN, afterBytes });
        const place = await peer.listening();
        const client = await EchoClient.connect(context, place, PLAN, { allowHalfOpen: true });
        await client.send(0, echoed);
        await until('the end of the server', () => client.seen.events.length > 0);
        assert.equal(client.seen.events, ['end']);
        assert.is(client.connection.receiveConnected, false);
        assert.is(client.connection.sendConnected, true);
        await client.send(echoed);
        client.connection.end();
        await client.seen.closed;
        const { messages } = await peer.success();
        assert.is(messages, PLAN.messages);
        assert.is(client.seen.checker.wrong, undefined);
        assert.is(client.seen.checker.count, echoed);
        assert.equal(client.seen.events, ['end', 'close clean']);
      },
    },
    {
      name: 'a server that reads nothing holds its sender back, and nobody else',
      async run(context) {
        await using lazy = await server('never-read', { plan: LARGE, bufferBytes: 65_536 });
        await using busy = await server('echo', { plan: PLAN });
        const options = { highWaterMarkBytes: MARK };
        const held = await EchoClient.connect(context, await lazy.listening(), LARGE, options);
        let sent = 0;
        while (held.connection.send(message(LARGE, sent))) sent += 1;
        // More fits while the system's own buffers grow; then it stays above the mark.
        const sending = held.send(sent + 1);
        const other = await EchoClient.connect(context, await busy.listening(), PLAN);
        await other.send();
        await within('all echoes of the other', other.complete);
        await within('its close', other.connection.close());
        await busy.success();
        assert.is(other.seen.checker.wrong, undefined);
        assert.is(held.seen.checker.count, 0);
        const { queuedBytes } = held.connection;
        assert.ok(queuedBytes > 0 && queuedBytes <= MARK + LARGEST_FRAME, `${queuedBytes} queued`);
        await lazy.openGate();
        await within('all sent', sending);
        await within('all echoes', held.complete);
        assert.is(held.seen.checker.wrong, undefined);
        await within('close', held.connection.close());
        assert.is(held.connection.error, undefined);
        await lazy.success();
      },
    },
    {
      name: 'a server that answers in pieces of seven bytes',
      async run(context) {
        await using peer = await server('echo', { plan: SHORT, chunkBytes: 7, pauseEvery: 16 });
        const client = await EchoClient.connect(context, await peer.listening(), SHORT);
        await client.send();
        client.connection.end();
        await client.seen.closed;
        await peer.success();
        assert.is(client.seen.checker.wrong, undefined);
        assert.ok(client.seen.checker.isComplete);
        assert.equal(client.seen.events, ['end', 'close clean']);
      },
    },
    {
      name: 'an abort of ours, in the middle of everything, is a reset to the server',
      async run(context) {
        await using peer = await server('echo', { plan: PLAN, end: 'reset' });
        const client = await EchoClient.connect(context, await peer.listening(), PLAN, {
          message(connection) {
            if (client.seen.checker.count === 100) connection.abort();
          },
        });
        await client.send();
        await client.seen.closed;
        await peer.success();
        assert.is(client.seen.checker.wrong, undefined);
        assert.is(client.seen.events.at(-1), 'close ABORTED');
      },
    },
    {
      name: 'a close whose bytes nobody takes becomes an abort, and a reset to the server',
      async run(context) {
        await using peer = await server('never-read', {
          plan: LARGE,
          bufferBytes: 65_536,
          end: 'reset',
        });
        const client = await EchoClient.connect(context, await peer.listening(), LARGE, {
          highWaterMarkBytes: MARK,
          closeTimeoutMs: 50,
        });
        let sent = 0;
        while (client.connection.send(message(LARGE, sent))) sent += 1;
        // Past what the system takes by itself.
        const sending = client.send(sent + 1);
        await until('a queue that stays', () => client.connection.queuedBytes >= MARK);
        await within('close', client.connection.close());
        await sending.catch(() => {});
        assert.is.not(client.connection.error, undefined);
        await peer.openGate();
        const { messages } = await peer.success();
        assert.ok(messages < LARGE.messages);
      },
    },
  ];
}
