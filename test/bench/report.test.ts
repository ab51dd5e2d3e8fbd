/** The report of benchmarks: what it refuses, what it escapes, what it says. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DOMParser } from '@xmldom/xmldom';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  prepareResult,
  renderChart,
  renderPage,
  writeChart,
  writeReport,
} from '../../bench/report/index.ts';
import {
  type BenchmarkResult,
  figureOf,
  judgeLimit,
  judgeRatio,
} from '../../bench/report/model.ts';
import { formatCommand, formatNumber, showable } from '../../bench/report/text.ts';
import { HOSTILE, hostile } from './report-hostile.ts';
import { echo, growth, micro } from './report-sample.ts';

/** A copy with another value at `path`. */
function spoiled(result: BenchmarkResult, path: string, value: unknown): unknown {
  const copy: unknown = JSON.parse(JSON.stringify(result));
  const names = path.split('.');
  const last = names.pop()!;
  let place = copy as Record<string, unknown>;
  for (const name of names) place = place[name] as Record<string, unknown>;
  place[last] = value;
  return copy;
}

/** @throws what is not well-formed */
function parseXml(text: string) {
  return new DOMParser({
    onError: (level, message) => {
      // It warns of replaced characters, which are meant.
      if (level !== 'warning') throw new Error(`${level}: ${message}`);
    },
  }).parseFromString(text, 'image/svg+xml');
}

/** Elements that a page of ours has; anything else came out of a text. */
const ELEMENTS = new Set(
  `html head meta link title style body div header h1 h2 h3 h4 p nav ul li a main section dl dt dd
  time pre code bdi small strong span figure table caption thead tbody tr th td wbr footer br
  svg g path rect line text tspan circle desc`.split(/\s+/),
);

