/** Records and memory over a port's life: many connections, time limits, ends with everything in flight. */
import * as assert from 'uvu/assert';
import { type Connection, connect, lengthField } from '../../../src/index.ts';
import { noise, pass, Signal, text, thrownCode, until, within } from '../context.ts';
import type { Case } from '../suite.ts';

const FRAMING = lengthField({ size: 4, maxFrameBytes: 2 ** 20 });

export const lifetime: readonly Case[] = [
  {
    name: 'a thousand connections come and go, and every record returns',
    async run(context) {
      const BATCHES = 10;
      const BATCH = 100;
      const server = await context.listen({
        framing: FRAMING,
        message: (accepted, bytes) => void accepted.send(bytes),
      });
      let answers = 0;
      for (let batch = 0; batch < BATCHES; batch += 1) {
        await Promise.all(
          Array.from({ length: BATCH }, async () => {
            const connection = await context.connect(server, {
              framing: FRAMING,
              message(each) {
                answers += 1;
                void each.close();
              },
            });
            connection.send('hello');
            await within('close', connection.closed);
            assert.is(connection.error, undefined);
          }),
        );
      }
      assert.is(answers, BATCHES * BATCH);
      await until('the server’s side', () => server.connections === 0);
      assert.is(context.server.statistics().connections, 1, 'the listener');
      assert.is(context.client.statistics().connections, 0);
      assert.is(context.client.statistics().connected, BATCHES * BATCH);
      assert.is(context.client.statistics().operationsInFlight, 0);
      // A simulator may hold some back for a while.
      await until('all buffers', () => context.client.statistics().buffersInUse === 0);
    },
  },
  {
    name: 'an old connection never reaches the one that took its place',
    async run(context) {
      const heard: string[] = [];
      const server = await context.listen({
        framing: FRAMING,
        message: (_, bytes) => void heard.push(text(bytes)),
      });
      const ids = new Set<number>();
      const old: Connection[] = [];
      for (let round = 0; round < 20; round += 1) {
        const connection = await context.connect(server, { framing: FRAMING });
        assert.not(ids.has(connection.id));
        const { remoteAddress } = connection;
        ids.add(connection.id);
        for (const each of old) {
          assert.is(
            thrownCode(() => each.send('from the past')),
            'CLOSED',
          );
          each.abort();
          each.end();
          each.pause();
          each.resume();
          await each.close();
          assert.equal(each.remoteAddress, remoteAddress);
        }
        connection.send(`${round}`);
        await within('close', connection.close());
        assert.is(connection.error, undefined);
        old.push(connection);
      }
      await until('all heard', () => heard.length === 20);
      assert.equal(
        heard,
        Array.from({ length: 20 }, (_, round) => `${round}`),
      );
    },
  },
  {
    name: 'an idle connection ends with TIMED_OUT, a busy one does not',
    async run(context) {
      const ends: string[] = [];
      const server = await context.listen({
        framing: FRAMING,
        // Far above what a loaded machine may keep the busy one waiting.
        idleTimeoutMs: 1000,
        message: (accepted, bytes) => void accepted.send(bytes),
        close: (connection, error) => {
          ends.push(`${connection.data ?? ''}${error?.code ?? 'clean'}`);
        },
      });
      const idle = await context.connect(server, { framing: FRAMING, message: () => {} });
      let turns = 0;
      const busy = await context.connect(server, {
        framing: FRAMING,
        message(connection, bytes) {
          turns += 1;
          // Without a pause of the host's: a simulated second may pass in one.
          if (!idle.sendConnected && turns > 3) void connection.close();
          else connection.send(bytes);
        },
      });
      busy.send('ping');
      await within('both ends', Promise.all([idle.closed, busy.closed]));
      await until('the server’s side', () => ends.length === 2);
      assert.equal(ends.sort(), ['TIMED_OUT', 'clean']);
      assert.is(context.server.statistics().timeouts, 1);
    },
  },
  {
    name: 'without a whole first message in time a connection ends with TIMED_OUT',
    async run(context) {
      const ends: string[] = [];
      const server = await context.listen({
        framing: FRAMING,
        // Far above what a loaded machine may keep the one that speaks waiting.
        firstMessageTimeoutMs: 600,
        message: (accepted) => {
          accepted.data = 'spoke';
        },
        close: ({ data }, error) => void ends.push(`${data}: ${error?.code ?? 'clean'}`),
      });
      const spoke = await context.connect(server, { framing: FRAMING, message: () => {} });
      spoke.send('hello');
      await until('the message', () => [...server.openConnections()].some(({ data }) => data));
      const silent = await context.connect(server, { message: () => {} });
      silent.send(Uint8Array.of(0, 0, 0));
      await within('the end of the silent one', silent.closed);
      await until('its server’s side', () => ends.length === 1);
      assert.equal(ends, ['undefined: TIMED_OUT']);
      assert.is(spoke.sendConnected, true);
    },
  },
  {
    name: 'ports close with everything in flight, and nothing is left',
    survivesBreaks: true,
    async run(context) {
      const framing = FRAMING;
      let opened = 0;
      const server = await context.listen({
        framing,
        receiveDepth: 8,
        closeTimeoutMs: 50,
        open(accepted) {
          opened += 1;
          // Some do not read, some send without being asked.
          if (opened % 3 === 0) accepted.pause();
          else accepted.send(noise(40_000, opened));
        },
        message(accepted, bytes) {
          thrownCode(() => accepted.send(bytes));
        },
      });
      const connections = await Promise.all(
        Array.from({ length: 24 }, () =>
          context.connect(server, { framing, closeTimeoutMs: 50, message: () => {} }),
        ),
      );
      for (const [index, connection] of connections.entries()) {
        // Where connections break some are over already.
        thrownCode(() => {
          for (let count = 0; count < 4; count += 1) connection.send(noise(100_000, index));
        });
      }
      // Connects under way, closes and aborts under way.
      const place = context.reach(server);
      const late = Array.from({ length: 8 }, () => connect({ ...place, on: context.client }));
      for (const each of late) each.catch(() => {});
      connections[0]?.abort();
      void connections[1]?.close();
      connections[2]?.end();
      await pass();
      const left = await within(
        'closing the ports',
        Promise.all([context.server.close(), context.client.close()]),
      );
      for (const each of left) {
        assert.equal(each, { operations: 0, handles: 0, lent: 0, buffers: 0, connections: 0 });
      }
      assert.is(server.connections, 0);
      for (const connection of connections) {
        assert.is(
          thrownCode(() => connection.send('late')),
          'CLOSED',
        );
      }
    },
  },
  {
    name: 'a port that is full refuses and goes on',
    async run(context) {
      const server = await context.listen({ framing: FRAMING, message: () => {} });
      const closed = new Signal();
      const connections: Connection[] = [];
      let code = 'nothing';
      // The client's port holds 512.
      for (let round = 0; round < 10 && code === 'nothing'; round += 1) {
        const made = await Promise.allSettled(
          Array.from({ length: 60 }, () => context.connect(server, { framing: FRAMING })),
        );
        for (const each of made) {
          if (each.status === 'fulfilled') connections.push(each.value);
          else code = (each.reason as { code: string }).code;
        }
      }
      assert.is(code, 'NO_BUFFERS');
      assert.ok(connections.length <= 512);
      await within('one gone', (connections[0] as Connection).close());
      const again = await context.connect(server, { framing: FRAMING });
      assert.is(again.sendConnected, true);
      closed.resolve();
    },
  },
];
