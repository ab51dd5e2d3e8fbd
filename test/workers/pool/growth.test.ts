/** The settings of R8, under a clock that stands still: nothing here depends on how fast threads are. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { job, Op } from './pool-handlers.worker.ts';
import { isSettled, rejectsWith, until, withPool } from './pools.ts';

const SETTINGS = {
  initialThreads: 1,
  minThreads: 1,
  maxThreads: 3,
  maxDormantThreads: 1,
  maintenancePeriodMs: 5000,
  dispatchTimeoutMs: 100,
  dispatchTimeoutAtMaxMs: 1000,
};

test('a dispatch that waits past its time-out makes the pool grow, thread by thread, to its maximum', async () => {
  await withPool(SETTINGS, async ({ pool, clock, openGate, entered }) => {
    const results = [pool.dispatch(job(Op.gate))];
    await entered(1);
    for (const threads of [2, 3]) {
      results.push(pool.dispatch(job(Op.gate)));
      clock.advance(99);
      assert.is(pool.statistics().grown, threads - 2);
      clock.advance(1);
      assert.is(pool.statistics().grown, threads - 1);
      await entered(threads);
      // It may run its first job before the pool hears that it has started.
      await until(() => pool.statistics().threads === threads);
    }
    // At the maximum it waits longer, and fails then.
    const late = pool.dispatch(job(Op.gate), { key: 5 });
    const after = pool.dispatch(job(Op.number, 4), { key: 5 });
    clock.advance(999);
    assert.is(await isSettled(late), false);
    assert.is(pool.statistics().waited, 4);
    clock.advance(1);
    await rejectsWith(late, 'TIMED_OUT');
    await rejectsWith(after, 'TIMED_OUT');
    const full = pool.statistics();
    assert.equal([full.grown, full.busy, full.failures.timedOut], [2, 3, 2]);
    // The key's numbers were passed: it goes on.
    const next = pool.dispatch(job(Op.number, 6), { key: 5 });
    openGate();
    assert.is(await next, 3);
    assert.is(new Set(await Promise.all(results)).size, 3, 'each in a thread of its own');
    assert.is(pool.statistics().pending, 0);
  });
});

test('a job that many wait for starts one thread, not one for each', async () => {
  await withPool({ ...SETTINGS, maxThreads: 10 }, async ({ pool, clock, openGate, entered }) => {
    const results = Array.from({ length: 8 }, () => pool.dispatch(job(Op.gate)));
    await entered(1);
    clock.advance(100);
    assert.is(pool.statistics().grown, 1);
    await entered(2);
    await until(() => pool.statistics().threads === 2);
    clock.advance(99);
    assert.is(pool.statistics().grown, 1);
    clock.advance(1);
    assert.is(pool.statistics().grown, 2);
    openGate();
    await Promise.all(results);
  });
});

test('maintenance ends dormant threads, and keeps the minimum', async () => {
  const settings = { ...SETTINGS, initialThreads: 6, minThreads: 2, maxThreads: 6 };
  await withPool(settings, async ({ pool, clock, openGate, entered }) => {
    const gated = Array.from({ length: 4 }, () => pool.dispatch(job(Op.gate)));
    await entered(4);
    // Two are dormant, one of them too many.
    await until(() => pool.statistics().dormant === 2);
    clock.advance(4999);
    assert.is(pool.statistics().shrunk, 0);
    clock.advance(1);
    assert.is(pool.statistics().shrunk, 1);
    assert.is(pool.statistics().threads, 5);
    openGate();
    await Promise.all(gated);
    await until(() => pool.statistics().dormant === 5);
    clock.advance(5000);
    assert.is(pool.statistics().shrunk, 4);
    await until(() => pool.statistics().dormant === 2);
    const before = pool.statistics();
    assert.equal([before.threads, before.mostThreads], [2, 6]);
    clock.advance(50_000);
    assert.is(pool.statistics().threads, 2);
    assert.is(clock.waiting, 0, 'an idle pool at its minimum has no timer');
    assert.is(await pool.dispatch(job(Op.number, 2)), 1);
  });
});

test('a full pool makes dispatches wait for room, within bounds', async () => {
  const settings = { ...SETTINGS, maxThreads: 1, capacity: 4, maxWaiting: 3 };
  await withPool(settings, async ({ pool, openGate, entered }) => {
    assert.is(pool.hasRoom, true);
    const gate = pool.dispatch(job(Op.gate));
    await entered(1);
    const accepted = Array.from({ length: 6 }, (_, i) =>
      pool.dispatch(job(Op.number, i * 2), { key: 'k' }),
    );
    assert.is(pool.hasRoom, false);
    const { pending, waiting } = pool.statistics();
    assert.equal([pending, waiting], [4, 3]);
    await rejectsWith(pool.dispatch(job(Op.echo)), 'NO_BUFFERS');
    assert.is(pool.statistics().failures.refused, 1);
    const room = pool.room();
    assert.is(await isSettled(room), false);
    openGate();
    assert.equal(await Promise.all(accepted), [0, 1, 2, 3, 4, 5]);
    await Promise.all([room, gate]);
    assert.is(pool.hasRoom, true);
    await pool.room();
  });
  // What waits for room fails like what waits for a thread.
  await withPool(settings, async ({ pool, clock, entered, openGate }) => {
    const gate = pool.dispatch(job(Op.gate));
    await entered(1);
    const rest = Array.from({ length: 6 }, () => pool.dispatch(job(Op.echo)));
    const failures = rest.map((result) => rejectsWith(result, 'TIMED_OUT'));
    clock.advance(1000);
    await Promise.all(failures);
    assert.is(pool.statistics().failures.timedOut, 6);
    openGate();
    assert.type(await gate, 'number');
    await until(() => pool.statistics().pending === 0);
    assert.equal(await pool.dispatch(job(Op.echo)), job(Op.echo));
  });
});

test('bytes that find no memory wait for it', async () => {
  const settings = { ...SETTINGS, maxThreads: 1, arenaBytes: 8192 };
  await withPool(settings, async ({ pool, openGate, entered }) => {
    const gate = pool.dispatch(job(Op.gate));
    await entered(1);
    const large = new Uint8Array(4096).fill(3);
    large.set(job(Op.echo));
    const results = Array.from({ length: 5 }, () => pool.dispatch(large));
    assert.is(pool.statistics().waiting, 4);
    openGate();
    for (const result of await Promise.all(results)) assert.equal(result, large);
    await gate;
  });
});

test.run();