test('hostile texts stay text', () => {
  const results = [micro, echo, growth].map((result) => prepareResult(hostile(result, HOSTILE)));
  const page = renderPage(results);
  const tags = [...page.matchAll(/<\/?([a-zA-Z][\w-]*)([^>]*)>/g)];
  assert.equal(
    [...new Set(tags.map(([, name]) => name!))].filter((n) => !ELEMENTS.has(n)),
    [],
  );
  assert.equal(
    tags.filter(([, , attributes]) => /\son\w+\s*=/i.test(attributes!.replace(/"[^"]*"/g, ''))),
    [],
  );
  assert.not.ok(page.includes('\0') || page.includes('\u202e'));
  assert.match(page, '&lt;script&gt;alert(1)');
  for (const id of ['order-256', 'decode-size'])
    parseXml(renderChart(results[0]!, id + showable(HOSTILE)));
});

test('a page loads nothing: no script, no address but its own anchors', () => {
  const page = renderPage([micro, echo, growth]);
  assert.not.match(page, /<script|@import|url\(/i);
  for (const [, address] of page.matchAll(/(?:href|src)="([^"]*)"/g))
    assert.ok(address!.startsWith('#') || address === 'data:,', address);
  const ids = [...page.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id!);
  assert.is(new Set(ids).size, ids.length, 'ids are unique');
  for (const [, target] of page.matchAll(/(?:href="#|aria-\w+by=")([^"]+)"/g))
    assert.ok(ids.includes(target!), `${target} is there`);
});

test('every figure, verdict and note of the results is on the page', () => {
  const page = renderPage([micro, echo, growth]);
  for (const { groups, notes, ratios, limits, machine, command } of [micro, echo, growth]) {
    assert.ok(page.includes(machine.cpu));
    assert.ok(page.includes(formatCommand(command).replaceAll("'", '&#39;')));
    for (const { text } of notes) assert.ok(page.includes(text), text);
    for (const { figures, failed } of groups.flatMap(({ rows }) => rows)) {
      if (failed !== undefined) assert.ok(page.includes(failed), failed);
      for (const { median } of Object.values(figures))
        assert.ok(page.includes(`<td>${formatNumber(median)} <small>`), String(median));
    }
    const promised = ratios.filter((ratio) => ratio.promised !== undefined).length + limits.length;
    assert.is(promised === 0 || page.includes(`aria-label="${promised} promises"`), true);
  }
  const said = (verdict: string) => page.split(`</span>${verdict}</span>`).length - 1;
  for (const verdict of ['held', 'missed', 'ahead', 'hidden by spread'])
    assert.ok(said(verdict) > 0, verdict);
});

test('charts say in words what they show', () => {
  const page = renderPage([echo]);
  const description = /<desc id="b0-s0-g0-wide-desc">([^<]*)</.exec(page)?.[1] ?? '';
  for (const { name } of echo.groups[0]!.rows) assert.ok(description.includes(name), name);
  assert.match(description, '1,212,000 (1,127,000–1,331,000) 1/s');
});

test('a bar is as long as its figure', () => {
  const svg = parseXml(renderChart(prepareResult(echo)));
  const bars = Array.from(svg.getElementsByTagName('rect')).filter(
    (rect) => rect.getElementsByTagName('title').length > 0,
  );
  const widths = bars.map((rect) => Number(rect.getAttribute('width')));
  const rates = echo.groups[0]!.rows.map(({ figures }) => figures.rate!.median);
  assert.is(widths.length, rates.length);
  // Insets take half a pixel at an end.
  widths.forEach((width, index) => {
    assert.ok(Math.abs(width - (widths[0]! * rates[index]!) / rates[0]!) < 1.5, `bar ${index}`);
  });
});

test('a value that is no result is refused, with the place', () => {
  const cases: readonly (readonly [path: string, value: unknown, message: RegExp])[] = [
    ['version', 2, /version/],
    ['groups.0.rows.0.figures.time.median', null, /rows\.0\.figures\.time/],
    ['groups.0.rows.0.figures.time.least', 1e9, /in order/],
    ['groups.0.rows.0.figures.other', {}, /measures/],
    ['groups.0.rows.0.host', 'nobody', /hosts/],
    ['groups.1.rows.0.id', micro.groups[0]!.rows[0]!.id, /repetition/],
    ['ratios.0.of', 'nobody', /ratios\.0\.of/],
    ['ratios.0.verdict', 'good', /verdict/],
    ['curves.0.series.0.points.0.0', 0, /logarithmic/],
    ['curves.0.series.0.points.0.0', 65, /behind the point/],
    ['notes.0.kind', 'other', /notes\.0\.kind/],
  ];
  for (const [path, value, message] of cases)
    assert.throws(() => prepareResult(spoiled(micro, path, value)), message);
  assert.throws(() => prepareResult(null), /object/);
  assert.throws(() => renderChart(micro, 'nothing'), /there are decode-16/);
});

test('a result without anything in it still makes a page', () => {
  const empty = { ...micro, groups: [], ratios: [], limits: [], curves: [], notes: [] };
  assert.match(renderPage([prepareResult(empty)]), micro.machine.cpu);
  const measures = micro.groups[0]!.measures;
  const group = { id: 'none', title: 'None', section: 'S', measures, rows: [] };
  const curve = { ...micro.curves[0]!, series: [] };
  const page = renderPage([prepareResult({ ...empty, groups: [group], curves: [curve] })]);
  assert.match(page, 'Nothing was measured');
});

test('verdicts: all rounds on one side, or hidden by spread', () => {
  const value = figureOf([1.1, 1.3, 1.2]);
  assert.equal(value, { median: 1.2, least: 1.1, greatest: 1.3, samples: 3 });
  assert.is(judgeRatio(value), 'ahead');
  assert.is(judgeRatio(figureOf([0.8, 0.9])), 'behind');
  assert.is(judgeRatio(figureOf([0.9, 1.1])), 'hidden by spread');
  assert.is(judgeRatio(value, 1.1), 'held');
  assert.is(judgeRatio(value, 1.2), 'hidden by spread');
  assert.is(judgeRatio(value, 1.31), 'missed');
  assert.is(judgeLimit(value, 1.3, 'less'), 'held');
  assert.is(judgeLimit(value, 1, 'less'), 'missed');
  assert.is(judgeLimit(value, 1.2, 'more'), 'hidden by spread');
  assert.throws(() => figureOf([]));
  assert.throws(() => figureOf([1, Number.NaN]));
});

test('the files are written', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'overlapped-report-'));
  try {
    await writeReport([micro, growth], join(folder, 'report.html'));
    await writeChart(growth, join(folder, 'chart.svg'), 'workers');
    assert.match(await readFile(join(folder, 'report.html'), 'utf8'), /^<!doctype html>/);
    const svg = parseXml(await readFile(join(folder, 'chart.svg'), 'utf8'));
    assert.is(svg.documentElement?.tagName, 'svg');
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
