/** The echo benchmark's result as tables for a terminal, which are Markdown too. */
import type { BenchmarkResult, Figure, Group, Ratio } from '../report/model.ts';
import { printTable, range } from './report.mjs';

const FORMATS: Readonly<Record<string, (value: number) => string>> = {
  rate: (value) => (value / 1000).toFixed(value < 100_000 ? 1 : 0),
  data: (value) => value.toFixed(value < 100 ? 1 : 0),
  cpu: (value) => value.toFixed(0),
  memory: (value) => value.toFixed(1),
  calls: (value) => value.toFixed(value < 10 ? 3 : 0),
};
const whole = (value: number) => value.toFixed(0);
const HEADINGS: Readonly<Record<string, string>> = { rate: 'thousand messages/s' };
/** Those whose spread is worth its width. */
const WITH_SPREAD = new Set(['rate', 'cpu']);

const spread = ({ median, least, greatest }: Figure) => ({ median, min: least, max: greatest });

export function printMachine({
  machine,
  hosts,
  package: { version, build },
}: BenchmarkResult): void {
  const { cpu, cores, os, kernel, remarks = [] } = machine;
  console.log(`overlapped ${version} (${build})`);
  console.log([`${cpu} × ${cores}`, `${os} ${kernel}`, ...remarks].join(', '));
  console.log(hosts.map(({ name, version: of }) => `${name} ${of}`).join(', '));
}

function printGroup({ title, measures, rows }: Group): void {
  console.log(`\n## ${title}\n`);
  const heading = measures.map(({ id, label, unit }) => HEADINGS[id] ?? `${label}, ${unit}`);
  const table = [['server', ...heading]];
  for (const { name, figures, failed } of rows) {
    const cells = measures.map(({ id }) => {
      const figure = figures[id];
      const format = FORMATS[id] ?? whole;
      if (figure === undefined) return '–';
      return WITH_SPREAD.has(id) ? range(spread(figure), format) : format(figure.median);
    });
    table.push([failed === undefined ? name : `${name} (FAILED)`, ...cells]);
  }
  printTable(table);
}

/** The rate's ratio and the CPU's of one pair stand in one row. */
function printRatios({ ratios, groups }: BenchmarkResult): void {
  if (ratios.length === 0) return;
  const names = new Map(groups.flatMap(({ rows }) => rows.map(({ id, name }) => [id, name])));
  console.log('\n## Ratios, taken within each round: median (least–greatest)\n');
  console.log('Above 1 ours is better. rate: messages/s. CPU: the servers’ CPU time a message.');
  console.log('"hidden by spread": rounds disagree, so nothing can be said.\n');
  const heading = ['ours / other', 'workload', 'rate', 'CPU', 'promised', 'verdict'];
  const rows = [heading];
  const two = (value: number) => value.toFixed(2);
  const figure = (ratio: Ratio | undefined) =>
    ratio === undefined ? '–' : range(spread(ratio.value), two);
  for (const ratio of ratios) {
    const { of, to, measure, promised, verdict } = ratio;
    if (measure !== 'rate') continue;
    const cpu = ratios.find(
      (other) => other.of === of && other.to === to && other.measure === 'cpu',
    );
    rows.push([
      `${names.get(of) ?? of} / ${names.get(to) ?? to}`,
      of.slice(0, of.indexOf('/')),
      figure(ratio),
      figure(cpu),
      promised === undefined ? '' : `≥ ${Number(promised.toFixed(3))}`,
      verdict,
    ]);
  }
  printTable(rows);
}

export function printEcho(result: BenchmarkResult): void {
  for (const group of result.groups) printGroup(group);
  printRatios(result);
  printNotes(result);
}

export function printNotes({ notes }: BenchmarkResult): void {
  if (notes.length > 0) console.log('');
  for (const { kind, subject, text } of notes) {
    console.log(`${kind === 'failed' ? 'FAILED' : kind}: ${subject}: ${text}`);
  }
}

/** Three digits that matter, and all of those before the point. */
function threeDigits(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return value.toLocaleString('en-US', { maximumSignificantDigits: 3 });
}

export function printCurves({ curves }: BenchmarkResult): void {
  for (const { title, x, y, series } of curves) {
    console.log(`\n## ${title}\n`);
    const unit = (axis: { label: string; unit: string }) =>
      axis.unit === '' ? axis.label : `${axis.label}, ${axis.unit}`;
    console.log(`${unit(y)} against ${unit(x)}: median (least–greatest)\n`);
    const xs = [...new Set(series.flatMap(({ points }) => points.map(([at]) => at)))];
    xs.sort((a, b) => a - b);
    const rows = [[unit(x), ...series.map(({ name }) => name)]];
    for (const at of xs) {
      const cells = series.map(({ points }) => {
        const point = points.find(([px]) => px === at);
        if (point === undefined) return '–';
        const [, median, min, max] = point;
        return range({ median, min, max }, threeDigits);
      });
      rows.push([at.toLocaleString('en-US'), ...cells]);
    }
    printTable(rows);
  }
}
