/**
 * Connections that the listening thread accepts and gives to workers with ports
 * of their own: where the system does not spread them.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connect } from '../../../src/client.ts';
import type { Connection } from '../../../src/connection.ts';
import { OverlappedError } from '../../../src/errors.ts';
import { chooseSpreadingBackend } from '../../../src/registry.ts';
import { listen } from '../../../src/server.ts';
import type { WorkerListenOptions } from '../../../src/types.ts';
import { rejection, rejectsWith, until } from '../pool/pools.ts';
import { Word } from './io-handlers.worker.ts';
import { assertReset, type Bench, FRAMING, HANDLERS, textOf, withServer } from './servers.ts';

const backend = 'iocp';
const isHere = await chooseSpreadingBackend({ name: backend, options: {} }, new Map()).then(
  ({ handsOver }) => handsOver,
  () => false,
);

/** A connection that nobody asks anything. */
const silent = (port: number) => connect({ port, framing: FRAMING, backend });

/** The code of what ended it, '' if nothing did. */
async function endOf(connection: Connection): Promise<string> {
  await connection.closed;
  return connection.error?.code ?? '';
}

async function connectionsOf({ server }: Bench): Promise<(number | undefined)[]> {
  const { workers } = await server.statistics();
  return workers.map(({ connections }) => connections);
}

