/** Workers with a port each: spreading, calls from other threads, deaths, endings. */
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sim } from '../../../backends/sim/index.ts';
import { connect } from '../../../src/client.ts';
import { OverlappedError } from '../../../src/errors.ts';
import { chooseSpreadingBackend } from '../../../src/registry.ts';
import { listen } from '../../../src/server.ts';
import type { WorkerListenOptions } from '../../../src/types.ts';
import type { WorkerLeftovers } from '../../../src/workers/io/worker-server.ts';
import { rejection, rejectsWith, until } from '../pool/pools.ts';
import { Word } from './io-handlers.worker.ts';
import {
  assertReset,
  type Bench,
  FRAMING,
  HANDLERS,
  NOTHING_LEFT,
  withOneStale,
  withServer,
} from './servers.ts';

/** Backends that can be pinned on this host, each with its drivers. */
const variants: { readonly name: string; readonly options: Partial<WorkerListenOptions> }[] = [];
for (const backend of ['net', 'bun', 'uring', 'iocp'] as const) {
  const drivers = await chooseSpreadingBackend({ name: backend, options: {} }, new Map()).then(
    (choice) => choice.drivers,
    () => [],
  );
  for (const driver of drivers) {
    const name = drivers.length > 1 ? `${backend}, ${driver}` : backend;
    variants.push({ name, options: { backend, driver } });
  }
}

/** Without a character that a host would have to decode. */
const script = (text: string) => `data:text/javascript;base64,${btoa(text)}`;

/** A host's own sockets are not always good enough to see how a connection ended. */
const clientBackend = (backend: WorkerListenOptions['backend']) =>
  backend === 'iocp' ? 'iocp' : 'net';

const always = { workers: 1, handlers: HANDLERS, framing: FRAMING } as const;

test('somewhere it can be done, or the reason is told', async () => {
  if (variants.length > 0) return;
  const error = await rejection(listen({ ...always, backend: 'net' }));
  assert.is((error as OverlappedError).code, 'NOT_SUPPORTED');
  assert.match(error.message, /does not spread connections|koffi/);
  assert.match(error.message, /scheduling: 'shared'/);
});

test('what cannot be pinned says why', async () => {
  for (const backend of ['sim', sim()] as const) {
    const error = await rejection(listen({ ...always, backend }));
    assert.is((error as OverlappedError).code, 'NOT_SUPPORTED');
    assert.match(error.message, 'lives in one thread');
  }
  await rejectsWith(listen({ ...always, path: '/tmp/overlapped-never' }), 'NOT_SUPPORTED');
});

test('options', async () => {
  const bad: Record<string, unknown>[] = [
    { workers: -1 },
    { workers: 1.5 },
    { workers: 257 },
    { workers: 'all' },
    { workers: 0 },
    { workers: undefined },
    { handlers: './relative.js' },
    { handlers: undefined },
    { scheduling: 'free' },
    { driver: 'poll' },
    { restart: 'yes' },
    { startTimeoutMs: 0 },
    { onWorkerError: 1 },
    { workers: 4, maxConnections: 2 ** 19 },
    { on: {} },
    { message() {} },
    { codec: {} },
    { reusePort: true },
    { backend: 'carrier pigeon' },
    { port: -1 },
  ];
  for (const options of bad) {
    const error = await rejection(
      listen({ ...always, ...options } as unknown as WorkerListenOptions),
    );
    assert.instance(error, OverlappedError, JSON.stringify(options));
    assert.is((error as OverlappedError).code, 'INVALID_OPTION', JSON.stringify(options));
  }
});

test('handlers given directly are told how to become a module', async () => {
  const error = await rejection(
    listen({ workers: 2, message() {} } as unknown as WorkerListenOptions),
  );
  assert.match(error.message, 'export function message');
  assert.match(error.message, 'import.meta.url');
});

