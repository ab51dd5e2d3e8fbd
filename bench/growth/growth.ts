/** Cost against what grows: connections, message size, active share, receives, workers. */
import { availableParallelism } from 'node:os';
import {
  announce,
  type Bench,
  type EchoBenchOptions,
  EchoOptionError,
  leftOut,
  remark,
  resultOf,
  usable,
} from '../echo/bench.ts';
import { type Cores, measure } from '../echo/measure.ts';
import { RunProgress } from '../echo/output.ts';
import type { BenchmarkResult, Note } from '../report/model.ts';
import { AXES, type GrowthAxis } from './axes.ts';
import { curvesOf, failureNotes, runAxis } from './run.ts';

/** Cores for a server with several threads: all but the load's, where that leaves two. */
function spreadCores(cores: Cores): Cores {
  const available = availableParallelism();
  if (cores.load === undefined || available < 3) return {};
  const others = Array.from({ length: available }, (_, core) => core);
  return { server: others.filter((core) => core !== cores.load).join(','), load: cores.load };
}

function chooseAxes({ axes }: EchoBenchOptions): readonly GrowthAxis[] {
  const unknown = axes?.find((id) => !AXES.some((axis) => axis.id === id));
  if (unknown !== undefined) {
    throw new EchoOptionError(
      `no axis ${unknown}; there are ${AXES.map(({ id }) => id).join(', ')}`,
    );
  }
  return axes === undefined ? AXES : AXES.filter(({ id }) => axes.includes(id));
}

export async function runGrowth(bench: Bench): Promise<BenchmarkResult> {
  const { options, settings, load, cores } = bench;
  const notes = [...bench.notes];
  const plans = chooseAxes(options).map((axis) => {
    const isQuick = options.quick;
    const points = isQuick ? axis.quickPoints.map((at) => axis.points[at]!) : axis.points;
    const named = (name: string) => options.servers?.includes(name) ?? true;
    const chosen = isQuick ? axis.quickVariants.map((at) => axis.variants[at]!) : axis.variants;
    const wanted = chosen.filter(({ server }) => named(server));
    const names = usable(
      wanted.map(({ server }) => server),
      bench,
      notes,
    );
    return { axis, points, variants: wanted.filter(({ server }) => names.includes(server)) };
  });
  const runs = plans.reduce(
    (sum, { points, variants }) => sum + points.length * variants.length,
    0,
  );
  announce(bench, runs * settings.rounds);
  const progress = new RunProgress();
  const curves: BenchmarkResult['curves'][number][] = [];
  let before = 0;
  for (const { axis, points, variants } of plans) {
    if (variants.length === 0) {
      notes.push(leftOut(axis.title, 'none of its servers can run here'));
      continue;
    }
    const found = await runAxis(
      axis,
      points,
      variants,
      settings.rounds,
      (server, { workload }, env, spreads) =>
        measure(load, server, workload, settings, spreads ? spreadCores(cores) : cores, env),
      (done, _all, text) =>
        progress.show(before + done, runs * settings.rounds, `${axis.id}  ${text}`),
    );
    before += points.length * variants.length * settings.rounds;
    curves.push(...curvesOf(found));
    notes.push(...failureNotes(found));
    if (axis.spreads && spreadCores(cores).load === undefined) {
      const text = `the load has no core to itself here: ${availableParallelism()} cores`;
      notes.push(remark(axis.title, text));
    }
  }
  progress.end();
  return resultOf(bench, 'growth', { groups: [], ratios: [], curves, notes: unique(notes) });
}

/** A server that is left out of several axes is told of once. */
function unique(notes: readonly Note[]): Note[] {
  return [...new Map(notes.map((note) => [JSON.stringify(note), note])).values()];
}
