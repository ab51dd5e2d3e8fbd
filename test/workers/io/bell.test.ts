/** The bell: no ring is missed, whether the listener is awake or asleep. */
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BELL_BYTES, listenBell, ring } from '../../../src/workers/io/bell.ts';
import { until } from '../pool/pools.ts';

const BELL = 2;
/** By then a listener has gone to sleep. */
const ASLEEP_MS = 20;

function listening() {
  const words = new Int32Array(new SharedArrayBuffer(4 * BELL + BELL_BYTES));
  const heard = { times: 0, rings: 0 };
  const stop = listenBell(words, BELL, () => {
    heard.times++;
    heard.rings = Atomics.load(words, BELL);
  });
  return { words, heard, stop };
}

test('a ring is heard by who sleeps, by who is awake, and from within', async () => {
  const { words, heard, stop } = listening();
  try {
    assert.is(heard.times, 0);
    for (let round = 1; round <= 20; round++) {
      if (round % 2 === 0) await sleep(ASLEEP_MS);
      ring(words, BELL);
      await until(() => heard.rings === round);
    }
    // Many rings may be one call, but the last of them is not before the call.
    for (let i = 0; i < 1000; i++) ring(words, BELL);
    await until(() => heard.rings === 1020);
  } finally {
    stop();
  }
});

test('who has stopped listening is not called any more', async () => {
  const { words, heard, stop } = listening();
  ring(words, BELL);
  await until(() => heard.rings === 1);
  stop();
  const { times } = heard;
  ring(words, BELL);
  await sleep(ASLEEP_MS);
  assert.is(heard.times, times);
});

test.run();