for (const { name, options } of variants) {
  const withPinned = (
    more: Partial<WorkerListenOptions>,
    work: (bench: Bench) => Promise<void>,
    expected: Partial<WorkerLeftovers> = {},
  ) => withServer({ ...options, ...more }, work, expected, clientBackend(options.backend));
  const started = (more: Partial<WorkerListenOptions>) =>
    listen({ ...always, ...options, ...more } as WorkerListenOptions);

  test(`${name}: connections are spread, stay where they are, and are echoed`, () =>
    withPinned({ workers: 3 }, async ({ server, words, clientOfEach }) => {
      assert.is(server.workers, 3);
      const clients = await clientOfEach();
      for (let round = 0; round < 20; round++) {
        for (const client of clients)
          assert.is(await client.ask(`round ${round}`), `round ${round}`);
      }
      for (const [index, client] of clients.entries()) {
        assert.is(await client.ask('worker'), String(index));
        assert.is(await client.ask('later on'), 'later on');
      }
      const ids = new Set(clients.map(({ id }) => id));
      assert.is(ids.size, 3);
      const { connections, accepted, workers, port } = await server.statistics();
      assert.is(accepted, Atomics.load(words, Word.opened));
      assert.is(
        accepted,
        workers.reduce((sum, worker) => sum + (worker.accepted ?? 0), 0),
      );
      assert.is(accepted, port.accepted);
      assert.ok(connections >= 3 && connections <= accepted);
      assert.equal(
        workers.map(({ worker, state, isStale, restarts }) => [worker, state, isStale, restarts]),
        [
          [0, 'running', false, 0],
          [1, 'running', false, 0],
          [2, 'running', false, 0],
        ],
      );
    }));

  test(`${name}: work that goes on after a handler`, () =>
    withPinned({}, async ({ clientOfEach }) => {
      for (const client of await clientOfEach()) {
        for (let i = 0; i < 5; i++) assert.is(await client.ask(`later ${i}`), `later ${i}`);
      }
    }));

  test(`${name}: calls from this thread, in their order`, () =>
    withPinned({}, async ({ server, clientOfEach }) => {
      const clients = await clientOfEach();
      const calls: Promise<void>[] = [];
      for (let i = 0; i < 100; i++) {
        for (const { id } of clients) calls.push(server.connection(id).send(`call ${i}`));
      }
      await Promise.all(calls);
      for (const client of clients) {
        for (let i = 0; i < 100; i++) assert.is(await client.next(), `call ${i}`);
      }
      const [first, second] = clients as [(typeof clients)[0], (typeof clients)[0]];
      const remote = server.connection(first.id);
      await remote.pause();
      first.send('held back');
      await server.connection(second.id).send('meanwhile');
      assert.is(await second.next(), 'meanwhile');
      await remote.resume();
      assert.is(await first.next(), 'held back');
      await rejectsWith(remote.send(5 as never), 'INVALID_OPTION');
      await remote.end();
      const late = (await rejection(remote.send('too late'))) as OverlappedError;
      // The peer may have ended its side by now.
      assert.ok(['CLOSED', 'STALE_TOKEN'].includes(late.code), late.code);
      assert.is(await first.ended(), '');
      await server.connection(second.id).abort();
      assertReset(await second.ended());
      const codeOf = async () =>
        ((await rejection(server.connection(second.id).send('gone'))) as OverlappedError).code;
      // Its record goes with its last completion.
      while ((await codeOf()) === 'CLOSED') await sleep(1);
      assert.is(await codeOf(), 'STALE_TOKEN');
      await rejectsWith(server.connection(first.id + 2 ** 20).close(), 'STALE_TOKEN');
      assert.throws(() => server.connection(2 ** 20 - 1), /STALE_TOKEN/);
      assert.throws(() => server.connection(Number.NaN), /STALE_TOKEN/);
    }));

  test(`${name}: calls of a worker on another worker's connection`, () =>
    withPinned({}, async ({ clientOfEach }) => {
      const [first, second] = await clientOfEach();
      assert.ok(first && second);
      first.send(`tell ${second.id} hello there`);
      assert.is(await second.next(), 'hello there');
      assert.is(await first.next(), 'told');
      assert.is(await first.ask(`tell ${second.id + 2 ** 20} x`), 'not told: STALE_TOKEN');
      // Its own: by the same way.
      first.send(`tell ${first.id} me`);
      assert.equal([await first.next(), await first.next()].sort(), ['me', 'told']);
    }));

  for (const verb of ['throw', 'reject', 'exit']) {
    test(`${name}: a worker that dies (${verb}) resets its connections, the rest go on, and it is replaced`, () =>
      withPinned({ restart: true }, async (bench) => {
        const { server, deaths, clientOfEach } = bench;
        const [first, second] = await clientOfEach();
        assert.ok(first && second);
        const server0 = server.connection(first.id);
        first.send(`${verb} it`);
        const code = await first.ended();
        // A host that closes the sockets of a thread may end them without a reset.
        if (verb !== 'exit') assertReset(code);
        await until(() => deaths.length === 1);
        assert.is(deaths[0]?.worker, 0);
        assert.is(deaths[0]?.code, 'ABORTED');
        if (verb === 'throw') assert.match(deaths[0]?.message as string, 'thrown: it');
        if (verb === 'reject') assert.match(deaths[0]?.message as string, 'rejected: it');
        assert.is(await second.ask('still here'), 'still here');
        await rejectsWith(server0.send('gone'), 'STALE_TOKEN');
        await until(() => server.workers === 2);
        const [again] = await clientOfEach();
        assert.is(await again?.ask('back'), 'back');
        const { workers, deaths: count } = await server.statistics();
        assert.is(count, 1);
        assert.equal(
          workers.map(({ restarts }) => restarts),
          [1, 0],
        );
      }));
  }

  test(`${name}: without restart the others serve`, () =>
    withPinned(
      {},
      async ({ server, deaths, client, clientOfEach }) => {
        const [, second] = await clientOfEach();
        second?.send('throw away');
        await until(() => deaths.length === 1 && server.workers === 1);
        for (let i = 0; i < 10; i++) assert.is((await client()).worker, 0);
        assert.equal(
          (await server.statistics()).workers.map(({ state }) => state),
          ['running', 'dead'],
        );
      },
      {},
    ));

  test(`${name}: a handler that does not return is seen, others go on, and the end does not wait for it`, () =>
    withPinned(
      {},
      async ({ server, words, clientOfEach }) => {
        const [first, second] = await clientOfEach();
        assert.ok(first && second);
        second.send('forever');
        await until(() => Atomics.load(words, Word.entered) === 1);
        assert.is(await first.ask('others'), 'others');
        const { workers } = await withOneStale(server);
        assert.equal(
          workers.map(({ isStale }) => isStale),
          [false, true],
        );
        assert.ok((workers[1]?.turnMs ?? 0) > 0);
        assert.is(workers[0]?.turnMs, 0);
      },
      { terminated: 1 },
    ));

  test(`${name}: an end with connections busy and idle`, () =>
    withPinned({ workers: 2 }, async ({ clientOfEach, client }) => {
      for (const busy of await clientOfEach()) for (let i = 0; i < 50; i++) busy.send(`${i}`);
      for (let i = 0; i < 5; i++) await client();
    }));

  test(`${name}: a module that cannot be used`, async () => {
    const fails = async (handlers: string | URL, code: string, match = /./) => {
      const error = (await rejection(started({ workers: 2, handlers }))) as OverlappedError;
      assert.instance(error, OverlappedError);
      assert.is(error.code, code, error.message);
      assert.match(error.message, match);
      return error;
    };
    await fails(new URL('./there-is-no-such-module.js', HANDLERS), 'INVALID_OPTION');
    const thrown = await fails(
      script('throw new Error("not today")'),
      'INVALID_OPTION',
      /not today/,
    );
    assert.match((thrown.cause as Error).message, 'not today');
    await fails(script('export const message = 1'), 'INVALID_OPTION', /message/);
    await fails(script('export const greeting = 1'), 'INVALID_OPTION', /exports none of/);
    await fails(script('export default 5'), 'INVALID_OPTION');
    await fails(
      script('export default () => { throw new Error("made wrong") }'),
      'INVALID_OPTION',
      /made wrong/,
    );
    await fails(script('import process from "node:process"; process.exit(0)'), 'ABORTED');
    const error = await rejection(
      started({
        workers: 2,
        handlers: script('await new Promise(() => { setInterval(() => {}, 1000) })'),
        startTimeoutMs: 300,
      }),
    );
    assert.is((error as OverlappedError).code, 'TIMED_OUT');
  });

  test(`${name}: one worker that cannot start ends all`, async () => {
    const workerData = { words: new Int32Array(new SharedArrayBuffer(4096)), failing: 1 };
    const error = await rejection(started({ workers: 3, workerData }));
    assert.match(error.message, 'not this worker');
    await rejectsWith(started({ workerData: () => {} }), 'INVALID_OPTION');
  });

  test(`${name}: more memory than there is`, async () => {
    await rejectsWith(started({ workers: 2, receiveBuffers: 2 ** 20 }), 'INVALID_OPTION');
  });

  test(`${name}: the address is taken`, async () => {
    await withPinned({}, async ({ server }) => {
      const { port } = server.address;
      // Without SO_REUSEPORT nobody else gets in.
      await rejectsWith(listen({ port, backend: 'net', message() {} }), 'ADDRESS_IN_USE');
    });
  });

  test(`${name}: the signal ends it, before and after`, async () => {
    const before = new AbortController();
    before.abort();
    await rejectsWith(started({ signal: before.signal }), 'CANCELED');
    const during = new AbortController();
    const opening = started({ signal: during.signal });
    during.abort();
    await rejectsWith(opening, 'CANCELED');
    const after = new AbortController();
    const server = await started({ signal: after.signal });
    after.abort();
    assert.equal(await server.close(), NOTHING_LEFT);
    const { port } = server.address;
    await rejectsWith(connect({ port, backend: clientBackend(options.backend) }), 'REFUSED');
  });
}

test('a process without onWorkerError hears of a death as of any exception', async () => {
  if (variants.length === 0) return;
  const caught = new Promise<Error>((resolve) => {
    const isNode =
      typeof process !== 'undefined' && !('Bun' in globalThis) && !('Deno' in globalThis);
    if (!isNode) return resolve(new Error('ABORTED: only shown in Node'));
    process.once('uncaughtException', resolve);
  });
  const { options } = variants[0] as (typeof variants)[0];
  const server = await listen({ ...always, ...options } as WorkerListenOptions);
  const client = await connect({ port: server.address.port, framing: FRAMING, backend: 'net' });
  if (!('Bun' in globalThis) && !('Deno' in globalThis)) client.send('throw it');
  assert.match((await caught).message, 'ABORTED');
  await client.close();
  await server.close();
});

test.run();
