import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Lock } from '../../src/core/index.ts';
import { SHARED_VARIANTS, withCrew } from './crew.ts';

const THREADS = 4;
const TIMES = 20_000;

for (const { name, debug } of SHARED_VARIANTS) {
  for (const timed of [false, true]) {
    const way = timed ? 'with deadlines' : 'without deadlines';
    test(`${name}: ${THREADS} threads under one lock lose no increment, ${way} (R2)`, async () => {
      await withCrew(THREADS, debug, async (crew) => {
        const lock = Lock.create(crew.core);
        const counter = crew.core.reserve(4);
        const task = { lock: lock.address, counter, times: TIMES };
        await Promise.all(
          Array.from({ length: THREADS }, (_, id) =>
            // Both ways of waiting on one lock, in the second round.
            crew.start('increment', { ...task, timed: timed && id % 2 === 0 }),
          ),
        );
        assert.is(crew.core.i32[counter >>> 2], THREADS * TIMES);
        assert.is(lock.tryAcquire(), true);
      });
    });
  }

  test(`${name}: a thread that sleeps on the lock is woken by its release`, async () => {
    await withCrew(1, debug, async (crew) => {
      const lock = Lock.create(crew.core);
      const counter = crew.core.reserve(4);
      lock.acquire();
      const task = { lock: lock.address, counter, times: 1, timed: false };
      const done = crew.start('increment', task);
      // 2: contended, so the thread sleeps or is about to.
      while (Atomics.load(crew.core.i32, lock.address >>> 2) !== 2) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      assert.is(crew.core.i32[counter >>> 2], 0);
      lock.release();
      await done;
      assert.is(crew.core.i32[counter >>> 2], 1);
    });
  });
}

test.run();
