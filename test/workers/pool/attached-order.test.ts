/** The order over several dispatching threads, whichever has a key's claim: by chance, seeded (R3, R4, R8). */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { check, fc } from '../../support/property.ts';
import { Shared } from './dispatcher-orders.ts';
import { rushThread, sharedWords } from './dispatchers.ts';
import { Word } from './pool-handlers.worker.ts';
import { type Bench, until, withPool } from './pools.ts';

interface Plan {
  readonly seed: number;
  readonly keys: number;
  readonly jobs: number;
  readonly spins: number;
  readonly deaths: readonly { readonly after: number; readonly how: 'exit' | 'throw' }[];
}

const THREADS = 3;
const POOL = { initialThreads: 3, maxThreads: 3, capacity: 128, maxWaiting: 4096 };

/** Numbers of each key in the order of `entries`. */
function byKey(entries: Int32Array, keys: number): number[][] {
  const numbers = Array.from({ length: keys }, (): number[] => []);
  for (const entry of entries) numbers[entry >>> 20]?.push(entry & 0xfffff);
  return numbers;
}

async function run(
  { pool, words }: Bench,
  { seed, keys, jobs, spins, deaths }: Plan,
): Promise<{ processed: number[][]; results: number[][]; made: number[]; failed: number }> {
  Atomics.store(words, Word.logged, 0);
  const shared = sharedWords();
  const handle = pool.share();
  const threads = Array.from({ length: THREADS }, (_, thread) => {
    const death = deaths[thread];
    const rush = { seed, thread, keys, jobs, spins };
    const ends = { diesAfter: death?.after ?? 0, how: death?.how ?? 'exit' } as const;
    return rushThread(handle, shared, { ...rush, ...ends });
  });
  await Promise.all(threads);
  await until(() => pool.statistics().dispatchers === 0 && pool.statistics().pending === 0);
  const logged = words.subarray(Word.log, Word.log + Atomics.load(words, Word.logged));
  const got = Atomics.load(shared, Shared.got);
  return {
    processed: byKey(logged, keys),
    results: byKey(shared.subarray(Shared.results, Shared.results + got), keys),
    made: Array.from(shared.subarray(Shared.next, Shared.next + keys)),
    failed: Atomics.load(shared, Shared.failed),
  };
}

const plan: fc.Arbitrary<Omit<Plan, 'deaths'>> = fc.record({
  seed: fc.nat(2 ** 20),
  // With few keys their claims go from thread to thread all the time.
  keys: fc.integer({ min: 1, max: 6 }),
  jobs: fc.integer({ min: 1, max: 250 }),
  spins: fc.integer({ min: 1, max: 20_000 }),
});

test('whichever thread has the claim: processed one at a time, in order, answered in order', async () => {
  await withPool(POOL, async (bench) => {
    await check(
      fc.asyncProperty(plan, async (values) => {
        const { processed, results, made, failed } = await run(bench, { ...values, deaths: [] });
        assert.is(failed, 0);
        assert.is(Atomics.load(bench.words, Word.faults), 0, 'two threads had one key at a time');
        const wanted = made.map((count) => Array.from({ length: count }, (_, i) => i));
        assert.equal(processed, wanted);
        assert.equal(results, wanted, 'as the threads got them');
        assert.is(
          made.reduce((sum, count) => sum + count, 0),
          THREADS * values.jobs,
        );
      }),
      { numRuns: 8 },
    );
  });
});

const death = fc.record({
  after: fc.integer({ min: 1, max: 60 }),
  how: fc.constantFrom<'exit' | 'throw'>('exit', 'throw'),
});

test('threads that die: all they dispatched is processed in order, and the others get theirs in order', async () => {
  await withPool(POOL, async (bench) => {
    const deaths = fc.array(death, { minLength: 1, maxLength: THREADS - 1 });
    await check(
      fc.asyncProperty(plan, deaths, async (values, dying) => {
        const jobs = values.jobs + 60;
        const { processed, results, made, failed } = await run(bench, {
          ...values,
          jobs,
          deaths: dying,
        });
        assert.is(failed, 0);
        assert.is(Atomics.load(bench.words, Word.faults), 0);
        // What was dispatched is processed: nothing is missing, whoever asked for it.
        assert.equal(
          processed,
          made.map((count) => Array.from({ length: count }, (_, i) => i)),
        );
        let got = 0;
        for (const numbers of results) {
          got += numbers.length;
          assert.equal(
            numbers,
            [...new Set(numbers)].sort((a, b) => a - b),
          );
        }
        // Those that live have all of theirs, those that die as many as they wanted.
        const living = THREADS - dying.length;
        const least = living * jobs + dying.reduce((sum, { after }) => sum + after, 0);
        assert.ok(got >= least, `${got} of at least ${least}`);
        assert.is(bench.pool.statistics().failures.deaths, 0);
      }),
      { numRuns: 6 },
    );
  });
});

test.run();
