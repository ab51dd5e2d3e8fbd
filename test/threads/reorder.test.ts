import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ReorderBuffer, Sequencer } from '../../src/core/index.ts';
import { SHARED_VARIANTS, withCrew } from './crew.ts';

const THREADS = 3;
const COUNT = 20_000;
/** All numbers may be pending: a thread can be held up for as long as the others need. */
const WINDOW = 2 ** 16;

for (const { name, debug } of SHARED_VARIANTS) {
  for (const next of [0, 2 ** 32 - 30_000]) {
    test(`${name}: what ${THREADS} threads finish out of order is processed in order, from ${next} (R3, R4)`, async () => {
      await withCrew(THREADS, debug, async (crew) => {
        const { core } = crew;
        const sequencer = Sequencer.create(core, next);
        const buffer = ReorderBuffer.create(core, { next, window: WINDOW });
        const log = core.reserve((2 + THREADS * COUNT) * 4);
        const task = { sequencer: sequencer.address, buffer: buffer.address, log, count: COUNT };
        const results = await Promise.all(
          Array.from({ length: THREADS }, (_, id) => crew.start('reorder', { ...task, id })),
        );
        let processed = 0;
        for (const result of results) {
          assert.is(result.faults, 0, 'two threads processed at the same time');
          processed += result.processed;
        }
        assert.is(processed, THREADS * COUNT);
        for (let i = 0; i < THREADS * COUNT; i++) {
          const wanted = ((next + i) % 2 ** 32) % 2 ** 31;
          if (core.i32[(log >>> 2) + 2 + i] !== wanted) assert.unreachable(`entry ${i}`);
        }
        assert.is(buffer.stored, 0);
        assert.is(buffer.processing, false);
        assert.is(buffer.next, (next + THREADS * COUNT) % 2 ** 32);
      });
    });
  }
}

test.run();
