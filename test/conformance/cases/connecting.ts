/** How connections come about, or do not. */
import * as assert from 'uvu/assert';
import { connect, lengthField, listen } from '../../../src/index.ts';
import { type Context, codeOf, Signal, until, within } from '../context.ts';
import type { Case } from '../suite.ts';

const FRAMING = lengthField({ size: 4 });

/** A place where nobody listens any more. */
async function abandoned(context: Context) {
  const server = await context.listen();
  const place = context.reach(server);
  await server.close();
  return place;
}

export const connecting: readonly Case[] = [
  {
    name: 'addresses are told on both sides',
    async run(context) {
      const { server, connection, accepted } = await context.pair();
      if (context.capabilities.endpoint === 'path') {
        assert.is(server.address.family, 'path');
        return;
      }
      assert.is(server.address.address, '127.0.0.1');
      assert.is(server.address.family, 'IPv4');
      assert.ok(server.address.port > 0);
      assert.is(connection.remoteAddress?.port, server.address.port);
      assert.equal(connection.localAddress, accepted.remoteAddress);
      const { localAddress } = connection;
      await connection.close();
      assert.equal(connection.localAddress, localAddress, 'known after the end too');
    },
  },
  {
    name: 'IPv6',
    needs: ({ ipv6, endpoint }) => ipv6 && endpoint === 'tcp',
    async run(context) {
      const got = new Signal<number>();
      const { server, connection } = await context.pair(
        {
          host: '::1',
          port: 0,
          framing: FRAMING,
          message: (_, bytes) => got.resolve(bytes.length),
        },
        { framing: FRAMING },
      );
      assert.is(server.address.family, 'IPv6');
      assert.is(server.address.address, '::1');
      connection.send('hello');
      assert.is(await within('a message', got.promise), 5);
    },
  },
  {
    name: 'where nobody listens a connect is refused',
    async run(context) {
      const place = await abandoned(context);
      const code = await codeOf(connect({ ...place, on: context.client }));
      // A path may be gone altogether.
      assert.ok(code === 'REFUSED' || ('path' in place && code === 'UNREACHABLE'), code);
    },
  },
  {
    name: 'a connect that nobody answers times out',
    needs: ({ blackhole }) => blackhole !== undefined,
    async run(context) {
      const host = context.capabilities.blackhole as string;
      const options = { host, port: 1, connectTimeoutMs: 30, on: context.client };
      assert.is(await codeOf(connect(options)), 'TIMED_OUT');
      const theirs = { host, port: 1, connectTimeoutMs: 0, on: context.client };
      assert.is(await codeOf(connect(theirs)), 'TIMED_OUT', 'the system’s own limit');
    },
  },
  {
    name: 'a connect that nobody answers is called off by its signal',
    needs: ({ blackhole }) => blackhole !== undefined,
    async run(context) {
      const controller = new AbortController();
      const connecting = connect({
        host: context.capabilities.blackhole as string,
        port: 1,
        signal: controller.signal,
        on: context.client,
      });
      controller.abort();
      assert.is(await codeOf(connecting), 'CANCELED');
    },
  },
  {
    name: 'a signal calls off a connect, or aborts the connection',
    survivesBreaks: true,
    async run(context) {
      const server = await context.listen({ message: () => {} });
      const place = context.reach(server);
      const before = AbortSignal.abort();
      assert.is(
        await codeOf(connect({ ...place, signal: before, on: context.client })),
        'CANCELED',
      );
      for (let count = 0; count < 20; count += 1) {
        const controller = new AbortController();
        const connecting = connect({ ...place, signal: controller.signal, on: context.client });
        for (let wait = 0; wait < count % 5; wait += 1) await Promise.resolve();
        controller.abort();
        // Success may win the race, and is aborted then.
        const connection = await within('connect', connecting).catch((error: unknown) => {
          assert.is((error as { code: string }).code, 'CANCELED');
        });
        if (connection !== undefined) await within('the abort', connection.closed);
      }
      const controller = new AbortController();
      const { signal } = controller;
      const connection = await within('connect', connect({ ...place, signal, on: context.client }));
      controller.abort();
      await within('the abort', connection.closed);
      assert.ok(['ABORTED', 'RESET'].includes(connection.error?.code ?? 'clean'));
    },
  },
  {
    name: 'a signal closes the server',
    async run(context) {
      const controller = new AbortController();
      const server = await context.listen({ signal: controller.signal });
      const place = context.reach(server);
      controller.abort();
      await within('close', server.close());
      const code = await codeOf(connect({ ...place, on: context.client }));
      assert.ok(code === 'REFUSED' || code === 'UNREACHABLE', code);
    },
  },
  {
    name: 'a place that is taken is ADDRESS_IN_USE, and free again after close',
    async run(context) {
      const server = await context.listen();
      const place = context.reach(server);
      assert.is(await codeOf(listen({ ...place, on: context.client })), 'ADDRESS_IN_USE');
      assert.is(await codeOf(listen({ ...place, on: context.server })), 'ADDRESS_IN_USE');
      await within('close', server.close());
      const again = await within('listen', listen({ ...place, on: context.server }));
      await within('connect', connect({ ...place, on: context.client }));
      await within('close', again.close());
    },
  },
  {
    name: 'connections over the listener’s limit wait for their turn',
    async run(context) {
      const server = await context.listen({
        framing: FRAMING,
        maxListenerConnections: 2,
        message: (accepted, bytes) => void accepted.send(bytes),
      });
      let answers = 0;
      const connections = await Promise.all(
        Array.from({ length: 6 }, async () => {
          const connection = await context.connect(server, {
            framing: FRAMING,
            message(each) {
              answers += 1;
              void each.close();
            },
          });
          connection.send('hello');
          return connection;
        }),
      );
      await within('all served', Promise.all(connections.map(({ closed }) => closed)));
      assert.is(answers, 6);
      await until('all gone', () => server.connections === 0);
      assert.is(server.statistics().accepted, 6);
    },
  },
];
