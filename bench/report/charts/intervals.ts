/** Ratios as points with their spread on one logarithmic axis, around a line at 1. */
import type { Figure, Verdict } from '../model.ts';
import { formatFigure, formatRatio, formatTick } from '../text.ts';
import { draw, type Format, Plot, textWidthPx, type Words } from './drawing.ts';
import { logTicks, rowNames, rowOptions, valueAxis } from './rows.ts';
import { layOut } from './slots.ts';

export interface Interval {
  readonly name: string;
  /** Intervals of one heading must be neighbours; empty for none. */
  readonly heading: string;
  readonly value: Figure;
  /** Where on the axis the promise is, unless it is at 1. */
  readonly promised?: number;
  readonly verdict: Verdict;
}

/** Two names and what they are compared by need more room than one. */
const WIDEST_NAME_PX = 440;

const COLOURS: Readonly<Record<Verdict, string>> = {
  held: 'var(--good)',
  ahead: 'var(--good)',
  missed: 'var(--bad)',
  behind: 'var(--bad)',
  'hidden by spread': 'var(--unsure)',
};

/** Colour is not all that tells them apart. */
const SYMBOLS: Readonly<Record<Verdict, 'circle' | 'diamond' | 'times'>> = {
  held: 'circle',
  ahead: 'circle',
  missed: 'times',
  behind: 'times',
  'hidden by spread': 'diamond',
};

export function drawIntervals(
  id: string,
  format: Format,
  title: string,
  label: string,
  intervals: readonly Interval[],
): string {
  const slots = layOut(
    intervals,
    format,
    ({ name }) => name,
    ({ heading }) => heading,
    WIDEST_NAME_PX,
  );
  const ends = intervals.flatMap(({ value, promised = 1 }) => [
    value.least,
    value.greatest,
    promised,
    1,
  ]);
  const domain: [number, number] = [Math.min(...ends) / 1.08, Math.max(...ends) * 1.08];
  const texts = intervals.map(({ value }) => formatRatio(value.median));
  const marginRight = Math.ceil(Math.max(0, ...texts.map((text) => textWidthPx(text)))) + 14;
  const narrowRange = domain[1] / domain[0] < 6;
  const scale = {
    domain,
    log: true,
    label,
    tickFormat: (value: number) => `${formatTick(value)} ×`,
    ticks: narrowRange
      ? [0.2, 0.25, 0.33, 0.5, 0.7, 0.8, 0.9, 1, 1.2, 1.5, 2, 3, 4, 5].filter(
          (tick, index, all) =>
            tick >= domain[0] &&
            tick <= domain[1] &&
            (format === 'wide' ||
              domain[1] / domain[0] < 2 ||
              [0.25, 0.5, 0.8, 1, 1.5, 2, 3, 5].includes(all[index]!)),
        )
      : logTicks(domain, format === 'wide' ? 8 : 4),
  };
  const shown = slots.rows.map((slot, index) => ({
    ...slot,
    ...slot.item.value,
    text: texts[index]!,
    // `times` is drawn by its stroke alone.
    colour: COLOURS[slot.item.verdict],
    symbol: SYMBOLS[slot.item.verdict],
    promised: slot.item.promised,
    tip: `${slot.item.name}: ${formatFigure(slot.item.value)}, ${slot.item.verdict}`,
    tick1: slot.y - 8,
    tick2: slot.y + 8,
  }));
  const words: Words = {
    title,
    description: `${label}. ${shown.map(({ tip }) => tip).join('; ')}.`,
  };
  return draw(id, format, words, {
    ...rowOptions(slots, scale, marginRight),
    symbol: { type: 'identity' },
    marks: [
      ...valueAxis(slots, format, scale, marginRight),
      Plot.ruleX([1], { stroke: 'var(--muted)', strokeWidth: 1.5 }),
      Plot.ruleX(
        shown.filter(({ promised }) => promised !== undefined),
        {
          x: 'promised',
          y1: 'tick1',
          y2: 'tick2',
          stroke: 'var(--ink)',
          strokeWidth: 3,
        },
      ),
      Plot.ruleY(shown, {
        y: 'y',
        x1: 'least',
        x2: 'greatest',
        stroke: 'colour',
        strokeWidth: 3,
        strokeOpacity: 0.55,
        strokeLinecap: 'round',
      }),
      Plot.dot(shown, {
        x: 'median',
        y: 'y',
        r: 5,
        symbol: 'symbol',
        fill: 'colour',
        stroke: 'colour',
        strokeWidth: 2,
        title: 'tip',
      }),
      Plot.text(shown, {
        frameAnchor: 'right',
        y: 'y',
        text: 'text',
        textAnchor: 'end',
        dx: marginRight - 2,
        fill: 'var(--ink)',
        fontVariant: 'tabular-nums',
      }),
      ...rowNames(slots, format, () => false),
    ],
  });
}
