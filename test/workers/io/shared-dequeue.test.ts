/**
 * Workers that take completions from the system themselves, where the backend
 * lets them: that several do, and what is left when one of them goes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chooseBackend } from '../../../src/registry.ts';
import type { WorkerServerStatistics } from '../../../src/workers/io/statistics.ts';
import { until } from '../pool/pools.ts';
import { Word } from './io-handlers.worker.ts';
import { type Bench, settled, withServer } from './servers.ts';

/** Backends whose packets every thread can take. */
const backends: 'iocp'[] = [];
for (const backend of ['iocp'] as const) {
  const runs = await chooseBackend(backend).then(
    () => true,
    () => false,
  );
  if (runs) backends.push(backend);
}

const SHARED = {
  scheduling: 'shared',
  stateBytes: 16,
  receiveDepth: 20,
  receiveBuffers: 512,
} as const;
const ROUNDS = 60;
/** Only against a worker that never takes any: one processor goes to one worker for long. */
const SHOW_MS = 60_000;

/** Packets that each worker has taken from the system itself. */
function dequeuedBy({ workers }: WorkerServerStatistics): number[] {
  return workers.map(({ port }) => port?.backend.packets ?? 0);
}

/** Every client sends `rounds` messages and has them back in order. */
async function exchange(clients: readonly Client[], rounds: number, from = 0): Promise<void> {
  await Promise.all(
    clients.map(async (each) => {
      for (let i = from; i < from + rounds; i++) each.send(`seq ${i}`);
      for (let i = from; i < from + rounds; i++) assert.is(await each.next(), `seq ${i}`);
    }),
  );
}

type Client = Awaited<ReturnType<Bench['client']>>;

async function clientsOf({ client }: Bench, count: number): Promise<Client[]> {
  return await Promise.all(Array.from({ length: count }, client));
}

for (const backend of backends) {
  test(`${backend}: every worker takes packets from the system, and order is kept`, () =>
    withServer({ ...SHARED, backend, workers: 3 }, async (bench) => {
      const { server, words } = bench;
      const clients = await clientsOf(bench, 12);
      const deadline = performance.now() + SHOW_MS;
      let done = 0;
      let taken: number[] = [];
      do {
        await exchange(clients, ROUNDS, done);
        done += ROUNDS;
        taken = dequeuedBy(await server.statistics());
      } while (performance.now() < deadline && !taken.every((packets) => packets > 0));
      assert.is(taken.filter((packets) => packets > 0).length, 3, `taken: ${taken}`);
      assert.is(Atomics.load(words, Word.disorder), 0);
      assert.is(Atomics.load(words, Word.overlaps), 0);
      assert.is((await server.statistics()).port.staleCompletions, 0);
    }));

  test(`${backend}: workers that sleep are woken by whatever comes`, () =>
    withServer({ ...SHARED, backend }, async (bench) => {
      const [each] = await clientsOf(bench, 1);
      for (let i = 0; i < 30; i++) {
        // Longer than a worker stays awake with nothing to do, and shorter.
        await sleep(i % 3 === 0 ? 20 : 0);
        assert.is(await each?.ask(`seq ${i}`), `seq ${i}`);
      }
    }));

  test(`${backend}: workers that die while they sleep take nothing with them, and are replaced`, () =>
    withServer({ ...SHARED, backend, workers: 3, restart: true }, async (bench) => {
      const { server, deaths, words } = bench;
      const clients = await clientsOf(bench, 8);
      const [first] = clients;
      for (let death = 1; death <= 3; death++) {
        await first?.ask('exit-later 30');
        // Nobody has anything to do as it goes.
        await until(() => deaths.length === death);
        await exchange(clients, ROUNDS, (death - 1) * ROUNDS);
        await until(() => server.workers === 3);
      }
      // ... and while all have their hands full.
      await first?.ask('exit-later 5');
      const survivors = await Promise.all(
        clients.slice(1).map(async (each) => {
          for (let i = 3 * ROUNDS; i < 10 * ROUNDS; i++) each.send(`seq ${i}`);
          for (let i = 3 * ROUNDS; i < 10 * ROUNDS; i++) {
            const answer = await each.next().catch(() => 'reset');
            if (answer !== `seq ${i}`) return false;
          }
          return true;
        }),
      );
      await until(() => deaths.length === 4);
      // It was not in a handler: what it had in its hands, at most a turn's, is reset.
      assert.ok(survivors.some((survived) => survived));
      assert.is(Atomics.load(words, Word.disorder), 0);
      assert.is((await server.statistics()).port.staleCompletions, 0);
    }));

  test(`${backend}: with one worker in a handler for good the others take all there is`, () =>
    withServer(
      { ...SHARED, backend, workers: 3 },
      async (bench) => {
        const { words } = bench;
        const clients = await clientsOf(bench, 8);
        const [stuck, ...others] = clients;
        await exchange(clients, ROUNDS);
        await settled(bench.server);
        stuck?.send('forever');
        await until(() => Atomics.load(words, Word.entered) === 1);
        await exchange(others, 3 * ROUNDS, ROUNDS);
        const late = await clientsOf(bench, 3);
        await exchange(late, ROUNDS);
        assert.is(Atomics.load(words, Word.disorder), 0);
      },
      { terminated: 1 },
    ));

  test(`${backend}: with all workers in handlers for good, connections still come and are reset at the end`, () =>
    withServer(
      { ...SHARED, backend, workers: 2 },
      async (bench) => {
        const { words, server } = bench;
        const clients = await clientsOf(bench, 2);
        // Else one worker may have both: what is under way on the other connection is its, too.
        await settled(server);
        for (const [index, each] of clients.entries()) {
          each.send('forever');
          await until(() => Atomics.load(words, Word.entered) === index + 1);
        }
        const before = (await server.statistics()).accepted;
        void bench.client().catch(() => {});
        // The thread that listens takes what only it can see to.
        for (let look = 0; look < 20; look++) {
          if ((await server.statistics()).accepted > before) return;
          await sleep(10);
        }
        throw new Error('nobody was accepted');
      },
      { terminated: 2 },
    ));
}

test.run();
