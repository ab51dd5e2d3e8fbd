/** Lines over something that grows, each with the band between its least and its greatest. */
import type { Axis, Curve, Series } from '../model.ts';
import { formatNumber, formatTick } from '../text.ts';
import { draw, type Format, Plot, type Words } from './drawing.ts';
import { logTicks } from './rows.ts';

/** How a series looks in the chart and in the legend; colour is never all that differs. */
export interface SeriesStyle {
  readonly colour: string;
  readonly dash: string;
  readonly symbol: (typeof SYMBOLS)[number];
  readonly widthPx: number;
}

export const COLOUR_COUNT = 8;
const SYMBOLS = ['circle', 'square', 'triangle', 'diamond', 'star', 'wye', 'cross'] as const;
const DASHES: Readonly<Record<Series['role'], string>> = { own: '', peer: '7 3', ceiling: '2 3' };

export function styleOf(series: readonly Series[], index: number): SeriesStyle {
  const { role } = series[index]!;
  return {
    colour: `var(--series-${index % COLOUR_COUNT})`,
    dash: DASHES[role],
    symbol: SYMBOLS[index % SYMBOLS.length]!,
    widthPx: role === 'own' ? 2.5 : 1.75,
  };
}

export function axisText({ label, unit, log }: Axis): string {
  return `${label}${unit === '' ? '' : ` (${unit})`}${log ? ', logarithmic' : ''}`;
}

/** The measured places where there are few, so that a reader finds them again in the table. */
function xTicks({ series, x }: Curve, most: number): number[] | number {
  const values = [...new Set(series.flatMap(({ points }) => points.map((point) => point[0])))].sort(
    (a, b) => a - b,
  );
  if (!x.log) return values.length <= most ? values : most;
  const stride = Math.ceil(values.length / most);
  return values.filter((_, index) => index % stride === 0);
}

function describe({ series, x, y }: Curve): string {
  const ends = series.flatMap(({ name, points }) => {
    const [first, last] = [points[0], points.at(-1)];
    if (first === undefined || last === undefined) return [];
    const at = (point: typeof first) =>
      `${formatNumber(point[1])} ${y.unit} at ${formatTick(point[0], x.unit)}`;
    return [first === last ? `${name}: ${at(first)}` : `${name}: ${at(first)}, ${at(last)}`];
  });
  return `${axisText(y)} against ${axisText(x)}. ${ends.join('; ')}.`;
}

export function drawCurve(id: string, format: Format, curve: Curve): string {
  const { x, y, series } = curve;
  const wide = format === 'wide';
  const drawn = series
    .map(({ name, points }, index) => ({
      name,
      style: styleOf(series, index),
      points: points.map(([at, median, low, high]) => ({
        at,
        median,
        low,
        high,
        tip: `${name}, ${formatTick(at, x.unit)}: ${formatNumber(median)} (${formatNumber(low)}–${formatNumber(high)}) ${y.unit}`,
      })),
    }))
    // This package's own lie above the others.
    .sort((a, b) => a.style.widthPx - b.style.widthPx);
  const points = drawn.flatMap((line) => line.points);
  const low = Math.min(...points.map((point) => point.low));
  const high = Math.max(...points.map((point) => point.high));
  const yDomain: [number, number] = y.log ? [low / 1.2, high * 1.2] : [Math.min(0, low), high];
  const yTicks = y.log ? logTicks(yDomain, wide ? 7 : 5) : wide ? 6 : 4;
  const words: Words = { title: curve.title, description: describe(curve) };
  const yLabels = (Array.isArray(yTicks) ? yTicks : [high]).map((value) => formatTick(value));
  return draw(id, format, words, {
    height: wide ? 340 : 270,
    marginTop: 30,
    marginBottom: 46,
    marginLeft: Math.max(30, ...yLabels.map((text) => text.length * 7 + 14)),
    marginRight: 22,
    x: { type: x.log ? 'log' : 'linear', label: null },
    y: { type: y.log ? 'log' : 'linear', label: null, domain: yDomain, nice: !y.log },
    marks: [
      Plot.gridY({ ticks: yTicks, stroke: 'var(--line)', strokeOpacity: 1 }),
      Plot.axisY({
        ticks: yTicks,
        // Not `tickFormat`: Plot leaves out labels of a logarithmic axis with that.
        text: (value: number) => formatTick(value),
        tickSize: 0,
        fill: 'var(--muted)',
        label: null,
      }),
      Plot.axisX({
        ticks: xTicks(curve, wide ? 11 : 5),
        text: (value: number) => formatTick(value, x.unit),
        tickSize: 4,
        stroke: 'var(--muted)',
        fill: 'var(--muted)',
        label: null,
      }),
      Plot.ruleY([yDomain[0]], { stroke: 'var(--muted)' }),
      Plot.text([axisText(y)], {
        frameAnchor: 'top-left',
        textAnchor: 'start',
        lineAnchor: 'bottom',
        dx: wide ? -20 : -24,
        dy: -14,
        fill: 'var(--muted)',
      }),
      Plot.text([`${axisText(x)} →`], {
        frameAnchor: 'bottom-right',
        textAnchor: 'end',
        dy: 40,
        fill: 'var(--muted)',
      }),
      ...drawn.flatMap(({ points: own, style }) => [
        Plot.areaY(own, {
          x: 'at',
          y1: 'low',
          y2: 'high',
          fill: style.colour,
          fillOpacity: 0.16,
        }),
        Plot.lineY(own, {
          x: 'at',
          y: 'median',
          stroke: style.colour,
          strokeWidth: style.widthPx,
          ...(style.dash === '' ? {} : { strokeDasharray: style.dash }),
        }),
        Plot.dot(own, {
          x: 'at',
          y: 'median',
          r: 3.5,
          symbol: style.symbol,
          fill: style.colour,
          stroke: 'var(--paper)',
          strokeWidth: 0.75,
          title: 'tip',
        }),
      ]),
    ],
  });
}
