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
  assert.equal(report?.calls, { median: 150, least: 150, greatest: 150, samples: 1 });
  assert.equal(report?.counters, {
    ...{ dequeues: 10, receiveCalls: 60, sendCalls: 80 },
    ...{ waits: 100_000, packets: 200_000 },
  });
  assert.is(report?.verdict, 'held');
});

test('the bound is the most, and rounds that disagree are marked', () => {
  const run = (calls: number) => ({ allMessages: 1_000, counters: counters(calls, 0, 0) });
  const verdict = (calls: number[]) => callsOf('ours', '50x16', calls.map(run), 200)?.verdict;
  assert.is(verdict([200, 200]), 'held');
  assert.is(verdict([201, 202]), 'missed');
  assert.is(verdict([190, 195, 210]), 'hidden by spread');
  assert.is(callsOf('ours', '1x1', [run(900)], undefined)?.verdict, undefined);
});

test('a round that failed and a server without counters say nothing', () => {
  const good = { allMessages: 1_000, counters: counters(1, 2, 3) };
  assert.is(callsOf('ours', '1x1', [undefined, good], undefined)?.calls.samples, 1);
  assert.is(callsOf('peer', '1x1', [{ allMessages: 5 }, undefined], undefined), undefined);
});

test.run();
