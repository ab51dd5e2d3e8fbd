import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Pool } from '../../src/core/index.ts';
import { SHARED_VARIANTS, withCrew } from './crew.ts';

const THREADS = 4;
const TIMES = 30_000;

for (const { name, debug } of SHARED_VARIANTS) {
  test(`${name}: ${THREADS} threads never have one slot at the same time`, async () => {
    await withCrew(THREADS, debug, async (crew) => {
      // Fewer slots than the threads would like, so that the list is often empty.
      const capacity = 6;
      const pool = Pool.create(crew.core, { capacity });
      const owners = crew.core.reserve(capacity * 4);
      const results = await Promise.all(
        Array.from({ length: THREADS }, (_, index) =>
          crew.start('churn', { pool: pool.address, owners, id: index + 1, times: TIMES }),
        ),
      );
      for (const { faults, taken } of results) {
        assert.is(faults, 0);
        assert.ok(taken > 0);
      }
      assert.is(pool.inUse, 0);
      const slots = new Set(Array.from({ length: capacity }, () => pool.acquire()));
      assert.is(slots.has(undefined), false);
      assert.is(slots.size, capacity, 'every slot is back in the list, once');
      assert.is(pool.acquire(), undefined);
    });
  });
}

test.run();
