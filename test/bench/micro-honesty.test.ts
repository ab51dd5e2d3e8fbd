/** The micro benchmarks are only worth their figures if a version that does not do the work fails. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CORE, DIGEST_SEED, mix, PLAIN, type Version } from '../../bench/micro/case.ts';
import { type CaseResult, measureCase, type VersionResult } from '../../bench/micro/measure.ts';
import { resultOf } from '../../bench/micro/result.ts';
import { formatTable } from '../../bench/micro/table.ts';
import { checkResult } from '../../bench/report/check.ts';

const EFFORT = { rounds: 2, sampleMs: 0.2 };
const COUNT = 1000;

/** Squares of 0 to 999, and a digest of them. */
function honest(name: string): Version {
  const out = new Int32Array(COUNT);
  return {
    name,
    role: name === CORE ? 'own' : 'peer',
    steps: 1,
    step() {
      for (let index = 0; index < COUNT; index++) out[index] = Math.imul(index, index);
      return COUNT;
    },
    digest: () => out.reduce(mix, DIGEST_SEED),
  };
}

/** Says that it has done the work, and has not. */
function idle(name: string): Version {
  const out = new Int32Array(COUNT);
  return {
    ...honest(name),
    step: () => COUNT,
    digest: () => out.reduce(mix, DIGEST_SEED),
  };
}

function caseOf(...versions: readonly Version[]) {
  return {
    id: 'squares',
    section: 'Tests',
    title: 'Squares',
    unit: 'number',
    labels: {},
    promises: [{ of: CORE, to: PLAIN, atLeast: 1e9 }] as const,
    open: () => ({ versions }),
  };
}

function failuresOf({ versions }: CaseResult): Record<string, string | undefined> {
  return Object.fromEntries(versions.map(({ name, failed }) => [name, failed]));
}

test('versions that compute the same have figures and one checksum', async () => {
  const { versions } = await measureCase(caseOf(honest(CORE), honest(PLAIN)), EFFORT);
  const [first, second] = versions as [VersionResult, VersionResult];
  assert.is(first.failed, undefined);
  assert.is(second.failed, undefined);
  assert.is(first.checksum, second.checksum);
  assert.is(first.ns.length, EFFORT.rounds);
  assert.ok(first.ns.every((ns) => ns > 0 && Number.isFinite(ns)));
});

test('a version that computes nothing fails, and has no figure', async () => {
  const measured = await measureCase(caseOf(honest(CORE), honest(PLAIN), idle('quick')), EFFORT);
  const failures = failuresOf(measured);
  assert.is(failures[CORE], undefined);
  assert.is(failures[PLAIN], undefined);
  assert.match(failures.quick as string, /^checksum .* instead of /);
  assert.equal(measured.versions[2]?.ns, []);
});

test('of two that disagree nobody knows who is right: both fail', async () => {
  const failures = failuresOf(await measureCase(caseOf(honest(CORE), idle(PLAIN)), EFFORT));
  assert.match(failures[CORE] as string, /no two agree/);
  assert.match(failures[PLAIN] as string, /no two agree/);
});

test('a version that does nothing at all fails even where it is alone', async () => {
  const nothing = { ...idle(CORE), step: () => 0 };
  const failures = failuresOf(await measureCase(caseOf(nothing), EFFORT));
  assert.is(failures[CORE], 'it computed nothing');
});

test('a version that works only while it is watched fails', async () => {
  const good = honest('watched');
  let watched = true;
  const cheat: Version = {
    ...good,
    step: (index) => (watched ? good.step(index) : COUNT - 1),
    digest() {
      watched = false;
      return good.digest();
    },
  };
  const failures = failuresOf(
    await measureCase(caseOf(honest(CORE), honest(PLAIN), cheat), EFFORT),
  );
  assert.match(failures.watched as string, /a timed pass/);
  assert.is(failures[CORE], undefined);
});

const FACTS = {
  packageVersion: '1.2.3',
  build: 'test',
  startedAt: new Date(0),
  durationSeconds: 1,
  command: ['overlapped', 'bench', 'micro'],
  machine: { cpu: 'test', cores: 2, memoryBytes: 1, os: 'Test', kernel: '1' },
  notes: [],
};

async function resultWith(...versions: readonly Version[]) {
  const microCase = caseOf(...versions);
  const measured = await measureCase(microCase, EFFORT);
  const cases = new Map([[measured.id, measured]]);
  const host = { name: 'node', version: '1', cases, errors: new Map<string, string>() };
  return resultOf([microCase], [host], FACTS);
}

test('a run with a failed version has failed; one with a missed promise has not', async () => {
  const bad = await resultWith(honest(CORE), honest(PLAIN), idle('quick'));
  assert.is(bad.failed, true);
  assert.match(formatTable(bad.result), /Squares: quick +node +FAILED +checksum/);
  const good = await resultWith(honest(CORE), honest(PLAIN));
  assert.is(good.failed, false);
  assert.is(good.result.ratios[0]?.verdict, 'missed');
  assert.match(formatTable(good.result), /≥ 1000000000 × good JavaScript: missed/);
  for (const { result } of [bad, good]) assert.ok(checkResult(JSON.parse(JSON.stringify(result))));
});

test('a case that ends with an exception fails the run', () => {
  const microCase = caseOf(honest(CORE));
  const errors = new Map([['squares', 'no memory']]);
  const host = { name: 'node', version: '1', cases: new Map<string, CaseResult>(), errors };
  const { result, failed } = resultOf([microCase], [host], FACTS);
  assert.is(failed, true);
  assert.equal(result.notes, [{ kind: 'failed', subject: 'Squares in node', text: 'no memory' }]);
});

test.run();
