/** Interleaved rounds over the points of an axis, and the curves that they give. */
import { SERVERS } from '../echo/catalogue.ts';
import type { ServerEnv } from '../echo/measure.ts';
import type { LoadFigures } from '../echo/processes.mjs';
import { type Failure, runRounds, type WorkloadRuns } from '../echo/rounds.mjs';
import { type Curve, figureOf, type Note, type Series } from '../report/model.ts';
import type { GrowthAxis, GrowthCurve, GrowthPoint, Variant } from './axes.ts';

const SECTION = 'Growth';

export interface AxisRuns {
  readonly axis: GrowthAxis;
  readonly points: readonly GrowthPoint[];
  readonly variants: readonly Variant[];
  readonly results: readonly WorkloadRuns[];
  readonly failures: readonly Failure[];
}

/** Runs one server with one point's workload. */
export type MeasurePoint = (
  server: string,
  point: GrowthPoint,
  env: ServerEnv,
  spreads: boolean,
) => Promise<LoadFigures>;

export const titleOf = ({ server, title }: Variant): string =>
  title ?? SERVERS[server]?.title ?? server;

export async function runAxis(
  axis: GrowthAxis,
  points: readonly GrowthPoint[],
  variants: readonly Variant[],
  rounds: number,
  measure: MeasurePoint,
  progress?: (done: number, all: number, text: string) => void,
): Promise<AxisRuns> {
  const { results, failures } = await runRounds(
    variants.map(titleOf),
    points.map(({ workload }) => workload),
    rounds,
    (title, workload) => {
      const variant = variants.find((variant) => titleOf(variant) === title) as Variant;
      const point = points.find(({ workload: { text } }) => text === workload.text) as GrowthPoint;
      const env = { ...variant.env, ...point.env };
      return measure(variant.server, point, env, axis.spreads ?? false);
    },
    progress,
  );
  return { axis, points, variants, results, failures };
}

function seriesOf(runs: AxisRuns, variant: Variant, curve: GrowthCurve): Series[] {
  const { role, host } = SERVERS[variant.server] ?? { role: 'peer' as const };
  const points = runs.points.flatMap((point) => {
    const found = runs.results.find(({ workload }) => workload.text === point.workload.text);
    const good = (found?.runs[titleOf(variant)] ?? []).filter((run) => run !== undefined);
    const samples = good.map((run) => curve.value(run, point));
    const known = samples.filter((sample) => sample !== undefined && Number.isFinite(sample));
    if (known.length === 0 || known.length < samples.length) return [];
    const { median, least, greatest } = figureOf(known as number[]);
    return [[point.x, median, least, greatest] as const];
  });
  if (points.length === 0) return [];
  return [{ name: titleOf(variant), role, ...(host === undefined ? {} : { host }), points }];
}

export function curvesOf(runs: AxisRuns): Curve[] {
  const { axis } = runs;
  return axis.curves.flatMap((curve): Curve[] => {
    const series = runs.variants.flatMap((variant) => seriesOf(runs, variant, curve));
    if (series.length === 0) return [];
    return [
      {
        id: `${axis.id}-${curve.id}`,
        title: `${axis.title}: ${curve.title}`,
        about: axis.about,
        section: SECTION,
        x: axis.x,
        y: curve.y,
        better: curve.better,
        series,
      },
    ];
  });
}

export function failureNotes({ axis, failures }: AxisRuns): Note[] {
  return failures.map(({ server, workload, round, message }) => ({
    kind: 'failed',
    subject: `${server}, ${axis.id} ${workload}`,
    text: `round ${round + 1}: ${message}`,
  }));
}
