/** A group of rows by one measure: bars from zero, with the least and the greatest of the rounds. */
import { formatLabels } from '../labels.ts';
import type { Figure, Group, Measure, Row } from '../model.ts';
import { formatFigure, formatNumber, formatTick } from '../text.ts';
import {
  type DotOptions,
  draw,
  type Format,
  Plot,
  type RectOptions,
  textWidthPx,
  type Words,
} from './drawing.ts';
import { logTicks, rowNames, rowOptions, valueAxis } from './rows.ts';
import { layOut } from './slots.ts';

/** From here on bars from zero show nothing of the short ones. */
const WIDEST_LINEAR = 80;

interface Item {
  readonly row: Row;
  readonly figure: Figure | undefined;
  readonly name: string;
  readonly heading: string;
}

/** Rows that a chart of `measure` can say something about. */
export function chartedRows(group: Group, measure: Measure): readonly Row[] {
  return group.rows.filter(
    (row) => row.failed !== undefined || row.figures[measure.id] !== undefined,
  );
}

/** What stands above the rows of programs in C, where those of hosts have the host's name. */
const NO_HOST = 'no runtime';

/** Rows of different names make one list; rows of one name are told apart by headings. */
function toItems(group: Group, measure: Measure): Item[] {
  const rows = chartedRows(group, measure);
  const labelOf = (row: Row) => formatLabels(group, row);
  const labels = [...new Set(rows.map(labelOf))];
  const names = new Set(rows.map(({ name }) => name));
  const oneList = names.size === rows.length || names.size === 1;
  const items = rows.map((row): Item => {
    const figure = row.failed === undefined ? row.figures[measure.id] : undefined;
    const label = labelOf(row);
    if (labels.length === 1) return { row, figure, name: row.name, heading: '' };
    if (!oneList) return { row, figure, name: row.name, heading: label || NO_HOST };
    if (names.size === 1) return { row, figure, name: label || row.name, heading: '' };
    const told = label === '' || row.name.toLowerCase().includes(label.toLowerCase());
    return { row, figure, name: told ? row.name : `${row.name}, ${label}`, heading: '' };
  });
  if (oneList) return items;
  return labels.flatMap((label) => items.filter(({ row }) => labelOf(row) === label));
}

function describe(items: readonly Item[], { unit }: Measure): string {
  return items
    .map(({ row, figure, name, heading }) => {
      const who = heading === '' ? name : `${name} (${heading})`;
      const reason = row.failed === undefined ? 'not measured' : `failed: ${row.failed}`;
      return `${who}: ${figure === undefined ? reason : `${formatFigure(figure)} ${unit}`}`;
    })
    .join('; ');
}

export function axisLabel({ label, unit, better }: Measure): string {
  return `${label}${unit === '' || unit === label ? '' : ` (${unit})`}, ${better} is better`;
}

export function drawBars(id: string, format: Format, group: Group, measure: Measure): string {
  const items = toItems(group, measure);
  const figures = items.flatMap(({ figure }) => (figure === undefined ? [] : [figure]));
  const most = Math.max(0, ...figures.map(({ greatest }) => greatest));
  const least = Math.min(...figures.map((figure) => figure.least));
  const log = least > 0 && most / least > WIDEST_LINEAR;
  const slots = layOut(
    items,
    format,
    ({ name }) => name,
    ({ heading }) => heading,
  );
  const widestFigure = Math.max(
    0,
    ...figures.map(({ median }) => textWidthPx(formatNumber(median))),
  );
  const marginRight = Math.ceil(widestFigure) + 14;
  const domain: [number, number] = log ? [least / 1.6, most] : [0, most > 0 ? most : 1];
  const scale = {
    domain,
    log,
    label: `${axisLabel(measure)}${log ? ', logarithmic' : ''}`,
    tickFormat: (value: number) => formatTick(value),
    ...(log ? { ticks: logTicks(domain, format === 'wide' ? 7 : 4) } : {}),
  };
  const shown = slots.rows.flatMap((slot) => {
    const { figure, row } = slot.item;
    if (figure === undefined) return [];
    const { median, greatest } = figure;
    const half = slots.barPx / 2;
    const tip = `${slot.item.name}: ${formatFigure(figure)} ${measure.unit}`;
    return [
      {
        ...slot,
        ...figure,
        row,
        from: domain[0],
        y1: slot.y - half,
        y2: slot.y + half,
        end: Math.max(median, greatest),
        text: formatNumber(median),
        tip,
        cap1: slot.y - 4,
        cap2: slot.y + 4,
      },
    ];
  });
  const of = (role: Row['role']) => shown.filter(({ row }) => row.role === role);
  const bar = (role: Row['role'], style: RectOptions) =>
    Plot.rect(of(role), { x1: 'from', x2: 'median', y1: 'y1', y2: 'y2', title: 'tip', ...style });
  const dot = (role: Row['role'], style: DotOptions) =>
    Plot.dot(of(role), { x: 'median', y: 'y', r: 5, title: 'tip', ...style });
  // A bar's length means nothing where the axis has no zero.
  const mark = (role: Row['role'], fill: string, stroke: string) =>
    log
      ? dot(role, { fill, stroke, strokeWidth: 1.5 })
      : bar(role, { fill, stroke, strokeWidth: 1, insetLeft: 0.5, rx: 2 });
  const whisker = { stroke: 'var(--ink)', strokeWidth: 1.25 };
  const failed = slots.rows.filter(({ item }) => item.figure === undefined);
  const words: Words = {
    title: `${group.title}: ${measure.label}`,
    description: `${axisLabel(measure)}. Median, least and greatest of the rounds. ${describe(items, measure)}.`,
  };
  return draw(id, format, words, {
    ...rowOptions(slots, scale, marginRight),
    marks: [
      ...valueAxis(slots, format, scale, marginRight),
      mark('own', 'var(--own)', 'var(--own)'),
      mark('peer', 'var(--peer)', 'var(--peer)'),
      mark('ceiling', 'var(--ceiling)', 'var(--peer)'),
      Plot.ruleY(shown, { y: 'y', x1: 'least', x2: 'greatest', ...whisker }),
      Plot.ruleX(shown, { x: 'least', y1: 'cap1', y2: 'cap2', ...whisker }),
      Plot.ruleX(shown, { x: 'greatest', y1: 'cap1', y2: 'cap2', ...whisker }),
      Plot.ruleX([domain[0]], { stroke: 'var(--muted)' }),
      Plot.text(shown, {
        x: 'end',
        y: 'y',
        text: 'text',
        textAnchor: 'start',
        dx: log ? 9 : 7,
        fill: 'var(--ink)',
        fontVariant: 'tabular-nums',
      }),
      Plot.text(failed, {
        frameAnchor: 'left',
        y: 'y',
        text: ({ item }: { readonly item: Item }) =>
          item.row.failed === undefined ? 'not measured' : '✗ failed',
        textAnchor: 'start',
        dx: 7,
        fill: 'var(--bad)',
      }),
      ...rowNames(slots, format, ({ row }) => row.role === 'own'),
    ],
  });
}
