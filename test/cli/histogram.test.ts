/** Percentiles against sorted values. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Histogram } from '../../src/cli/histogram.ts';
import { check, fc } from '../support/property.ts';

test('nothing recorded', () => {
  const histogram = new Histogram();
  assert.equal([histogram.percentile(50), histogram.max, histogram.total], [0, 0, 0]);
});

test('small values are exact', () => {
  const histogram = new Histogram();
  for (let value = 0; value < 64; value++) histogram.record(value);
  assert.equal([histogram.percentile(50), histogram.percentile(100)], [31, 63]);
});

test('percentiles are within 1.6 % above the true value', async () => {
  const values = fc.array(fc.double({ min: 0, max: 2 ** 40, noNaN: true }), { minLength: 1 });
  await check(
    fc.property(values, fc.constantFrom(0, 1, 50, 90, 99, 99.9, 100), (values, percent) => {
      const histogram = new Histogram();
      for (const value of values) histogram.record(value);
      const sorted = values.toSorted((a, b) => a - b);
      const index = Math.max(1, Math.ceil((sorted.length * percent) / 100)) - 1;
      const exact = sorted[index] as number;
      const found = histogram.percentile(percent);
      assert.ok(found >= Math.min(exact, Math.floor(exact)), `${found} is below ${exact}`);
      assert.ok(found <= exact * 1.016 + 1, `${found} is far above ${exact}`);
      assert.is(histogram.max, sorted.at(-1));
    }),
  );
});

test.run();
