/**
 * The real core under schedules: its atomic operations interleaved in every
 * way that the seeds give. Nothing goes wrong in it, and a fault put in goes
 * wrong soon.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assembleFibreCore } from '../../build/asyncify.ts';
import { listFiles } from '../../build/files.ts';
import {
  BROKEN_CASES,
  BROKEN_SCHEDULES_MAX,
  brokenMachine,
  divide,
  FINE_SHARES,
  SHARES,
  type Share,
} from './cores.ts';
import { describeViolation, explore, traceSchedule } from './explore.ts';
import { FibreMachine } from './fibres.ts';
import { orderScenario } from './scenarios/order.ts';
import type { Scenario } from './scenarios/scenario.ts';

const SCHEDULES = 200_000;
/** Of them with a stop at every plain access, too. */
const FINE_SCHEDULES = 20_000;
const SEED = 1;

const plainCore = await assembleFibreCore();
const fineCore = await assembleFibreCore({ everyAccess: true });
const plain = new FibreMachine(plainCore);
const fine = new FibreMachine(fineCore);
let done = 0;

function defineExploration(machine: FibreMachine, shares: readonly Share[], count: number): void {
  const everyAccess = machine === fine;
  for (const { scenario, count: share } of divide(shares, count)) {
    const title = `${scenario.name}${everyAccess ? ', stopped at every access' : ''}`;
    test(`${title}: nothing goes wrong in ${share} schedules`, () => {
      const { violation, schedules } = explore(machine, scenario, share, SEED);
      done += schedules;
      if (violation === undefined) return;
      assert.unreachable(describeViolation(machine, scenario, violation.seed, everyAccess));
    });
  }
}

defineExploration(plain, SHARES, SCHEDULES - FINE_SCHEDULES);
defineExploration(fine, FINE_SHARES, FINE_SCHEDULES);

test(`these were ${SCHEDULES} schedules`, () => {
  assert.ok(done >= SCHEDULES, `only ${done}`);
});

for (const broken of BROKEN_CASES) {
  const { name, scenario, found } = broken;
  test(`broken on purpose: ${name}: found`, async () => {
    const machine = await brokenMachine(broken);
    const { violation } = explore(machine, scenario, BROKEN_SCHEDULES_MAX, SEED);
    if (violation === undefined) throw new Error('nothing went wrong');
    assert.match(violation.message, found);
    // The seed alone leads there again.
    assert.is(
      traceSchedule(machine, scenario, violation.seed).at(-1),
      `VIOLATION ${violation.message}`,
    );
  });
}

function digest(machine: FibreMachine, scenario: Scenario, seed: number): string {
  const text = traceSchedule(machine, scenario, seed).join('\n');
  return createHash('sha256').update(text).digest('hex');
}

test('a seed gives one schedule, on every machine', () => {
  const scenario = orderScenario(3, 2, 2);
  const other = new FibreMachine(plainCore);
  const forwards = Array.from({ length: 50 }, (_, seed) => digest(plain, scenario, seed));
  for (let seed = 49; seed >= 0; seed--) {
    assert.is(digest(other, scenario, seed), forwards[seed], `seed ${seed}`);
  }
});

test('seeds give different schedules', () => {
  const scenario = orderScenario(3, 2, 2);
  const seen = new Set(Array.from({ length: 500 }, (_, seed) => digest(plain, scenario, seed)));
  assert.ok(seen.size > 450, `${seen.size} of 500`);
});

test('no atomic operation of the core goes by another door', async () => {
  assert.ok(plainCore.operations.length > 5);
  const sources = (await listFiles('assembly')).filter((path) => path.endsWith('.ts'));
  assert.ok(sources.includes('assembly/lock.ts'));
  const others = sources.filter((path) => path !== 'assembly/atomic.ts');
  const texts = await Promise.all(others.map((path) => readFile(path, 'utf8')));
  const bad = others.filter((_, i) => /\batomic\s*\.|\bmemory\.atomic/.test(texts[i] as string));
  assert.equal(bad, []);
});

test.run();
