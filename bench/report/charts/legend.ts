/** A series' line and symbol as they are in the chart, to stand beside its name. */
import type { SeriesStyle } from './curves.ts';
import { drawOrnament, Plot } from './drawing.ts';

const WIDTH_PX = 36;
const HEIGHT_PX = 14;

export function legendSymbol({ colour, dash, symbol, widthPx }: SeriesStyle): string {
  const middle = HEIGHT_PX / 2;
  const ends = [
    [0, middle],
    [WIDTH_PX, middle],
  ] as const;
  return drawOrnament({
    width: WIDTH_PX,
    height: HEIGHT_PX,
    x: { domain: [0, WIDTH_PX] },
    y: { domain: [HEIGHT_PX, 0] },
    marks: [
      Plot.line(ends, {
        stroke: colour,
        strokeWidth: widthPx,
        ...(dash === '' ? {} : { strokeDasharray: dash }),
      }),
      Plot.dot([[WIDTH_PX / 2, middle]], { r: 3.5, symbol, fill: colour }),
    ],
  });
}
