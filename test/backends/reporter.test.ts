import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { COMPLETION_BUFFER, COMPLETION_MORE, ERROR_RESET, NOTHING } from '#generated/layout';
import type { BackendHost } from '../../backends/backend.ts';
import type { Lookout } from '../../backends/stream/lookout.ts';
import { Reporter } from '../../backends/stream/reporter.ts';

/** A reporter whose host calls back only when told to. */
function rig(lookout?: Lookout) {
  const waiting: (() => void)[] = [];
  const hurried: (() => void)[] = [];
  const seen: number[] = [];
  let completed = 0;
  const host = {
    complete() {
      completed++;
    },
  } as unknown as BackendHost;
  const reporter = new Reporter(
    host,
    (pass) => waiting.push(pass),
    (pass) => hurried.push(pass),
    lookout,
  );
  reporter.attach(() => {
    seen.push(completed);
    completed = 0;
  });
  const fill = (count: number): void => {
    for (let index = 0; index < count; index++) reporter.filled(1, 64, index);
  };
  return { reporter, waiting, hurried, seen, fill };
}

test('a few receives wait for the pass that the host was asked for', () => {
  const { waiting, hurried, seen, fill } = rig();
  fill(31);
  assert.is(hurried.length, 0);
  assert.is(waiting.length, 1);
  waiting.shift()?.();
  assert.equal(seen, [31]);
});

test('many receives have a pass behind the event at hand, and again the next ones', () => {
  const { waiting, hurried, seen, fill } = rig();
  fill(33);
  assert.is(hurried.length, 1);
  hurried.shift()?.();
  assert.equal(seen, [33]);
  fill(31);
  assert.is(hurried.length, 0);
  fill(1);
  assert.is(hurried.length, 1);
  hurried.shift()?.();
  assert.equal(seen, [33, 32]);
  // The host was asked once, has nothing left to do, and is asked again by what follows.
  assert.is(waiting.length, 1);
  waiting.shift()?.();
  assert.equal(seen, [33, 32]);
  fill(2);
  assert.is(waiting.length, 1);
  waiting.shift()?.();
  assert.equal(seen, [33, 32, 2]);
});

test('what came after a hurried pass goes with the pass that was asked for before it', () => {
  const { waiting, hurried, seen, fill } = rig();
  fill(32);
  hurried.shift()?.();
  fill(5);
  assert.is(waiting.length, 1);
  waiting.shift()?.();
  assert.equal(seen, [32, 5]);
});

test('a pass that runs before the hurried one leaves it nothing to do', () => {
  const { waiting, hurried, seen, fill } = rig();
  fill(32);
  waiting.shift()?.();
  hurried.shift()?.();
  assert.equal(seen, [32]);
});

test('the receive of a single stream is in a hurry', () => {
  const { reporter, waiting, hurried, seen, fill } = rig();
  reporter.alone = true;
  fill(1);
  assert.is(hurried.length, 1);
  assert.is(waiting.length, 0);
  hurried.shift()?.();
  assert.equal(seen, [1]);
});

test('a lookout hears of receives, and of passes that leave nothing to do', () => {
  const heard: string[] = [];
  const lookout = {
    passed: () => heard.push('passed'),
    received: () => heard.push('received'),
  } as unknown as Lookout;
  const { reporter, waiting, fill } = rig(lookout);
  fill(2);
  waiting.shift()?.();
  assert.equal(heard, ['received', 'received', 'passed']);
  heard.length = 0;
  reporter.defer({ run: () => reporter.ask() });
  waiting.shift()?.();
  // It has asked for another pass: only that one is the last.
  assert.equal(heard, []);
  waiting.shift()?.();
  assert.equal(heard, ['passed']);
});

test('what was held back is completed with the numbers it had', () => {
  const seen: number[][] = [];
  const host = {
    complete: (...numbers: number[]) => seen.push(numbers),
  } as unknown as BackendHost;
  const passes: (() => void)[] = [];
  const reporter = new Reporter(
    host,
    (pass) => passes.push(pass),
    () => {},
  );
  // A token beyond 2^32, a negative result, no buffer.
  const token = 2 ** 51 + 5;
  reporter.begin(token, { cancel() {} });
  reporter.enter();
  reporter.filled(token, 65_536, 1023);
  reporter.finish(token, ERROR_RESET, 104);
  reporter.leave();
  assert.equal(seen, []);
  passes.shift()?.();
  assert.equal(seen, [
    [token, 65_536, COMPLETION_MORE | COMPLETION_BUFFER, 1023, 0],
    [token, ERROR_RESET, 0, NOTHING, 104],
  ]);
});

test.run();
