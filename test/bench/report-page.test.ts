/** The report as its readers see it: opened in Chromium at several widths, in light, dark and print. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { writeChart, writeReport } from '../../bench/report/index.ts';
import { ReportBrowser, type View } from './report-browser.ts';
import { HOSTILE, hostile } from './report-hostile.ts';
import { echo, growth, micro } from './report-sample.ts';

const VIEWS: Readonly<Record<string, View>> = {
  'a phone': { widthPx: 360, heightPx: 740, scheme: 'light', media: 'screen', mobile: true },
  'a phone, dark': { widthPx: 390, heightPx: 844, scheme: 'dark', media: 'screen', mobile: true },
  'a tablet': { widthPx: 820, heightPx: 1100, scheme: 'light', media: 'screen', mobile: true },
  'a desktop': { widthPx: 1440, heightPx: 900, scheme: 'light', media: 'screen' },
  'a desktop, dark': { widthPx: 1280, heightPx: 800, scheme: 'dark', media: 'screen' },
  'A4 paper, from a dark screen': {
    ...{ widthPx: 680, heightPx: 1000, scheme: 'dark', media: 'print' },
  },
};

/** What is looked at in the page; the function's text runs there. */
function look() {
  const seen = (element: Element) => element.getClientRects().length > 0;
  const luminance = (colour: string) => {
    const [r, g, b] = (colour.match(/[\d.]+/g) ?? []).slice(0, 3).map((part) => {
      const share = Number(part) / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  };
  const contrast = (a: string, b: string) => {
    const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high! + 0.05) / (low! + 0.05);
  };
  const backgroundOf = (element: Element): string => {
    for (let at: Element | null = element; at !== null; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if (!/, 0\)$|transparent/.test(backgroundColor)) return backgroundColor;
    }
    return 'rgb(255, 255, 255)';
  };
  const charts = [...document.querySelectorAll('figure')].map((figure) => {
    const shown = [...figure.querySelectorAll('svg.plot')].filter(seen);
    const marks = shown.flatMap((svg) =>
      [...svg.querySelectorAll('rect, circle, [aria-label=dot] path')].filter((mark) => {
        const { width, height } = mark.getBoundingClientRect();
        return width > 0 && height > 0;
      }),
    );
    const fontPx = shown.flatMap((svg) =>
      [...svg.querySelectorAll('text')].map((text) => {
        const scale = svg.getBoundingClientRect().width / Number(svg.getAttribute('width'));
        return Number.parseFloat(getComputedStyle(text).fontSize) * scale;
      }),
    );
    const frames = shown.map((svg) => svg.getBoundingClientRect());
    // A name that reaches over the edge is cut or covers something.
    const outside = shown.flatMap((svg, index) =>
      [...svg.querySelectorAll('text')]
        .filter((text) => {
          const { left, right } = text.getBoundingClientRect();
          return left < frames[index]!.left - 1 || right > frames[index]!.right + 3;
        })
        .map((text) => text.textContent),
    );
    const faint = marks
      .filter((mark) => {
        const { fill, stroke } = getComputedStyle(mark);
        const paper = backgroundOf(figure);
        return Math.max(contrast(fill, paper), contrast(stroke, paper)) < 3;
      })
      .map((mark) => mark.outerHTML);
    return { shown: shown.length, marks: marks.length, least: Math.min(...fontPx), outside, faint };
  });
  const texts = [...document.querySelectorAll('p, td, th, li, dd, dt, h2, .badge, a, small, text')];
  const unreadable = texts
    .filter((element) => seen(element) && element.textContent?.trim() !== '')
    .filter((element) => {
      const { color, fill } = getComputedStyle(element);
      return contrast(element.tagName === 'text' ? fill : color, backgroundOf(element)) < 4.5;
    })
    .map((element) => element.textContent);
  return {
    charts,
    unreadable,
    overflowPx: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    paper: luminance(getComputedStyle(document.body).backgroundColor),
    cutTables: [...document.querySelectorAll('.table')].filter(
      (box) => box.scrollWidth > box.clientWidth + 1,
    ).length,
    // What reaches over the edge, unless its box scrolls.
    wide: [...document.querySelectorAll('main *')]
      .filter((element) => element.closest('.table') === null || element.matches('.table'))
      .filter(
        (element) => element.getBoundingClientRect().right > document.documentElement.clientWidth,
      )
      .map((element) => element.outerHTML.slice(0, 200)),
    made: document.querySelectorAll('script, img, iframe, object').length,
  };
}

