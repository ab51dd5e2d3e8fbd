/** One port for all workers: order, one at a time, calls from other threads, deaths, endings. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sim } from '../../../backends/sim/index.ts';
import { connect } from '../../../src/client.ts';
import type { OverlappedError } from '../../../src/errors.ts';
import { chooseBackend } from '../../../src/registry.ts';
import { listen } from '../../../src/server.ts';
import type { WorkerListenOptions } from '../../../src/types.ts';
import type { WorkerLeftovers } from '../../../src/workers/io/worker-server.ts';
import { rejection, rejectsWith, until } from '../pool/pools.ts';
import { Word } from './io-handlers.worker.ts';
import {
  assertReset,
  type Bench,
  bytesOf,
  FRAMING,
  HANDLERS,
  NOTHING_LEFT,
  settled,
  untilAllWorked,
  withOneStale,
  withServer,
} from './servers.ts';

interface Variant {
  readonly name: string;
  /** Made anew for each test: a simulated network is one world. */
  make(): { readonly backend: NonNullable<WorkerListenOptions['backend']>; readonly own: boolean };
}

const variants: Variant[] = [
  { name: 'sim', make: () => ({ backend: sim({ receiveDepth: 20 }), own: true }) },
  { name: 'sim, selecting', make: () => ({ backend: sim({ selectsBuffers: true }), own: true }) },
];
for (const backend of ['net', 'bun', 'uring', 'iocp'] as const) {
  const runs = await chooseBackend(backend).then(
    () => true,
    () => false,
  );
  if (runs) variants.push({ name: backend, make: () => ({ backend, own: false }) });
}

const shared = {
  scheduling: 'shared',
  stateBytes: 16,
  receiveDepth: 20,
  receiveBuffers: 512,
} as const;

function withShared(
  variant: Variant,
  options: Partial<WorkerListenOptions>,
  work: (bench: Bench) => Promise<void>,
  expected: Partial<WorkerLeftovers> = {},
): Promise<void> {
  const { backend, own } = variant.make();
  const all = { ...shared, backend, ...options };
  return withServer(all, work, expected, own ? backend : 'net');
}

test('options', async () => {
  const always = {
    workers: 1,
    handlers: HANDLERS,
    framing: FRAMING,
    scheduling: 'shared',
  } as const;
  const bad: Record<string, unknown>[] = [
    { lock: 'none' },
    { lock: { stripes: 0 } },
    { lock: {} },
    { lock: null },
    { stateBytes: -1 },
    { stateBytes: 2 ** 17 },
    { driver: 'blocking' },
    { scheduling: 'pinned', lock: 'all' },
  ];
  for (const options of bad) {
    await rejectsWith(
      listen({ ...always, ...options } as unknown as WorkerListenOptions),
      'INVALID_OPTION',
    );
  }
});

