import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OverlappedError } from '../../../src/errors.ts';
import { orderedPool } from '../../../src/workers/pool/index.ts';
import { OrderedPool } from '../../../src/workers/pool/ordered-pool.ts';
import { FakeClock } from './fake-clock.ts';
import { job, Op, Word } from './pool-handlers.worker.ts';
import { HANDLERS, rejection, rejectsWith, until, withPool } from './pools.ts';

/** More than a thread makes from one job to the end of the next. */
const DEADLY_STEPS = 32;

/** Without a character that a host would have to decode. */
const script = (text: string) => `data:text/javascript;base64,${btoa(text)}`;

async function openFails(handler: string | URL, code: OverlappedError['code']): Promise<Error> {
  const options = { handler, initialThreads: 2, minThreads: 1 };
  const error = (await rejection(orderedPool(options))) as OverlappedError;
  assert.instance(error, OverlappedError);
  assert.is(error.code, code);
  return error;
}

test('a handler module that cannot be used', async () => {
  await openFails(new URL('./there-is-no-such-module.js', HANDLERS), 'INVALID_OPTION');
  const thrown = await openFails(script('throw new Error("not today")'), 'INVALID_OPTION');
  assert.match(thrown.message, 'not today');
  assert.match((thrown.cause as Error).message, 'not today');
  await openFails(script('export const handler = 1'), 'INVALID_OPTION');
  await openFails(script('export default 1'), 'INVALID_OPTION');
  await openFails('./relative.js', 'INVALID_OPTION');
  await openFails(script('import "node:process"; process.exit(0)'), 'ABORTED');
});

test('the handler may be an export of that name', async () => {
  const handler = script('export function handle(bytes) { return bytes.length }');
  const pool = await orderedPool<number>({ handler, initialThreads: 1, minThreads: 1 });
  assert.is(await pool.dispatch(new Uint8Array(5)), 5);
  assert.equal(await pool.close(), { canceled: 0, terminated: 0 });
});

test('a handler module that does not come to an end of its loading', async () => {
  const clock = new FakeClock();
  const handler = script('await new Promise(() => { setInterval(() => {}, 1000) })');
  const options = { handler, initialThreads: 1, minThreads: 1, startTimeoutMs: 700 };
  const opening = rejectsWith(OrderedPool.open(options, { clock }), 'TIMED_OUT');
  clock.advance(700);
  await opening;
});

test('options', async () => {
  const bad = [
    { minThreads: 0 },
    { minThreads: 3, maxThreads: 2 },
    { initialThreads: 1, minThreads: 2 },
    { initialThreads: 11 },
    { maxThreads: 257 },
    { maxDormantThreads: -1 },
    { maintenancePeriodMs: 0 },
    { dispatchTimeoutMs: -1 },
    { dispatchTimeoutAtMaxMs: 1.5 },
    { capacity: 0 },
    { maxWaiting: -1 },
    { arenaBytes: 5000 },
    { bytes: 'lent' },
    { threads: 4 },
  ];
  for (const options of bad) {
    const all = { handler: HANDLERS, ...options } as Parameters<typeof orderedPool>[0];
    await rejectsWith(orderedPool(all), 'INVALID_OPTION');
  }
  const data = () => {};
  await rejectsWith(orderedPool({ handler: HANDLERS, data }), 'INVALID_OPTION');
});

for (const [name, op] of [
  ['in a handler', Op.exit],
  ['while its promise is pending', Op.asyncExit],
] as const) {
  test(`a thread that dies ${name} loses its job, is replaced, and its key goes on`, async () => {
    await withPool({ initialThreads: 2 }, async ({ pool, words }) => {
      const log = (key: number, number: number) =>
        pool.dispatch(job(Op.log, key * 2 ** 20 + number), { key });
      const results: Promise<unknown>[] = [];
      const dead: Promise<void>[] = [];
      for (let i = 0; i < 90; i++) {
        results.push(log(1, i));
        if (i % 30 === 10) dead.push(rejectsWith(pool.dispatch(job(op), { key: 1 }), 'ABORTED'));
        results.push(log(2, i));
      }
      dead.push(rejectsWith(pool.dispatch(job(op)), 'ABORTED'));
      await Promise.all([...results, ...dead]);
      assert.equal(
        Array.from(words.subarray(Word.log, Word.log + 180)).filter((entry) => entry >> 20 === 1),
        Array.from({ length: 90 }, (_, i) => 2 ** 20 + i),
      );
      await until(() => pool.statistics().threads === 2);
      const { failures, replaced, completed } = pool.statistics();
      assert.equal([failures.deaths, failures.thread, replaced, completed], [4, 4, 4, 180]);
    });
  });
}

