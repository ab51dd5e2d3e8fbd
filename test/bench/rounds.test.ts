import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LoadFigures } from '../../bench/echo/processes.mjs';
import {
  loadArguments,
  parseSettings,
  parseWorkload,
  runRounds,
} from '../../bench/echo/rounds.mjs';

test('a workload is connections, frames in flight and perhaps their size', () => {
  assert.equal(parseWorkload('50x16'), {
    ...{ text: '50x16', connections: 50, inFlight: 16, size: undefined },
  });
  assert.is(parseWorkload('8x4x16384').size, 16384);
  for (const wrong of ['', '50', '50x', 'x16', '1x2x3x4', '1x-2', '0x1', '1x0', '1x1x0']) {
    assert.throws(() => parseWorkload(wrong), /a workload is/);
  }
});

test("a workload's own size goes before the one for all", () => {
  const settings = { size: 64, seconds: 2, warmup: 1 };
  const own = loadArguments(1234, parseWorkload('8x4x16384'), settings);
  assert.equal(own, ['127.0.0.1', 1234, 8, 4, 16384, 2, '--warmup', 1]);
  assert.is(loadArguments(1234, parseWorkload('8x4'), settings)[4], 64);
});

test('a workload of which only some connections are active says so', () => {
  const settings = { size: 64, seconds: 2, warmup: 1 };
  const workload = { ...parseWorkload('100x1'), active: 7 };
  assert.equal(loadArguments(1, workload, settings).slice(-2), ['--active', 7]);
});

test('settings are numbers above 0', () => {
  assert.equal(parseSettings({ rounds: '3', seconds: 0.5 }), { rounds: 3, seconds: 0.5 });
  for (const wrong of ['0', '-1', 'two', undefined]) {
    assert.throws(() => parseSettings({ rounds: wrong }), /--rounds: a number above 0/);
  }
});

test('rounds are interleaved, every second one backwards, and a failure stays in its place', async () => {
  const order: string[] = [];
  const steps: string[] = [];
  const { results, failures } = await runRounds(
    ['a', 'b'],
    [parseWorkload('1x1'), parseWorkload('2x2')],
    2,
    async (name, { text }) => {
      order.push(`${text} ${name}`);
      if (order.length === 2) throw new Error('a wrong byte');
      return { messagesPerSecond: order.length } as LoadFigures;
    },
    (done, all) => steps.push(`${done}/${all}`),
  );
  assert.equal(order, [
    ...['1x1 a', '1x1 b', '2x2 a', '2x2 b'],
    ...['1x1 b', '1x1 a', '2x2 b', '2x2 a'],
  ]);
  const [first] = results;
  assert.equal(first?.runs.b, [undefined, { messagesPerSecond: 5 }]);
  assert.equal(failures, [{ server: 'b', workload: '1x1', round: 0, message: 'a wrong byte' }]);
  assert.equal([steps[0], steps.at(-1)], ['0/8', '7/8']);
});

test.run();
