import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { median, ratioByRound, spread, verdict } from '../../bench/echo/statistics.mjs';

test('median of odd and even counts, without changing what it was given', () => {
  const values = [5, 1, 3];
  assert.is(median(values), 3);
  assert.equal(values, [5, 1, 3]);
  assert.is(median([4, 1, 3, 2]), 2.5);
  assert.is(median([10, 9]), 9.5);
});

test('spread has median, least, greatest and count', () => {
  assert.equal(spread([3, 1, 2]), { median: 2, min: 1, max: 3, count: 3 });
});

test('a ratio is taken within each round, not of the medians', () => {
  // The machine halves its speed from round to round: both always differ by 2.
  const ratio = ratioByRound([200, 100, 50], [100, 50, 25]);
  assert.equal(ratio, { median: 2, min: 2, max: 2, count: 3 });
});

test('a round in which one of them failed does not count', () => {
  assert.equal(ratioByRound([10, undefined, 30], [10, 10, 10]), {
    median: 2,
    min: 1,
    max: 3,
    count: 2,
  });
  assert.is(ratioByRound([undefined], [1]), undefined);
});

test('a verdict is certain only where all rounds agree', () => {
  assert.is(verdict({ median: 1.3, min: 1.2, max: 1.4, count: 3 }, 1.2), 'yes');
  assert.is(verdict({ median: 1.3, min: 1.1, max: 1.4, count: 3 }, 1.2), 'yes?');
  assert.is(verdict({ median: 1.1, min: 1.0, max: 1.3, count: 3 }, 1.2), 'no?');
  assert.is(verdict({ median: 1.1, min: 1.0, max: 1.19, count: 3 }, 1.2), 'no');
  assert.is(verdict({ median: 1.1, min: 1.0, max: 1.2, count: 3 }, 1.2, 'most'), 'yes');
  assert.is(verdict({ median: 1.3, min: 1.1, max: 1.4, count: 3 }, 1.2, 'most'), 'no?');
});

test.run();
