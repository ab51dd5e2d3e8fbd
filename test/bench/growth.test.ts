import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LoadFigures } from '../../bench/echo/processes.mjs';
import { AXES, type GrowthAxis } from '../../bench/growth/axes.ts';
import { curvesOf, failureNotes, runAxis, titleOf } from '../../bench/growth/run.ts';
import { checkResult } from '../../bench/report/check.ts';

const axisOf = (id: string) => AXES.find((axis) => axis.id === id) as GrowthAxis;

function run(more: Partial<LoadFigures>): LoadFigures {
  return {
    ...{ messages: 1, messagesPerSecond: 1, p50Us: 1, p99Us: 2, p999Us: 3, allMessages: 2 },
    ...{ loadIdleShare: 0.5, ...more },
  };
}

test('an axis ascends, its points can be told apart, and its choices are there', () => {
  for (const { id, points, variants, quickPoints, quickVariants, x } of AXES) {
    const xs = points.map((point) => point.x);
    assert.equal(
      xs,
      [...xs].sort((a, b) => a - b),
      id,
    );
    if (x.log) assert.ok(Number(xs[0]) > 0, id);
    assert.is(new Set(points.map(({ workload }) => workload.text)).size, points.length, id);
    assert.is(new Set(variants.map(titleOf)).size, variants.length, id);
    for (const at of quickPoints) assert.ok(points[at] !== undefined, id);
    for (const at of quickVariants) assert.ok(variants[at] !== undefined, id);
  }
});

test('the axes reach as far as they should', () => {
  const ends = (id: string) => {
    const { points } = axisOf(id);
    return [points[0]?.x, points.at(-1)?.x];
  };
  assert.equal(ends('connections'), [1, 10_000]);
  assert.equal(ends('size'), [16, 2 ** 20]);
  assert.equal(ends('receives'), [1, 64]);
  assert.equal(ends('active'), [0.1, 100]);
  const { points } = axisOf('active');
  assert.ok(points.every(({ workload }) => workload.connections === 10_000));
  assert.equal(
    points.map(({ workload }) => workload.active),
    [10, 100, 1000, 10_000],
  );
});

test('each run gets its point, its server and its variables', async () => {
  const axis = axisOf('workers');
  const seen: string[] = [];
  const [pinned, , shared] = axis.variants;
  await runAxis(
    axis,
    axis.points.slice(0, 2),
    [pinned!, shared!],
    1,
    async (server, point, env) => {
      const { WORKERS, SCHEDULING } = env;
      seen.push(`${server} ${point.x} ${WORKERS} ${SCHEDULING}`);
      return run({});
    },
  );
  assert.equal(seen, [
    'overlapped-uring-worker 1 1 pinned',
    'overlapped-uring-worker 1 1 shared',
    'overlapped-uring-worker 2 2 pinned',
    'overlapped-uring-worker 2 2 shared',
  ]);
});

test('a curve has the median and the spread of the rounds; a failed point is left out', async () => {
  const axis = axisOf('size');
  const variants = axis.variants.slice(0, 2);
  let round = 0;
  const runs = await runAxis(axis, axis.points.slice(0, 2), variants, 3, async (server, { x }) => {
    if (server === variants[1]?.server && x > 16) throw new Error('a wrong byte');
    // By round, as each round begins with the first point and server, or ends with it.
    round++;
    return run({ messagesPerSecond: 1e6 * round, serverCpuNsPerMessage: x });
  });
  const curves = curvesOf(runs);
  assert.equal(
    curves.map(({ id }) => id),
    ['size-cpu', 'size-data'],
  );
  const [cpu, data] = curves;
  assert.equal(cpu?.series[0]?.points, [
    [16, 16, 16, 16],
    [64, 64, 64, 64],
  ]);
  assert.equal(cpu?.series[1]?.points, [[16, 16, 16, 16]]);
  const [x, median, least, greatest] = data?.series[0]?.points[0] ?? [0, 0, 0, 0];
  assert.is(x, 16);
  assert.ok(least < median && median < greatest);
  assert.is(failureNotes(runs).length, 3);
  const result = {
    ...{ format: 'overlapped-benchmark', version: 1, kind: 'growth', durationSeconds: 1 },
    ...{ package: { version: '1', build: 'x' }, startedAt: new Date(0).toISOString() },
    ...{ command: ['overlapped'], groups: [], ratios: [], limits: [], curves },
    hosts: [{ name: 'node', version: '20' }],
    machine: { cpu: 'a', cores: 2, memoryBytes: 1, os: 'b', kernel: 'c' },
    notes: failureNotes(runs),
  };
  checkResult(JSON.parse(JSON.stringify(result)));
});

test('what the system does not tell makes no curve', async () => {
  const axis = axisOf('connections');
  const runs = await runAxis(
    axis,
    axis.points.slice(0, 1),
    axis.variants.slice(0, 1),
    1,
    async () => run({ serverCpuNsPerMessage: 0 }),
  );
  assert.equal(
    curvesOf(runs).map(({ id }) => id),
    ['connections-rate'],
  );
});

test.run();
