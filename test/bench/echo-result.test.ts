/** From rounds to the shape that the report reads: figures, ratios, and what is not to be believed. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Comparison, EchoServer } from '../../bench/echo/catalogue.ts';
import type { LoadFigures } from '../../bench/echo/processes.mjs';
import {
  type EchoRuns,
  failureNotes,
  groupsOf,
  loadLimitNotes,
  lossesOf,
  ratiosOf,
} from '../../bench/echo/result.ts';
import { type Failure, parseWorkload } from '../../bench/echo/rounds.mjs';
import { checkResult } from '../../bench/report/check.ts';
import { figureOf, type Measure } from '../../bench/report/model.ts';

const CATALOGUE: Readonly<Record<string, EchoServer>> = {
  ours: { title: 'ours', role: 'own', host: 'node' },
  peer: { title: 'the peer', role: 'peer' },
};
const CALLS: Measure = { id: 'calls', label: 'calls', unit: 'calls/message', better: 'less' };

function run(messagesPerSecond: number, more: Partial<LoadFigures> = {}): LoadFigures {
  return {
    ...{ messages: 1000, messagesPerSecond, p50Us: 1, p99Us: 2, p999Us: 3, allMessages: 1500 },
    ...{ serverCpuNsPerMessage: 1e9 / messagesPerSecond, loadIdleShare: 0.5, ...more },
  };
}

function runsOf(
  ours: readonly (LoadFigures | undefined)[],
  peer: readonly (LoadFigures | undefined)[],
  { promised, failures = [] }: { promised?: Comparison[2]; failures?: readonly Failure[] } = {},
): EchoRuns {
  return {
    results: [{ workload: parseWorkload('2x3'), runs: { ours: [...ours], peer: [...peer] } }],
    ...{ failures, servers: ['ours', 'peer'], catalogue: CATALOGUE, size: 100 },
    calls: { measure: CALLS, figures: new Map([['2x3/ours', figureOf([0.25])]]) },
    comparisons: [promised === undefined ? ['ours', 'peer'] : ['ours', 'peer', promised]],
  };
}

const rates = (...values: number[]) => values.map((value) => run(value));
const ratio = (all: EchoRuns, measure: string) =>
  ratiosOf(all).find((found) => found.measure === measure);

test('a row has the figures of all rounds; what was not measured is absent', () => {
  const ours = [1e6, 3e6, 2e6].map((value) => run(value, { serverResidentBytes: 3 * 2 ** 20 }));
  const [group] = groupsOf(runsOf(ours, rates(1, 2, 3)));
  const [own, peer] = group?.rows ?? [];
  assert.equal(own?.figures.rate, { median: 2e6, least: 1e6, greatest: 3e6, samples: 3 });
  // Frames of 100 bytes.
  assert.is(own?.figures.data?.median, 200);
  assert.is(own?.figures.memory?.median, 3);
  assert.is(own?.figures.calls?.median, 0.25);
  assert.is(own?.host, 'node');
  assert.equal(Object.keys(peer?.figures ?? {}), ['rate', 'data', 'cpu', 'p50', 'p99', 'p999']);
  assert.not.ok('host' in (peer ?? {}));
  assert.is(group?.title, '2 connections × 3 in flight, 100 B');
  assert.is(group?.measures[0].id, 'rate');
});

test('a CPU time that the system does not know is no figure', () => {
  const [group] = groupsOf(runsOf([run(5, { serverCpuNsPerMessage: 0 })], rates(1)));
  assert.is(group?.rows[0]?.figures.cpu, undefined);
  assert.is(ratio(runsOf([run(5, { serverCpuNsPerMessage: 0 })], rates(1)), 'cpu'), undefined);
});

test('ratios are taken within rounds: a machine that slows down changes none', () => {
  const all = runsOf(rates(300, 150, 75), rates(200, 100, 50), { promised: 1.2 });
  assert.equal(ratio(all, 'rate')?.value, { median: 1.5, least: 1.5, greatest: 1.5, samples: 3 });
  assert.is(ratio(all, 'rate')?.verdict, 'held');
  // Less CPU is better, so above 1 again; nothing is promised of it.
  assert.is(ratio(all, 'cpu')?.value.median, 1.5);
  assert.is(ratio(all, 'cpu')?.promised, undefined);
});

test('rounds that disagree, and a single one, hide the answer', () => {
  const verdict = (...ours: number[]) =>
    ratio(runsOf(rates(...ours), rates(...ours.map(() => 100)), { promised: 1.2 }), 'rate')
      ?.verdict;
  assert.is(verdict(130, 140), 'held');
  assert.is(verdict(110, 119), 'missed');
  assert.is(verdict(110, 130), 'hidden by spread');
  assert.is(verdict(500), 'hidden by spread');
});

test('a promise is one for all workloads or one for each', () => {
  const promised = (bounds: Comparison[2]) =>
    ratio(runsOf(rates(1, 1), rates(1, 1), { promised: bounds }), 'rate')?.promised;
  assert.is(promised(1.2), 1.2);
  assert.is(promised({ '2x3': 0.5 }), 0.5);
  assert.is(promised({ '1x1': 0.5 }), undefined);
});

test('a round that failed counts in no ratio, and its row is marked', () => {
  const failures = [{ server: 'peer', workload: '2x3', round: 1, message: 'load: byte 3 is 1' }];
  const all = runsOf(rates(2, 9, 4), [run(1), undefined, run(2)], { failures });
  assert.is(ratio(all, 'rate')?.value.samples, 2);
  const [own, peer] = groupsOf(all)[0]?.rows ?? [];
  assert.is(own?.failed, undefined);
  assert.is(peer?.failed, 'load: byte 3 is 1');
  assert.equal(failureNotes(all), [
    { kind: 'failed', subject: 'the peer, 2x3', text: 'round 2: load: byte 3 is 1' },
  ]);
});

test('where ours is behind is said, and only there', () => {
  const losses = (ours: number[]) => {
    const all = runsOf(rates(...ours), rates(100, 100), { promised: 1.2 });
    return lossesOf(all, ratiosOf(all)).map(({ text }) => text);
  };
  assert.equal(losses([80, 90]), ['messages/s against the peer: 2x3 0.85 (0.80–0.90)']);
  // Missed, but ahead.
  assert.equal(losses([110, 115]), []);
  assert.equal(losses([90, 110]), []);
});

test('a load that never waited is told of', () => {
  const busy = [run(9, { loadIdleShare: 0.01 }), run(9, { loadIdleShare: 0 })];
  const [note] = loadLimitNotes(runsOf(busy, rates(1, 1)));
  assert.match(note?.text ?? '', /its limit.*: ours$/);
  const once = [run(9, { loadIdleShare: 0.01 }), run(9)];
  assert.equal(loadLimitNotes(runsOf(once, rates(1, 1))), []);
});

test('all of it is a result that the report takes', () => {
  const failures = [{ server: 'peer', workload: '2x3', round: 0, message: 'closed' }];
  const all = runsOf(rates(1, 2), [undefined, undefined], { failures });
  const result = {
    ...{ format: 'overlapped-benchmark', version: 1, kind: 'echo', durationSeconds: 1 },
    ...{ package: { version: '1', build: 'x' }, startedAt: new Date(0).toISOString() },
    ...{ command: ['overlapped'], hosts: [{ name: 'node', version: '20' }] },
    machine: { cpu: 'a', cores: 2, memoryBytes: 1, os: 'b', kernel: 'c' },
    ...{ groups: groupsOf(all), ratios: ratiosOf(all), limits: [], curves: [] },
    notes: failureNotes(all),
  };
  checkResult(JSON.parse(JSON.stringify(result)));
});

test.run();
