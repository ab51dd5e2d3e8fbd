/** Axis of values and names of rows, shared by the charts that have a row an item. */
import { type Format, fitText, Plot, WIDTH_PX } from './drawing.ts';
import type { Slots } from './slots.ts';

export const MARGIN_TOP_PX = 6;
const MARGIN_BOTTOM_PX = 42;

/** Keeps lines behind a text from crossing it. */
const HALO = { stroke: 'var(--paper)', strokeWidth: 4 } as const;

/** Position of the left edge of the text column of a narrow chart. */
const EDGE_PX = 4;

interface Scale {
  readonly domain: readonly [number, number];
  readonly log: boolean;
  readonly label: string;
  readonly ticks?: readonly number[];
  readonly tickFormat: (value: number) => string;
}

/** Plot's options for a chart of `slots`: one unit of y is one pixel. */
export function rowOptions(slots: Slots<unknown>, scale: Scale, marginRight: number) {
  return {
    height: slots.heightPx + MARGIN_TOP_PX + MARGIN_BOTTOM_PX,
    marginTop: MARGIN_TOP_PX,
    marginBottom: MARGIN_BOTTOM_PX,
    marginLeft: slots.marginLeftPx,
    marginRight,
    x: {
      type: scale.log ? ('log' as const) : ('linear' as const),
      domain: [...scale.domain],
      label: null,
    },
    y: { axis: null, domain: [slots.heightPx, 0] },
  };
}

/** Grid, ticks and their label, behind everything else. */
export function valueAxis(slots: Slots<unknown>, format: Format, scale: Scale, marginRight = 0) {
  const ticks = scale.ticks === undefined ? (format === 'wide' ? 6 : 3) : [...scale.ticks];
  const width = WIDTH_PX[format] - slots.marginLeftPx - marginRight;
  return [
    Plot.gridX({ ticks, stroke: 'var(--line)', strokeOpacity: 1 }),
    Plot.axisX({
      ticks,
      // Not `tickFormat`: Plot leaves out labels of a logarithmic axis with that.
      text: scale.tickFormat,
      tickSize: 0,
      tickPadding: 6,
      fill: 'var(--muted)',
      label: null,
    }),
    Plot.text([fitText(scale.label, width + marginRight)], {
      frameAnchor: 'bottom-left',
      textAnchor: 'start',
      dy: 36,
      fill: 'var(--muted)',
    }),
  ];
}

/** Names of the rows and headings between them. */
export function rowNames<T>(slots: Slots<T>, format: Format, isOwn: (item: T) => boolean) {
  const wide = format === 'wide';
  const place = {
    frameAnchor: 'left',
    textAnchor: wide ? 'end' : 'start',
    dx: wide ? -10 : EDGE_PX - slots.marginLeftPx,
    fill: 'var(--ink)',
    ...HALO,
  } as const;
  const names = (own: boolean) =>
    Plot.text(
      slots.rows.filter(({ item }) => isOwn(item) === own),
      { ...place, y: 'nameY', text: 'name', ...(own ? { fontWeight: 600 } : {}) },
    );
  return [
    names(true),
    names(false),
    Plot.text(slots.headings, {
      frameAnchor: 'left',
      textAnchor: 'start',
      dx: EDGE_PX - slots.marginLeftPx,
      y: 'y',
      text: 'text',
      fill: 'var(--muted)',
      fontWeight: 600,
      ...HALO,
    }),
  ];
}

/** `1, 2, 5, 10 …` as far as the domain goes, thinned to at most `most`. */
export function logTicks([low, high]: readonly [number, number], most: number): number[] {
  for (const steps of [[1, 2, 5], [1, 3], [1]]) {
    const ticks: number[] = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const step of steps) {
        const tick = Number((step * 10 ** power).toPrecision(1));
        if (tick >= low && tick <= high) ticks.push(tick);
      }
    }
    if (ticks.length <= most) return ticks;
  }
  const powers = Math.ceil(Math.log10(high / low));
  const stride = Math.ceil(powers / most);
  return Array.from({ length: most + 1 }, (_, index) =>
    Number((10 ** (Math.ceil(Math.log10(low)) + index * stride)).toPrecision(1)),
  ).filter((tick) => tick <= high);
}
