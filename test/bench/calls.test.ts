import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { callsOf } from '../../bench/echo/wine/calls.ts';

const counters = (dequeues: number, receiveCalls: number, sendCalls: number) => ({
  ...{ dequeues, receiveCalls, sendCalls },
  // Neither is a port call of the promise.
  ...{ waits: 1_000_000, packets: 2_000_000 },
});

test('dequeues, receives and sends count, by all messages of the run', () => {
  const runs = [{ allMessages: 10_000, counters: counters(100, 600, 800) }];
  const report = callsOf('ours', '50x16', runs, 200);
  assert.equal(report?.calls, { median: 150, min: 150, max: 150, count: 1 });
  assert.equal(report?.counters, {
    ...{ dequeues: 10, receiveCalls: 60, sendCalls: 80 },
    ...{ waits: 100_000, packets: 200_000 },
  });
  assert.is(report?.reached, 'yes');
});

test('the bound is the most, and rounds that disagree are marked', () => {
  const run = (calls: number) => ({ allMessages: 1_000, counters: counters(calls, 0, 0) });
  const reached = (calls: number[]) => callsOf('ours', '50x16', calls.map(run), 200)?.reached;
  assert.is(reached([200, 200]), 'yes');
  assert.is(reached([201, 202]), 'no');
  assert.is(reached([190, 195, 210]), 'yes?');
  assert.is(reached([190, 205, 210]), 'no?');
  assert.is(callsOf('ours', '1x1', [run(900)], undefined)?.reached, '');
});

test('a round that failed and a server without counters say nothing', () => {
  const good = { allMessages: 1_000, counters: counters(1, 2, 3) };
  assert.is(callsOf('ours', '1x1', [undefined, good], undefined)?.calls.count, 1);
  assert.is(callsOf('peer', '1x1', [{ allMessages: 5 }, undefined], undefined), undefined);
});

test.run();