/** As `until`, of what has to be asked. */
async function untilSo(holds: () => Promise<boolean>): Promise<void> {
  let so = false;
  for (let looks = 0; !so; looks++) {
    if (looks > 2000) throw new Error(`not within ${looks} looks: ${holds}`);
    so = await holds();
    if (!so) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function pinned(
  options: Partial<WorkerListenOptions>,
  work: (bench: Bench) => Promise<void>,
  expected: Parameters<typeof withServer>[2] = {},
): Promise<void> {
  return withServer({ backend, ...options }, work, expected, backend);
}

test('a backend that cannot be pinned on Windows names those that can', async () => {
  if (process.platform !== 'win32') return;
  for (const other of ['net', 'Bun' in globalThis ? 'bun' : 'net'] as const) {
    const error = (await rejection(
      listen({ workers: 1, handlers: HANDLERS, backend: other }),
    )) as OverlappedError;
    assert.instance(error, OverlappedError);
    assert.is(error.code, 'NOT_SUPPORTED');
    assert.match(error.message, "backend: 'iocp'");
    assert.match(error.message, "scheduling: 'shared'");
  }
});

if (isHere) {
  test('on Windows it is what `auto` takes', () =>
    pinned({ backend: 'auto' }, async ({ server }) => {
      assert.is(server.backend.name, backend);
    }));

  test('a hundred connections over four workers: each has 25', () =>
    pinned({ workers: 4 }, async (bench) => {
      const clients = await Promise.all(Array.from({ length: 100 }, () => bench.client()));
      assert.equal(await connectionsOf(bench), [25, 25, 25, 25]);
      const counts = [0, 0, 0, 0];
      for (const { worker } of clients) counts[worker] = (counts[worker] as number) + 1;
      assert.equal(counts, [25, 25, 25, 25]);
      assert.is((await bench.server.statistics()).port.rejected, 0);
      // Whoever has the fewest gets the next ones.
      const ofOne = clients.filter(({ worker }) => worker === 1);
      await Promise.all(ofOne.slice(0, 10).map((client) => client.close()));
      await untilSo(async () => (await connectionsOf(bench))[1] === 15);
      for (let i = 0; i < 10; i++) assert.is((await bench.client()).worker, 1);
    }));

  test('addresses are those of the socket', () =>
    pinned({}, async ({ server, client }) => {
      const one = await client();
      const [remote, local] = JSON.parse(await one.ask('peer'));
      assert.equal(local, server.address);
      assert.is(remote.address, '127.0.0.1');
      assert.is.not(remote.port, server.address.port);
    }));

  test('with maxListenerConnections the others wait, and come in as some go', () =>
    pinned({ workers: 2, maxListenerConnections: 2 }, async (bench) => {
      const { server, client } = bench;
      const first = [await client(), await client(), await client(), await client()];
      assert.equal(await connectionsOf(bench), [2, 2]);
      // More than the accepts that are pending: some wait in the system's queue.
      const waiting: Connection[] = [];
      const answers: string[] = [];
      for (let i = 0; i < 40; i++) {
        const { port } = server.address;
        const message = (one: Connection, bytes: Uint8Array) => {
          answers.push(textOf(bytes));
          void one.close();
        };
        waiting.push(await connect({ port, framing: FRAMING, backend, message }));
        waiting.at(-1)?.send('let in');
      }
      assert.equal(answers, []);
      assert.equal(await connectionsOf(bench), [2, 2]);
      assert.is((await server.statistics()).accepted, 4);
      await first[0]?.close();
      await until(() => answers.length === 40);
      assert.is((await server.statistics()).accepted, 44);
      assert.is((await server.statistics()).port.rejected, 0);
      assert.equal(new Set(answers), new Set(['let in']));
    }));

  test('with maxConnections the others are turned away, and nobody else is harmed', () =>
    // A listener takes one of them.
    pinned({ workers: 2, maxConnections: 4 }, async (bench) => {
      const { server, client } = bench;
      const inside = await Promise.all(Array.from({ length: 6 }, () => client()));
      assert.equal(await connectionsOf(bench), [3, 3]);
      const outside = await Promise.all(
        Array.from({ length: 5 }, () => silent(server.address.port).catch(() => undefined)),
      );
      for (const one of outside) if (one !== undefined) await endOf(one);
      await untilSo(async () => (await server.statistics()).port.rejected === 5);
      for (const one of inside) assert.is(await one.ask('still here'), 'still here');
      await inside[0]?.close();
      await untilSo(async () => (await server.statistics()).connections === 5);
      assert.is(await (await client()).ask('in'), 'in');
    }));

  for (const restart of [false, true]) {
    test(`what is on its way to a worker that dies is reset (restart: ${restart})`, () =>
      pinned({ workers: 2, restart }, async (bench) => {
        const { server, words, deaths, clientOfEach } = bench;
        const [first, second] = await clientOfEach();
        assert.ok(first && second);
        second.send('hold');
        await until(() => Atomics.load(words, Word.entered) === 1);
        const on = await Promise.all(Array.from({ length: 20 }, () => silent(server.address.port)));
        const ends = on.map((one) => endOf(one));
        // The first worker opens its own; nobody opens those of the second.
        await until(() => Atomics.load(words, Word.opened) >= 12);
        Atomics.store(words, Word.gate, 1);
        await until(() => deaths.length === 1);
        assertReset(await second.ended());
        let ended = 0;
        for (const end of ends) void end.then(() => ended++);
        await until(() => ended === 10);
        assert.is(await first.ask('still here'), 'still here');
        const survivors = on.filter(({ error }) => error === undefined);
        assert.is(survivors.length, 10);
        if (restart) {
          await until(() => server.workers === 2);
          const again = await bench.client();
          assert.is(again.worker, 1, 'it has the fewest');
          assert.is(await again.ask('back'), 'back');
        } else assert.is((await bench.client()).worker, 0);
        for (const one of survivors) await one.close();
      }));
  }

  test('what is on its way to a worker that has to be terminated is reset', () =>
    pinned(
      { workers: 2 },
      async ({ server, words, clientOfEach }) => {
        const [, second] = await clientOfEach();
        second?.send('forever');
        await until(() => Atomics.load(words, Word.entered) === 1);
        const on = await Promise.all(Array.from({ length: 20 }, () => silent(server.address.port)));
        const ends = on.map((one) => endOf(one));
        const left = await server.close({ timeoutMs: 500 });
        assert.is(left.terminated, 1);
        await Promise.all(ends);
      },
      { terminated: 1 },
    ));

  test('with nobody left the address is free; with one to come they wait for it', async () => {
    await pinned({ workers: 1 }, async ({ server, deaths, client }) => {
      const one = await client();
      one.send('throw away');
      assertReset(await one.ended());
      await until(() => deaths.length === 1);
      await rejectsWith(silent(server.address.port), 'REFUSED');
    });
    await pinned({ workers: 1, restart: true }, async ({ deaths, client }) => {
      const one = await client();
      one.send('throw away');
      assertReset(await one.ended());
      await until(() => deaths.length === 1);
      assert.is(await (await client()).ask('patient'), 'patient');
    });
  });

  test('the address is taken; another one is free', async () => {
    await pinned({}, async ({ server }) => {
      const { port } = server.address;
      const again = { workers: 1, handlers: HANDLERS, framing: FRAMING, backend, port } as const;
      await rejectsWith(listen(again), 'ADDRESS_IN_USE');
    });
  });
}

test.run();
