import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Sequencer } from '../../src/core/index.ts';
import { SHARED_VARIANTS, withCrew } from './crew.ts';

const THREADS = 4;
const COUNT = 1_000_000;

for (const { name, debug } of SHARED_VARIANTS) {
  test(`${name}: ${THREADS} threads take every number once (R1)`, async () => {
    await withCrew(THREADS, debug, async (crew) => {
      const sequencer = Sequencer.create(crew.core);
      const task = { sequencer: sequencer.address, count: COUNT };
      const results = await Promise.all(
        Array.from({ length: THREADS }, () => crew.start('number', task)),
      );
      const total = THREADS * COUNT;
      let sum = 0;
      for (const result of results) {
        assert.is(result.faults, 0);
        sum += result.sum;
      }
      assert.is(sum, (total * (total - 1)) / 2);
      assert.is(sequencer.peek(), total);
    });
  });
}

test.run();
