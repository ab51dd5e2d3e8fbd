/** What was promised, whether it held, and by how much. */
import type { Interval } from './charts/intervals.ts';
import { find } from './check.ts';
import type { BenchmarkResult, Figure, Limit, Ratio, Verdict } from './model.ts';
import { type PromiseLine, ratioName, whereOf } from './tables.ts';
import { formatNumber } from './text.ts';

interface Kept {
  readonly line: PromiseLine;
  /** Reached against promised: 1 is the promise, above it is better. */
  readonly margin: Interval | undefined;
}

function ofRatio(result: BenchmarkResult, ratio: Ratio, promised: number): Kept {
  const { group, row, measure } = find(result, ratio.of, ratio.measure);
  const peer = find(result, ratio.to, ratio.measure).row;
  const { value, verdict } = ratio;
  return {
    line: {
      what: `${row.name} / ${peer.name}, ${measure.label}`,
      where: whereOf(group, row),
      promised: `≥ ${promised} ×`,
      reached: value,
      verdict,
    },
    margin: {
      name: ratioName(result, ratio),
      heading: group.title,
      value: scale(value, (part) => part / promised),
      verdict,
    },
  };
}

function ofLimit(
  result: BenchmarkResult,
  { row: id, measure: key, promised, verdict }: Limit,
): Kept {
  const { group, row, measure } = find(result, id, key);
  const reached = row.figures[key];
  const less = measure.better === 'less';
  const name = `${row.name}, ${measure.label}`;
  const drawable = reached !== undefined && reached.least > 0 && promised > 0;
  return {
    line: {
      what: name,
      where: whereOf(group, row),
      promised: `${less ? '≤' : '≥'} ${formatNumber(promised)} ${measure.unit}`,
      reached,
      verdict,
    },
    margin: drawable
      ? {
          name: `${name}, ${less ? '≤' : '≥'} ${formatNumber(promised)} ${measure.unit}`,
          heading: group.title,
          value: scale(reached, (part) => (less ? promised / part : part / promised)),
          verdict,
        }
      : undefined,
  };
}

/** The figure in other terms; the ends change places where the order turns. */
function scale(figure: Figure, convert: (part: number) => number): Figure {
  const [a, b] = [convert(figure.least), convert(figure.greatest)];
  return {
    median: convert(figure.median),
    least: Math.min(a, b),
    greatest: Math.max(a, b),
    samples: figure.samples,
  };
}

export function promisesOf(result: BenchmarkResult): readonly Kept[] {
  const ratios = result.ratios.flatMap((ratio) =>
    ratio.promised === undefined ? [] : [ofRatio(result, ratio, ratio.promised)],
  );
  return [...ratios, ...result.limits.map((limit) => ofLimit(result, limit))];
}

/** Intervals of one heading as neighbours, in the order in which the headings first come. */
export function byHeading(intervals: readonly Interval[]): Interval[] {
  const headings = [...new Set(intervals.map(({ heading }) => heading))];
  return headings.flatMap((heading) => intervals.filter((item) => item.heading === heading));
}

export function countVerdicts(promises: readonly Kept[]): ReadonlyMap<Verdict, number> {
  const counts = new Map<Verdict, number>();
  for (const { line } of promises) counts.set(line.verdict, (counts.get(line.verdict) ?? 0) + 1);
  return counts;
}

/** The ratios of a section's groups as intervals. */
export function ratioIntervals(result: BenchmarkResult, ratios: readonly Ratio[]): Interval[] {
  return byHeading(
    ratios.map((ratio) => ({
      name: ratioName(result, ratio),
      heading: find(result, ratio.of, ratio.measure).group.title,
      value: ratio.value,
      verdict: ratio.verdict,
      ...(ratio.promised === undefined ? {} : { promised: ratio.promised }),
    })),
  );
}