for (const variant of variants) {
  const { name } = variant;

  for (const lock of ['socket', { stripes: 3 }, 'all'] as const) {
    test(`${name}: in order and one at a time, whoever handles it (lock ${JSON.stringify(lock)})`, () =>
      withShared(variant, { workers: 3, lock }, async (bench) => {
        const { words, client, server } = bench;
        const clients = await Promise.all(Array.from({ length: 12 }, client));
        const messages = 60;
        await Promise.all(
          clients.map(async (each) => {
            for (let i = 0; i < messages; i++) each.send(`seq ${i}`);
            for (let i = 0; i < messages; i++) assert.is(await each.next(), `seq ${i}`);
          }),
        );
        assert.is(Atomics.load(words, Word.disorder), 0);
        assert.is(Atomics.load(words, Word.overlaps), 0);
        await untilAllWorked(bench, 3);
        const { accepted, connections, port } = await server.statistics();
        assert.is(accepted, Atomics.load(words, Word.opened));
        assert.is(connections, accepted);
        assert.is(port.staleCompletions, 0);
      }));
  }

  test(`${name}: work that goes on after a handler, in whichever worker`, () =>
    withShared(variant, {}, async ({ client }) => {
      const clients = await Promise.all(Array.from({ length: 4 }, client));
      for (const each of clients) {
        for (let i = 0; i < 5; i++) assert.is(await each.ask(`later ${i}`), `later ${i}`);
      }
    }));

  test(`${name}: what workers send to a connection that another one has`, () =>
    withShared(variant, { workers: 3 }, async ({ client, words }) => {
      const clients = await Promise.all([client(), client()]);
      const [talks, times, messages] = [9, 150, 300];
      await Promise.all(
        clients.map(async (each) => {
          for (let i = 0; i < talks; i++) each.send(`chatter ${i} ${times}`);
          for (let i = 0; i < messages; i++) {
            each.send(`seq ${i}`);
            if (i % 10 === 0) await sleep(1);
          }
          const next = new Map<string, number>();
          for (let i = 0; i < talks * times + messages; i++) {
            const text = await each.next();
            const [, talk, number] = /^(chat \d+|seq) (\d+)$/.exec(text) ?? [];
            assert.ok(talk, text);
            assert.is(Number(number), next.get(talk) ?? 0, talk);
            next.set(talk, Number(number) + 1);
          }
        }),
      );
      assert.is(Atomics.load(words, Word.disorder), 0);
      assert.is(Atomics.load(words, Word.overlaps), 0);
    }));

  test(`${name}: what is said of a connection`, () =>
    withShared(variant, {}, async ({ client, server }) => {
      const each = await client();
      const [remote, local] = JSON.parse(await each.ask('peer'));
      assert.is(local.port, server.address.port);
      assert.is(remote.family, server.address.family);
      assert.equal(JSON.parse(await each.ask('facts')), [true, true, 0]);
    }));

  test(`${name}: more than is welcome waits for drained`, () =>
    // Not to wait would be noticed: more cannot be queued.
    withShared(variant, { highWaterMarkBytes: 4096, maxQueuedBytes: 16_384 }, async (bench) => {
      const each = await bench.client();
      each.send('flood 50 3000');
      for (let i = 0; i < 50; i++) assert.is((await each.next()).length, 3000);
      assert.is(await each.next(), 'flooded');
    }));

  test(`${name}: who awaits the end hears of it, whichever worker sees it`, () =>
    withShared(variant, { workers: 3 }, async ({ server, client, words }) => {
      const clients = await Promise.all(Array.from({ length: 9 }, client));
      for (const each of clients) assert.is(await each.ask('await'), 'awaiting');
      // By now it is anybody's.
      await settled(server);
      for (const each of clients) each.send('end');
      await Promise.all(clients.map((each) => each.ended()));
      await until(() => Atomics.load(words, Word.awaited) === clients.length);
    }));

  test(`${name}: time limits`, () =>
    withShared(
      variant,
      { idleTimeoutMs: 1500, closeTimeoutMs: 1500 },
      async ({ server, words, clientBackend }) => {
        const to = { port: server.address.port, framing: FRAMING, backend: clientBackend };
        // One after the other: between them nobody has a limit, and nobody looks.
        for (let i = 1; i <= 2; i++) {
          // It asks nothing: virtual time may pass faster than a worker gets to answer.
          const idle = await connect(to);
          await idle.closed;
          assertReset(idle.error?.code ?? '');
          await until(() => Atomics.load(words, Word.closed) === i);
        }
      },
    ));

  test(`${name}: calls from this thread, in their order`, () =>
    withShared(variant, {}, async ({ server, client }) => {
      const clients = await Promise.all([client(), client()]);
      const calls: Promise<void>[] = [];
      for (let i = 0; i < 100; i++) {
        for (const { id } of clients) calls.push(server.connection(id).send(`call ${i}`));
      }
      await Promise.all(calls);
      for (const each of clients) {
        for (let i = 0; i < 100; i++) assert.is(await each.next(), `call ${i}`);
      }
      const [first, second] = clients;
      const remote = server.connection(first.id);
      await remote.pause();
      first.send('held back');
      await server.connection(second.id).send('meanwhile');
      assert.is(await second.next(), 'meanwhile');
      await remote.resume();
      assert.is(await first.next(), 'held back');
      await rejectsWith(remote.send(5 as never), 'INVALID_OPTION');
      await remote.end();
      assert.is(await first.ended(), '');
      await server.connection(second.id).abort();
      assertReset(await second.ended());
      const codeOf = async (id: number) =>
        ((await rejection(server.connection(id).send('gone'))) as OverlappedError).code;
      for (const { id } of clients) {
        while ((await codeOf(id)) === 'CLOSED') await sleep(1);
        assert.is(await codeOf(id), 'STALE_TOKEN');
      }
      await rejectsWith(server.connection(first.id + 2 ** 20).close(), 'STALE_TOKEN');
      assert.throws(() => server.connection(Number.NaN), /STALE_TOKEN/);
    }));

  test(`${name}: calls of a handler on another connection`, () =>
    withShared(variant, {}, async ({ client }) => {
      const [first, second] = await Promise.all([client(), client()]);
      first.send(`tell ${second.id} hello there`);
      assert.is(await second.next(), 'hello there');
      assert.is(await first.next(), 'told');
      assert.is(await first.ask(`tell ${second.id + 2 ** 20} x`), 'not told: STALE_TOKEN');
      first.send(`tell ${first.id} me`);
      assert.equal([await first.next(), await first.next()].sort(), ['me', 'told']);
    }));

  for (const verb of ['throw', 'exit']) {
    test(`${name}: a worker that dies (${verb}) resets what it had, the rest goes on, and it is replaced`, () =>
      withShared(variant, { restart: true }, async (bench) => {
        const { server, deaths, client } = bench;
        const clients = await Promise.all(Array.from({ length: 6 }, client));
        const [first, ...others] = clients;
        // So that its turn has nobody else in its hands.
        await settled(server);
        first?.send(`${verb} it`);
        assertReset((await first?.ended()) as string);
        await until(() => deaths.length === 1);
        assert.is(deaths[0]?.code, 'ABORTED');
        for (const each of others) assert.is(await each.ask('still here'), 'still here');
        await until(() => server.workers === 2 || deaths.length > 1);
        assert.equal(deaths.slice(1), []);
        await untilAllWorked(bench, 2);
        assert.is((await server.statistics()).deaths, 1);
      }));
  }

  test(`${name}: a handler that does not return is seen, others go on, and the end does not wait for it`, () =>
    withShared(
      variant,
      {},
      async ({ server, words, client }) => {
        const [first, second] = await Promise.all([client(), client()]);
        await settled(server);
        second.send('forever');
        await until(() => Atomics.load(words, Word.entered) === 1);
        for (let i = 0; i < 20; i++) assert.is(await first.ask(`others ${i}`), `others ${i}`);
        const { workers } = await withOneStale(server);
        assert.is(workers.filter(({ isStale }) => isStale).length, 1);
        assert.is(workers.filter(({ turnMs }) => turnMs > 0).length, 1);
      },
      { terminated: 1 },
    ));

  test(`${name}: with its last worker a server ends`, () =>
    withShared(variant, { workers: 1 }, async ({ deaths, client, server }) => {
      const [first, second] = await Promise.all([client(), client()]);
      first.send('throw it');
      await until(() => deaths.length === 1);
      assertReset(await second.ended());
      assert.is(server.workers, 0);
    }));

  test(`${name}: an end with connections busy and idle`, () =>
    withShared(variant, {}, async ({ client }) => {
      const clients = await Promise.all(Array.from({ length: 8 }, client));
      for (const busy of clients.slice(0, 4)) for (let i = 0; i < 50; i++) busy.send(`${i}`);
    }));

  test(`${name}: peers that come, talk and go as they like`, () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            messages: fc.integer({ min: 0, max: 12 }),
            sizeBytes: fc.integer({ min: 1, max: 3000 }),
            ending: fc.constantFrom('end', 'close', 'abort'),
          }),
          { minLength: 1, maxLength: 10 },
        ),
        (peers) =>
          withShared(
            variant,
            { workers: 2, receiveBufferBytes: 512 },
            async ({ server, words, clientBackend: backend }) => {
              const { port } = server.address;
              await Promise.all(
                peers.map(async ({ messages, sizeBytes, ending }) => {
                  const connection = await connect({ port, framing: FRAMING, backend });
                  const bytes = bytesOf('x'.repeat(sizeBytes));
                  for (let i = 0; i < messages; i++) connection.send(bytes);
                  if (ending === 'abort') connection.abort();
                  else {
                    const replies = connection[Symbol.asyncIterator]();
                    for (let i = 0; i < messages; i++) {
                      assert.is((await replies.next()).value?.length, sizeBytes);
                    }
                    if (ending === 'end') connection.end();
                    else void connection.close();
                  }
                  await connection.closed;
                }),
              );
              await until(
                () => Atomics.load(words, Word.closed) === Atomics.load(words, Word.opened),
              );
            },
          ),
      ),
      { numRuns: 4 },
    ));

  test(`${name}: a module that cannot be used`, async () => {
    const { backend } = variant.make();
    const always = {
      ...shared,
      workers: 2,
      framing: FRAMING,
      backend,
      arenaBytes: 2 ** 22,
    } as const;
    const handlers = new URL('./there-is-no-such-module.js', HANDLERS);
    await rejectsWith(listen({ ...always, handlers }), 'INVALID_OPTION');
    const workerData = { words: new Int32Array(new SharedArrayBuffer(4096)), failing: 1 };
    await rejectsWith(listen({ ...always, handlers: HANDLERS, workerData }), 'INVALID_OPTION');
    const after = new AbortController();
    const server = await listen({ ...always, handlers: HANDLERS, signal: after.signal });
    after.abort();
    assert.equal(await server.close(), NOTHING_LEFT);
  });
}

test.run();
