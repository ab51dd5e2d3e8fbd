import { setImmediate as nextRound } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { BackendHost } from '../../../backends/backend.ts';
import { Pacer } from '../../../backends/bun/pacer.ts';
import { Reporter } from '../../../backends/stream/reporter.ts';

/** A reporter that a pacer paces, as in the driver, and how many completions each `ready` found. */
function rig() {
  const pacer = new Pacer();
  const seen: number[] = [];
  let completed = 0;
  const host = {
    complete() {
      completed++;
    },
  } as unknown as BackendHost;
  const reporter = new Reporter(host, pacer.schedule, pacer.hurry);
  reporter.attach(() => {
    seen.push(completed);
    completed = 0;
  });
  /** A socket's event with so many receives. */
  const event = (receives = 1): void => {
    reporter.enter();
    for (let index = 0; index < receives; index++) reporter.filled(1, 64, index);
    reporter.leave();
    pacer.leave();
  };
  return { pacer, reporter, seen, event };
}

test('the receive of a single stream has its pass at the end of its event', async () => {
  const { reporter, seen, event } = rig();
  reporter.alone = true;
  event();
  assert.equal(seen, [1]);
  event(2);
  assert.equal(seen, [1, 2]);
  await nextRound();
  assert.equal(seen, [1, 2]);
});

test('with others there is one pass for all, behind their events', async () => {
  const { seen, event } = rig();
  event();
  event();
  assert.equal(seen, []);
  await nextRound();
  assert.equal(seen, [2]);
});

test('a hurried pass takes with it what was scheduled before', async () => {
  const { reporter, seen, event } = rig();
  event();
  reporter.alone = true;
  // It was asked for already; that will do.
  event();
  await nextRound();
  assert.equal(seen, [2]);
  event();
  assert.equal(seen, [2, 1]);
});

test('after a pass in a hurry the host is asked again', async () => {
  const { seen, event } = rig();
  event();
  event(31);
  assert.equal(seen, [32]);
  await nextRound();
  event();
  await nextRound();
  assert.equal(seen, [32, 1]);
});

test.run();
