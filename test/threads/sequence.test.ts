import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Sequencer } from '../../src/core/index.ts';
import { SHARED_VARIANTS, withCrew } from './crew.ts';

const THREADS = 4;
const COUNT = 250_000;

for (const { name, debug } of SHARED_VARIANTS) {
  test(`${name}: ${THREADS} threads take every number once (R1)`, async () => {
    await withCrew(THREADS, debug, async (crew) => {
      const sequencer = Sequencer.create(crew.core);
      const marks = crew.core.reserve(THREADS * COUNT * 4);
      const task = { sequencer: sequencer.address, marks, count: COUNT };
      await Promise.all(Array.from({ length: THREADS }, () => crew.start('number', task)));
      const counts = crew.core.i32.subarray(marks >>> 2, (marks >>> 2) + THREADS * COUNT);
      assert.ok(counts.every((count) => count === 1));
      assert.is(sequencer.peek(), THREADS * COUNT);
    });
  });
}

test.run();
