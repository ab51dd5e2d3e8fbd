/** Every case of the micro benchmarks: all its versions compute the same, those in C too. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { measureAllocation } from '../../bench/micro/allocation.ts';
import { CASES } from '../../bench/micro/cases/index.ts';
import { measureCase } from '../../bench/micro/measure.ts';
import { compileKernels, Kernels } from '../../bench/micro/native.ts';

const COMPARE = { rounds: 0, sampleMs: 0 };
const MESSAGES = 1_000_000;

test('names are unique, and sections have cases for --quick', () => {
  const ids = CASES.map(({ id }) => id);
  assert.is(new Set(ids).size, ids.length);
  for (const section of new Set(CASES.map((item) => item.section))) {
    assert.ok(
      CASES.some((item) => item.section === section && item.quick !== false && item.essential),
      section,
    );
  }
});

const compiled = await compileKernels();
if ('missing' in compiled) console.log(`not tested here: ${compiled.missing}`);
const kernels = 'program' in compiled ? new Kernels(compiled.program) : undefined;

for (const section of new Set(CASES.map((item) => item.section))) {
  test(`${section}: all versions compute the same`, async () => {
    for (const microCase of CASES.filter((item) => item.section === section)) {
      const { versions } = await measureCase(microCase, COMPARE, kernels);
      assert.ok(versions.length >= 2, microCase.id);
      for (const { name, failed } of versions) {
        assert.is(failed, undefined, `${microCase.id}, ${name}: ${failed}`);
      }
    }
  });
}

test('the kernels in C refuse what they do not know', async () => {
  if (kernels === undefined) return;
  const input = new Uint8Array(0);
  for (const kernel of ['nothing', 'decode', 'store', 'queue']) {
    let refused = false;
    await kernels.open({ kernel, numbers: [], input }).catch(() => {
      refused = true;
    });
    assert.ok(refused, kernel);
  }
});

test.after(() => kernels?.close());

test('the batch path allocates nothing for a message', async () => {
  const { messages, sampledBytes, sites } = await measureAllocation(MESSAGES);
  assert.is(messages, MESSAGES);
  // The smallest object has 12 bytes. What is left is a number or two a turn of 800 messages.
  const text = `${sampledBytes / messages} bytes a message: ${JSON.stringify(sites)}`;
  assert.ok(sampledBytes / messages < 1, text);
});

test.run();
