/**
 * Rows of a chart from top to bottom, in pixels: on a wide one the name stands left of its mark,
 * on a narrow one above it.
 */
import { type Format, fitText, textWidthPx, WIDTH_PX } from './drawing.ts';

export interface Slot<T> {
  readonly item: T;
  readonly name: string;
  /** Where the mark's centre and the name's are. */
  readonly y: number;
  readonly nameY: number;
}

export interface Heading {
  readonly text: string;
  readonly y: number;
}

export interface Slots<T> {
  readonly rows: readonly Slot<T>[];
  readonly headings: readonly Heading[];
  readonly heightPx: number;
  readonly marginLeftPx: number;
  /** Thickness of a bar. */
  readonly barPx: number;
}

/** Room for half of the first tick's label. */
const NARROW_MARGIN_PX = 18;

const SIZES = {
  wide: { row: 26, heading: 30, bar: 16 },
  narrow: { row: 38, heading: 30, bar: 14 },
} as const;
const WIDEST_NAME_PX = 280;

/** `heading` may be empty: then there is none. Items of one heading must be neighbours; a longer name is cut. */
export function layOut<T>(
  items: readonly T[],
  format: Format,
  nameOf: (item: T) => string,
  headingOf: (item: T) => string,
  widestNamePx = WIDEST_NAME_PX,
): Slots<T> {
  const size = SIZES[format];
  const rows: Slot<T>[] = [];
  const headings: Heading[] = [];
  const widest = Math.max(0, ...items.map((item) => textWidthPx(nameOf(item))));
  const marginLeftPx =
    format === 'wide' ? Math.min(widestNamePx, Math.ceil(widest)) + 14 : NARROW_MARGIN_PX;
  const room = format === 'wide' ? widestNamePx : WIDTH_PX.narrow - 12;
  let y = 4;
  let last = '';
  for (const item of items) {
    const heading = headingOf(item);
    if (heading !== last && heading !== '') {
      headings.push({
        text: fitText(heading, WIDTH_PX[format] - 20),
        y: y + size.heading / 2 + 3,
      });
      y += size.heading;
    }
    last = heading;
    const middle = format === 'wide' ? y + size.row / 2 : y + size.row - size.bar / 2 - 3;
    const nameY = format === 'wide' ? middle : middle - size.bar / 2 - 9;
    rows.push({ item, name: fitText(nameOf(item), room), y: middle, nameY });
    y += size.row;
  }
  return { rows, headings, heightPx: y + 4, marginLeftPx, barPx: size.bar };
}
