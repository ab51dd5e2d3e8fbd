/**
 * What all charts have in common. Observable Plot draws on a document of its own; the result is
 * text. Colours are CSS variables of the page, so one drawing serves light, dark and print.
 */
import {
  areaY,
  axisX,
  axisY,
  type DotOptions,
  dot,
  gridX,
  gridY,
  line,
  lineY,
  type PlotOptions,
  plot,
  type RectOptions,
  rect,
  ruleX,
  ruleY,
  text,
} from '@observablehq/plot';
import { DOMImplementation } from '@xmldom/xmldom';
import { escapeText } from '../text.ts';

/** Only what is used: the rest of the library stays out of the bundle. */
export const Plot = {
  areaY,
  axisX,
  axisY,
  dot,
  gridX,
  gridY,
  line,
  lineY,
  rect,
  ruleX,
  ruleY,
  text,
};
export type { DotOptions, PlotOptions, RectOptions };

/** `wide` for screens and paper, `narrow` for phones: text keeps its size in both. */
export type Format = 'wide' | 'narrow';
export const FORMATS: readonly Format[] = ['wide', 'narrow'];
export const WIDTH_PX: Readonly<Record<Format, number>> = { wide: 840, narrow: 340 };
export const FONT_PX = 12;

/** A chart in words, for those who do not see it. */
export interface Words {
  readonly title: string;
  readonly description: string;
}

/** Plot's options, less what is the same for all charts. */
export type Drawing = Omit<PlotOptions, 'document' | 'className' | 'width'> & {
  readonly height: number;
};

/** In terms of the font's size; generous, as names of this package are bold. */
const WIDTH_OF_LETTER = 0.6;

/** Roughly, for the width of margins; system fonts differ by a few per cent. */
export function textWidthPx(text: string, fontPx = FONT_PX): number {
  return text.length * fontPx * WIDTH_OF_LETTER;
}

/** The text, cut where it would be wider. */
export function fitText(text: string, widthPx: number, fontPx = FONT_PX): string {
  const room = Math.floor(widthPx / (fontPx * WIDTH_OF_LETTER));
  return text.length <= room ? text : `${text.slice(0, Math.max(1, room - 1)).trimEnd()}…`;
}

/** `<svg>` without anything that belongs to a page: no style sheet, no names. */
function plotted(options: PlotOptions): Element {
  const document = new DOMImplementation().createDocument('http://www.w3.org/1999/xhtml', 'html');
  const svg = plot({
    ...options,
    // Plot creates elements, sets attributes and appends; that much of a document this is.
    document: document as unknown as Document,
    className: 'plot',
  });
  for (const child of Array.from(svg.childNodes)) {
    // Its rules stand once in the page's style sheet.
    if (child.nodeName === 'style') svg.removeChild(child);
  }
  for (const name of ['aria-label', 'aria-description', 'style']) svg.removeAttribute(name);
  svg.setAttribute('font-size', String(FONT_PX));
  return svg;
}

/** Inside HTML the name space goes without saying. */
function serialise(svg: Element): string {
  return String(svg).replace(' xmlns="http://www.w3.org/2000/svg"', '');
}

/** `<svg>` with a title and a description; `id` must be unique in the page. */
export function draw(id: string, format: Format, words: Words, drawing: Drawing): string {
  const svg = plotted({ ...drawing, width: WIDTH_PX[format] });
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-labelledby', `${id}-title`);
  svg.setAttribute('aria-describedby', `${id}-desc`);
  const head = [
    `<title id="${id}-title">${escapeText(words.title)}</title>`,
    `<desc id="${id}-desc">${escapeText(words.description)}</desc>`,
  ].join('');
  return serialise(svg).replace('>', () => `>${head}`);
}

/** A drawing that says nothing by itself, such as a legend's symbol. */
export function drawOrnament(options: PlotOptions): string {
  const svg = plotted({ axis: null, margin: 0, ...options });
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', 'ornament');
  return serialise(svg);
}
