import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Arena } from '../../src/core/index.ts';
import { SHARED_VARIANTS, withCrew } from './crew.ts';

const THREADS = 3;

for (const { name, debug } of SHARED_VARIANTS) {
  test(`${name}: ${THREADS} threads share an arena and nobody writes another's block`, async () => {
    await withCrew(THREADS, debug, async (crew) => {
      const sizeBytes = 1 << 16;
      const arena = Arena.create(crew.core, { sizeBytes });
      const faults = await Promise.all(
        Array.from({ length: THREADS }, (_, index) =>
          crew.start('allocate', { arena: arena.address, id: index + 1, times: 20_000 }),
        ),
      );
      assert.equal(faults, [0, 0, 0]);
      assert.is(arena.usedBytes, 0);
      assert.type(arena.alloc(sizeBytes), 'number');
    });
  });
}

test.run();
