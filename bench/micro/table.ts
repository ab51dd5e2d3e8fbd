/** The result as a table for a terminal. */
import type { BenchmarkResult, Figure, Group, Limit, Ratio, Row } from '../report/model.ts';
import { CALLS, NATIVE, PLAIN } from './case.ts';
import { MEASURE } from './result.ts';

const HEADINGS = ['', 'host', 'ns', '±', '× JavaScript', '× naive', '× C', 'promise'] as const;

function digits(value: number): string {
  if (value >= 1000) return value.toFixed(0);
  return value >= 100 ? value.toFixed(1) : value.toFixed(2);
}

/** Half of what lies between the least and the greatest round, in per cent of the median. */
function spread({ least, greatest, median }: Figure): string {
  return `${((50 * (greatest - least)) / median).toFixed(0)} %`;
}

function times(ratio: Ratio | undefined): string {
  if (ratio === undefined) return '–';
  const hidden = ratio.verdict === 'hidden by spread' ? ' ?' : '';
  return `${digits(ratio.value.median)}${hidden}`;
}

function promiseText(promise: Ratio | Limit): string {
  const bound =
    'row' in promise ? `≤ ${promise.promised} ns` : `≥ ${promise.promised} × ${nameOf(promise.to)}`;
  return `${bound}: ${promise.verdict}`;
}

/** The version in a row's id. */
function nameOf(id: string): string {
  return id.split(' ').slice(2).join(' ');
}

function hostOf({ host, labels }: Row): string {
  return host ?? String(labels.beside ?? '');
}

/** One line for each version of this package's, with its ratios if it is the first. */
function linesOf(result: BenchmarkResult, group: Group): string[][] {
  const lines: string[][] = [];
  for (const host of new Set(group.rows.map(hostOf))) {
    const rows = group.rows.filter((row) => hostOf(row) === host);
    for (const row of rows) {
      if (row.failed !== undefined) {
        lines.push([`${group.title}: ${row.name}`, host, 'FAILED', row.failed]);
      }
    }
    for (const row of rows) {
      const figure = row.figures[MEASURE];
      if (row.role !== 'own' || figure === undefined) continue;
      const ratios = result.ratios.filter(({ of }) => of === row.id);
      const to = (name: string) => ratios.find((ratio) => nameOf(ratio.to) === name);
      const naive = ratios.find(
        ({ to }) => ![PLAIN, NATIVE, CALLS].includes(nameOf(to)) && isPeer(rows, to),
      );
      const promises = [
        ...ratios.filter(({ promised }) => promised !== undefined),
        ...result.limits.filter((limit) => limit.row === row.id),
      ];
      lines.push([
        row.name === 'core' ? group.title : `${group.title}: ${row.name}`,
        host,
        digits(figure.median),
        spread(figure),
        times(to(PLAIN)),
        naive === undefined ? '–' : `${times(naive)} (${nameOf(naive.to)})`,
        times(to(NATIVE)),
        promises.map(promiseText).join('; '),
      ]);
    }
  }
  return lines;
}

function isPeer(rows: readonly Row[], id: string): boolean {
  return rows.some((row) => row.id === id && row.role === 'peer');
}

/** Columns as wide as they must be; the last one as it is. */
function align(lines: readonly (readonly string[])[]): string {
  const widths = HEADINGS.map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) => {
          if (column === line.length - 1) return cell;
          const width = widths[column] as number;
          return column === 2 || column === 3 ? cell.padStart(width) : cell.padEnd(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function formatTable(result: BenchmarkResult): string {
  const sections = new Map<string, Group[]>();
  for (const group of result.groups) {
    sections.set(group.section, [...(sections.get(group.section) ?? []), group]);
  }
  const tables = [...sections].map(([section, groups]) => {
    const lines = groups.flatMap((group) => linesOf(result, group));
    return `${section}\n${align([[...HEADINGS], ...lines])}`;
  });
  const notes = result.notes.map(({ kind, subject, text }) => `${kind}: ${subject}: ${text}`);
  return [
    ...tables,
    [
      '× is how many times faster than that the core is, in the same rounds; ? where they disagree.',
      ...notes,
    ].join('\n'),
  ].join('\n\n');
}
