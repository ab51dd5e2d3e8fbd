import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { check, fc } from '../../support/property.ts';
import { job, KEYS_MAX, Op, Word } from './pool-handlers.worker.ts';
import { withPool } from './pools.ts';

interface Step {
  readonly key: number;
  readonly spins: number;
  readonly pause: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  // Few keys mostly: they fill their window and the backlog behind it.
  key: fc.oneof(fc.nat(2), fc.nat(KEYS_MAX - 1)),
  spins: fc.oneof(fc.nat(50), fc.nat(20_000)),
  pause: fc.boolean().map((pause) => pause),
});

test('jobs of a key are processed one at a time, in order, and answered in order (R3, R4)', async () => {
  const options = { initialThreads: 4, maxThreads: 4, maxWaiting: 2 ** 16, capacity: 256 };
  await withPool(options, async ({ pool, words }) => {
    const steps = fc.array(step, { minLength: 1, maxLength: 400, size: 'max' });
    await check(
      fc.asyncProperty(steps, async (plan) => {
        Atomics.store(words, Word.logged, 0);
        const counts = new Array<number>(KEYS_MAX).fill(0);
        const answers = Array.from({ length: KEYS_MAX }, (): number[] => []);
        const results: Promise<unknown>[] = [];
        for (const { key, spins, pause } of plan) {
          const number = counts[key]++ as number;
          const bytes = job(Op.log, key * 2 ** 20 + number, spins);
          const result = pool.dispatch(bytes, { key: key % 2 === 0 ? key : `key ${key}` });
          results.push(result.then((answer) => answers[key]?.push(answer as number)));
          if (pause) await undefined;
        }
        await Promise.all(results);
        assert.is(Atomics.load(words, Word.faults), 0, 'two threads had one key at a time');
        assert.is(Atomics.load(words, Word.logged), plan.length);
        const processed = Array.from({ length: KEYS_MAX }, (): number[] => []);
        for (let i = 0; i < plan.length; i++) {
          const entry = words[Word.log + i] as number;
          processed[entry >>> 20]?.push(entry & 0xfffff);
        }
        for (let key = 0; key < KEYS_MAX; key++) {
          const wanted = Array.from({ length: counts[key] as number }, (_, i) => i);
          assert.equal(processed[key], wanted);
          assert.equal(answers[key], wanted);
        }
        assert.is(pool.statistics().keys, 0);
      }),
      { numRuns: 40 },
    );
  });
});

test('a busy key keeps nobody else: its jobs are stored, not waited for (R4)', async () => {
  await withPool({ initialThreads: 2 }, async ({ pool, openGate, entered }) => {
    const gate = pool.dispatch(job(Op.gate), { key: 'busy' });
    await entered(1);
    // More than a window: some are numbered and stored, some wait in front.
    const behind = Array.from({ length: 100 }, (_, i) =>
      pool.dispatch(job(Op.number, 2 * i), { key: 'busy' }),
    );
    const others = Array.from({ length: 50 }, (_, i) =>
      pool.dispatch(job(Op.number, 2 * i), i % 2 === 0 ? {} : { key: i }),
    );
    assert.equal(
      await Promise.all(others),
      others.map((_, i) => i),
    );
    assert.is(pool.statistics().pending, 101);
    openGate();
    assert.equal(
      await Promise.all(behind),
      behind.map((_, i) => i),
    );
    await gate;
  });
});

test('100,000 jobs through 4 threads: none lost, none doubled, each key in order', async () => {
  const keys = 10;
  const total = 100_000;
  const options = { initialThreads: 4, maxThreads: 4 };
  await withPool(options, async ({ pool, words }) => {
    const seen = new Uint8Array(total);
    const next = new Array<number>(keys).fill(0);
    let faults = 0;
    let unordered = 0;
    const pending: Promise<void>[] = [];
    for (let i = 0; i < total; i++) {
      while (!pool.hasRoom) await pool.room();
      const key = i % keys;
      const number = Math.floor(i / keys);
      const isOrdered = i % 3 !== 0;
      const bytes = isOrdered ? job(Op.log, key * 2 ** 20 + number) : job(Op.number, 2 * i);
      const result = pool.dispatch(bytes, isOrdered ? { key } : {});
      const answered = result.then((answer) => {
        if (seen[i] !== 0) faults++;
        seen[i] = 1;
        if (!isOrdered) {
          unordered++;
          if (answer !== i) faults++;
          return;
        }
        if (answer !== number || number < (next[key] as number)) faults++;
        next[key] = number + 1;
      });
      // Only what is still out may keep memory.
      if (i >= total - 2000) pending.push(answered);
    }
    await Promise.all(pending);
    while (pool.statistics().pending > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.is(faults, 0);
    assert.ok(seen.every((count) => count === 1));
    assert.is(Atomics.load(words, Word.faults), 0);
    assert.is(Atomics.load(words, Word.logged) + unordered, total);
    const { dispatched, completed } = pool.statistics();
    assert.equal([dispatched, completed], [total, total]);
  });
});

test.run();