const LOOK = `(${look})()`;
/** Marks of each chart of the three samples: promises, curves, groups, ratios by each measure. */
const MARKS = [...[6, 20, 16, 16, 4, 8, 2], ...[4, 7, 7, 6, 2], ...[35, 7]];

let browser: ReportBrowser | undefined;
let folder = '';

test.before(async () => {
  browser = await ReportBrowser.start();
  if (browser === undefined && process.env.CI === 'true') throw new Error('there is no Chromium');
  folder = await mkdtemp(join(tmpdir(), 'overlapped-report-'));
});

test.after(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

async function written(name: string, results: readonly (typeof micro)[]): Promise<string> {
  const file = join(folder, name);
  await writeReport(results, file);
  return pathToFileURL(file).href;
}

for (const [name, view] of Object.entries(VIEWS)) {
  test(`on ${name}: every chart has marks, nothing overflows, all can be read`, async () => {
    if (browser === undefined) return;
    const url = await written('report.html', [micro, echo, growth]);
    await browser.open(url, view);
    const page = await browser.evaluate<ReturnType<typeof look>>(LOOK);
    assert.equal(browser.complaints, []);
    assert.equal(browser.requests, [url, 'data:,'].slice(0, browser.requests.length));
    assert.equal(page.wide, []);
    assert.is(page.overflowPx, 0);
    assert.equal(
      page.charts.map(({ marks }) => marks),
      MARKS,
    );
    for (const [index, chart] of page.charts.entries()) {
      assert.is(chart.shown, 1, `one drawing of chart ${index}`);
      assert.ok(chart.least >= 9, `chart ${index} has text of ${chart.least} px`);
      assert.equal(chart.outside, []);
      assert.equal(chart.faint, []);
    }
    assert.equal(page.unreadable, []);
    const dark = view.scheme === 'dark' && view.media === 'screen';
    assert.is(page.paper < 0.1, dark);
    // Paper cannot be scrolled.
    if (view.media === 'print') assert.is(page.cutTables, 0);
  });
}

test('hostile texts make no element, run nothing and load nothing', async () => {
  if (browser === undefined) return;
  const results = [micro, echo, growth].map((result) => hostile(result, HOSTILE));
  const url = await written('hostile.html', results);
  await browser.open(url, VIEWS['a phone']!);
  const page = await browser.evaluate<ReturnType<typeof look>>(LOOK);
  assert.equal(browser.complaints, []);
  assert.equal(browser.requests, [url, 'data:,'].slice(0, browser.requests.length));
  assert.is(page.made, 0);
  assert.is(page.overflowPx, 0);
  assert.equal(
    page.charts.map(({ marks }) => marks),
    MARKS,
  );
});

test('a chart that stands alone follows light and dark', async () => {
  if (browser === undefined) return;
  const file = join(folder, 'chart.svg');
  await writeChart(echo, file);
  const colours = [];
  for (const scheme of ['light', 'dark'] as const) {
    const view = { widthPx: 900, heightPx: 500, scheme, media: 'screen' } as const;
    await browser.open(pathToFileURL(file).href, view);
    assert.equal(browser.complaints, []);
    colours.push(
      await browser.evaluate<string[]>(
        `[...document.querySelectorAll('svg > rect, .title, .plot rect')].map((e) => getComputedStyle(e).fill)`,
      ),
    );
  }
  const [light, dark] = colours;
  assert.is(light!.length, 2 + echo.groups[0]!.rows.length);
  light!.forEach((colour, index) => {
    assert.is.not(colour, dark![index]);
  });
});

test.run();
