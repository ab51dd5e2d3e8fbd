/** Sleeping for what another worker may see: nothing is missed, and nobody is told who does not wait. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { SharedWaits } from '../../../src/workers/io/shared-waits.ts';

const SLOT = 2;

test('a tell between the look and the sleep is not missed', async () => {
  const mine = SharedWaits.create(4);
  const theirs = new SharedWaits(mine.words);
  let looks = 0;
  let isDone = false;
  const waiting = mine.waitWhile(SLOT, () => {
    looks++;
    // The second is another one who begins to wait just then.
    if (looks === 1) {
      theirs.tell(SLOT);
      Atomics.or(mine.words, SLOT, 1);
    }
    return looks < 2;
  });
  void waiting.then(() => {
    isDone = true;
  });
  // No time passes: it has not slept.
  await Promise.resolve();
  assert.ok(isDone);
  assert.is(looks, 2);
});

test('whoever sleeps looks again once it is told, all of them', async () => {
  const ours = SharedWaits.create(4);
  const theirs = new SharedWaits(ours.words);
  let holds = true;
  const sleepers = [ours, ours, theirs].map((waits) => waits.waitWhile(SLOT, () => holds));
  const other = ours.waitWhile(SLOT + 1, () => holds);
  holds = false;
  theirs.tell(SLOT);
  await Promise.all(sleepers);
  ours.tellAll();
  await other;
});

test('who is not waited for is not told', () => {
  const waits = SharedWaits.create(4);
  waits.tell(SLOT);
  waits.tellAll();
  assert.equal([...waits.words], [0, 0, 0, 0]);
  Atomics.or(waits.words, SLOT, 1);
  waits.tell(SLOT);
  waits.tell(SLOT);
  assert.equal([...waits.words], [0, 0, 2, 0]);
});

test.run();