test('a thread that dies at any step of its own loses nothing but the job it runs', async () => {
  for (let step = 0; step < DEADLY_STEPS; step++) {
    await withPool({ initialThreads: 2 }, async ({ pool, words }) => {
      let logged = 0;
      const results: Promise<unknown>[] = [];
      const dispatch = (bytes: Uint8Array, options = {}) => {
        const result = pool.dispatch(bytes, options);
        // Looked at below.
        result.catch(() => {});
        results.push(result);
      };
      dispatch(job(Op.dieAtStep, step), { key: 1 });
      const dispatchSome = () => {
        for (let i = 0; i < 10; i++) {
          dispatch(job(Op.log, 2 ** 20 + logged++, 100), { key: 1 });
          dispatch(job(Op.number, 2));
        }
      };
      dispatchSome();
      while (pool.statistics().failures.deaths === 0) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        // The other thread may have taken them all.
        if (pool.statistics().pending === 0) dispatchSome();
      }
      dispatchSome();
      const settled = await Promise.allSettled(results);
      const lost = settled.flatMap((result) =>
        result.status === 'rejected' ? [result.reason.code] : [],
      );
      assert.ok(lost.length <= 1 && lost.every((code) => code === 'ABORTED'), `${step}: ${lost}`);
      // In order, none twice; the lost one may have got that far or not.
      const log = Array.from(words.subarray(Word.log, Word.log + (words[Word.logged] as number)));
      assert.equal(
        log,
        [...new Set(log)].sort((a, b) => a - b),
        `step ${step}`,
      );
      assert.ok(log.length >= logged - lost.length, `step ${step}`);
      assert.is(words[Word.faults], 0);
    });
  }
});

test('an exception that nobody handles ends its thread, and no job', async () => {
  await withPool({}, async ({ pool }) => {
    assert.is(await pool.dispatch(job(Op.leave)), undefined);
    await until(() => pool.statistics().failures.deaths === 1);
    assert.is(await pool.dispatch(job(Op.number, 4)), 2);
    const { failures, replaced } = pool.statistics();
    assert.equal([failures.thread, replaced], [0, 1]);
  });
});

test('a handler that never returns: others go on, it is seen, and close ends it', async () => {
  await withPool({ initialThreads: 2 }, async ({ pool, clock, entered }) => {
    const never = rejectsWith(pool.dispatch(job(Op.never), { key: 1 }), 'CANCELED');
    await entered(1);
    const behind = rejectsWith(pool.dispatch(job(Op.number, 2), { key: 1 }), 'CANCELED');
    assert.is(await pool.dispatch(job(Op.number, 2), { key: 2 }), 1);
    await until(() => pool.statistics().longestRunningMs > 0);
    await until(() => pool.statistics().busy === 1);
    assert.is(pool.statistics().pending, 2);
    const closed = pool.close({ timeoutMs: 500 });
    await rejectsWith(pool.dispatch(job(Op.echo)), 'CLOSED');
    clock.advance(500);
    const left = await closed;
    assert.is(left.canceled, 2);
    assert.ok(left.terminated >= 1);
    await Promise.all([never, behind]);
    assert.is(pool.statistics().failures.canceled, 2);
    assert.is(pool.statistics().threads, 0);
  });
});

test('close answers every job, gives each thread its exit packet and joins it (R23)', async () => {
  await withPool({ initialThreads: 3, capacity: 8 }, async ({ pool, openGate, entered }) => {
    const gate = pool.dispatch(job(Op.gate), { key: 1 });
    await entered(1);
    const queued = Array.from({ length: 30 }, (_, i) =>
      pool.dispatch(job(Op.number, 2 * i), i % 2 === 0 ? { key: 1 } : {}),
    );
    const closed = pool.close();
    assert.is(pool.close(), closed);
    openGate();
    assert.equal(await closed, { canceled: 0, terminated: 0 });
    assert.equal(
      await Promise.all(queued),
      queued.map((_, i) => i),
    );
    await gate;
    const { threads, pending, failures } = pool.statistics();
    assert.equal([threads, pending, failures.deaths], [0, 0, 0]);
  });
});

test('an idle pool, and one that is not referenced, let the process end', async () => {
  // That it does, the runner checks: it waits for the end of the process after the last test.
  const words = new Int32Array(new SharedArrayBuffer(1024));
  const options = { handler: HANDLERS, data: words, initialThreads: 1, minThreads: 1 };
  const idle = await orderedPool(options);
  assert.is(await idle.dispatch(job(Op.number, 2)), 1);
  const busy = (await orderedPool(options)).ref().unref();
  busy.dispatch(job(Op.gate)).catch(() => {});
  await until(() => Atomics.load(words, Word.entered) === 1);
});

test('where threads cannot start any more, dispatches fail in time', async () => {
  const count = new Int32Array(new SharedArrayBuffer(4));
  // Loads once, and never again.
  const handler = script(`
    import process from 'node:process';
    import { workerData } from 'node:worker_threads';
    if (Atomics.add(workerData.data, 0, 1) > 0) throw new Error('no more');
    export default () => { process.exit(1); for (;;); };`);
  const clock = new FakeClock();
  const options = { handler, data: count, initialThreads: 1, minThreads: 1, maxThreads: 2 };
  const pool = await OrderedPool.open(options, { clock });
  await rejectsWith(pool.dispatch(new Uint8Array(1)), 'ABORTED');
  await until(() => pool.statistics().failures.starts === 1);
  const hopeless = rejectsWith(pool.dispatch(new Uint8Array(1)), 'TIMED_OUT');
  clock.advance(10_000);
  await until(() => pool.statistics().failures.starts > 1);
  clock.advance(10_000);
  await hopeless;
  const { threads, starting, failures } = pool.statistics();
  assert.is(threads + starting, starting);
  assert.is(failures.timedOut, 1);
  await pool.close();
});

test.run();
