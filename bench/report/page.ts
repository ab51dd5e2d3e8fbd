/** The page: what was promised first, then every figure, then what is missing. */
import { axisLabel, chartedRows, drawBars } from './charts/bars.ts';
import { drawCurve, styleOf } from './charts/curves.ts';
import { FORMATS, type Format } from './charts/drawing.ts';
import { drawIntervals } from './charts/intervals.ts';
import { legendSymbol } from './charts/legend.ts';
import { find } from './check.ts';
import { html, type Markup, trusted } from './markup.ts';
import type { BenchmarkResult, Curve, Group, Note, Ratio, Verdict } from './model.ts';
import { byHeading, countVerdicts, promisesOf, ratioIntervals } from './promises.ts';
import { PAGE_STYLE } from './style.ts';
import { curveTable, groupTable, promiseTable, ratioTable, verdictBadge } from './tables.ts';
import { formatBytes, formatCommand, formatDuration, formatHosts, plural } from './text.ts';

const KINDS: Readonly<Record<BenchmarkResult['kind'], string>> = {
  micro: 'The core alone',
  echo: 'Echo servers',
  growth: 'How cost grows',
};

/** The same chart for wide and narrow places; the style sheet shows one of them. */
function figureOf(
  id: string,
  drawOne: (id: string, format: Format) => string,
  legend: Markup | undefined,
): Markup {
  const drawings = FORMATS.map((format) =>
    trusted(drawOne(`${id}-${format}`, format).replace('class="plot"', `class="plot ${format}"`)),
  );
  return html`<figure>${legend}${drawings}</figure>
`;
}

const ROLES = [
  ['own', 'this package', 'var(--own)', 'var(--own)'],
  ['peer', 'others', 'var(--peer)', 'var(--peer)'],
  ['ceiling', 'a ceiling, not a peer', 'var(--ceiling)', 'var(--peer)'],
] as const;

function roleLegend(group: Group): Markup {
  const items = ROLES.filter(([role]) => group.rows.some((row) => row.role === role)).map(
    ([, text, fill, stroke]) =>
      html`<li><svg width="14" height="14" aria-hidden="true"><rect x="1" y="1" width="12" height="12" rx="2" fill="${fill}" stroke="${stroke}"/></svg>${text}</li>`,
  );
  return html`<ul class="legend">${items}<li><svg width="22" height="12" aria-hidden="true"><path d="M2 6H20M2 2V10M20 2V10" stroke="var(--ink)" stroke-width="1.25" fill="none"/></svg>least to greatest</li></ul>`;
}

function curveLegend({ series }: Curve): Markup {
  const items = series.map(({ name, host }, index) => {
    const symbol = trusted(legendSymbol(styleOf(series, index)));
    return html`<li>${symbol}<bdi>${name}</bdi>${host === undefined ? '' : html` <small>${host}</small>`}</li>`;
  });
  return html`<ul class="legend">${items}</ul>`;
}

function about(text: string | undefined): Markup {
  return text === undefined || text === '' ? html`` : html`<p class="about">${text}</p>`;
}

function groupPart(id: string, group: Group): Markup {
  const measure = group.measures[0];
  const charted = chartedRows(group, measure).length > 0;
  const chart = charted
    ? figureOf(id, (own, format) => drawBars(own, format, group, measure), roleLegend(group))
    : html`<p class="about">Nothing was measured by ${axisLabel(measure)}.</p>`;
  return html`<h4 id="${id}">${group.title}</h4>${about(group.about)}${chart}${groupTable(group)}`;
}

function curvePart(id: string, curve: Curve): Markup {
  const better =
    curve.better === undefined ? '' : ` ${curve.better === 'more' ? 'More' : 'Less'} is better.`;
  const drawn = curve.series.some(({ points }) => points.length > 0);
  const chart = drawn
    ? figureOf(id, (own, format) => drawCurve(own, format, curve), curveLegend(curve))
    : html`<p class="about">Nothing was measured.</p>`;
  return html`<h4 id="${id}">${curve.title}</h4>${about(`${curve.about ?? ''}${better}`.trim())}${chart}${curveTable(curve)}`;
}

const VERDICT_TEXTS: readonly (readonly [Verdict, string])[] = [
  ['held', 'in every round'],
  ['ahead', 'in every round'],
  ['hidden by spread', 'rounds disagree'],
  ['missed', 'in every round'],
  ['behind', 'in every round'],
];

function verdictLegend(verdicts: readonly Verdict[], withPromise: boolean): Markup {
  const items = VERDICT_TEXTS.filter(([verdict]) => verdicts.includes(verdict)).map(
    ([verdict, text]) => html`<li>${verdictBadge(verdict)} ${text}</li>`,
  );
  const promise = withPromise
    ? html`<li><svg width="8" height="16" aria-hidden="true"><path d="M4 0V16" stroke="var(--ink)" stroke-width="3"/></svg>promised</li>`
    : '';
  return html`<ul class="legend">${items}${promise}</ul>`;
}

function ratioPart(id: string, result: BenchmarkResult, ratios: readonly Ratio[]): Markup {
  const legend = verdictLegend(
    ratios.map(({ verdict }) => verdict),
    ratios.some(({ promised }) => promised !== undefined),
  );
  const label = (ratio: Ratio) => find(result, ratio.of, ratio.measure).measure.label;
  const charts = [...new Set(ratios.map(label))].map((name, index) => {
    const title = `Times better by ${name}`;
    const text = `${title}, logarithmic`;
    const intervals = ratioIntervals(
      result,
      ratios.filter((ratio) => label(ratio) === name),
    );
    return figureOf(
      `${id}-${index}`,
      (own, format) => drawIntervals(own, format, title, text, intervals),
      index === 0 ? legend : undefined,
    );
  });
  return html`<h4 id="${id}">Against each other</h4>
${charts}${ratioTable(result, ratios)}`;
}

/** Everything of one section: curves first, as they say most. */
function sectionPart(id: string, name: string, result: BenchmarkResult): Markup {
  const groups = result.groups.filter(({ section }) => section === name);
  const curves = result.curves.filter(({ section }) => section === name);
  const ratios = result.ratios.filter(({ of, measure }) =>
    groups.includes(find(result, of, measure).group),
  );
  return html`<section><h3 id="${id}">${name}</h3>
${curves.map((curve, index) => curvePart(`${id}-c${index}`, curve))}
${groups.map((group, index) => groupPart(`${id}-g${index}`, group))}
${ratios.length === 0 ? '' : ratioPart(`${id}-r`, result, ratios)}</section>
`;
}

function sectionsOf({ groups, curves }: BenchmarkResult): string[] {
  return [...new Set([...groups, ...curves].map(({ section }) => section))];
}

function noteList(notes: readonly Note[], title: string, id: string): Markup {
  if (notes.length === 0) return html``;
  const items = notes.map(
    ({ subject, text }) => html`<li><strong><bdi>${subject}</bdi></strong>: ${text}</li>`,
  );
  return html`<h3 id="${id}">${title}</h3><ul class="notes">${items}</ul>`;
}

function promisesPart(id: string, result: BenchmarkResult): Markup {
  const promises = promisesOf(result);
  if (promises.length === 0) return html``;
  const counts = countVerdicts(promises);
  const items = VERDICT_TEXTS.flatMap(([verdict, text]) => {
    const count = counts.get(verdict);
    if (count === undefined) return [];
    return [
      html`<li>${verdictBadge(verdict)} <strong>${count}</strong> <small>${text}</small></li>`,
    ];
  });
  const margins = byHeading(
    promises.flatMap(({ margin }) => (margin === undefined ? [] : [margin])),
  );
  const label = 'reached / promised, above 1 is better';
  const chart =
    margins.length === 0
      ? ''
      : figureOf(
          id,
          (own, format) => drawIntervals(own, format, 'Promised and reached', label, margins),
          undefined,
        );
  return html`<h3 id="${id}">Promised and reached</h3>
<ul class="counts" aria-label="${plural(promises.length, 'promise')}">${items}</ul>
${chart}${promiseTable(promises.map(({ line }) => line))}`;
}

function factsPart(result: BenchmarkResult): Markup {
  const { machine, package: own, hosts, startedAt, durationSeconds, command } = result;
  const remarks = machine.remarks ?? [];
  return html`<dl>
<dt>Machine</dt><dd>${machine.cpu}, ${plural(machine.cores, 'core')}, ${formatBytes(machine.memoryBytes)} memory</dd>
<dt>System</dt><dd>${machine.os}, ${machine.kernel}</dd>
${remarks.length === 0 ? '' : html`<dt>Remarks</dt><dd>${remarks.join(', ')}</dd>`}
<dt>Programs</dt><dd>${formatHosts(hosts)}</dd>
<dt>Build</dt><dd>overlapped ${own.version}, ${own.build}</dd>
<dt>Run</dt><dd><time datetime="${startedAt}">${startedAt.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC')}</time>, took ${formatDuration(durationSeconds)}</dd>
</dl><pre><code>${formatCommand(command)}</code></pre>`;
}

function resultPart(id: string, result: BenchmarkResult): Markup {
  const notes = (kind: Note['kind']) => result.notes.filter((note) => note.kind === kind);
  return html`<h2 id="${id}">${KINDS[result.kind]}</h2>
${factsPart(result)}
${noteList(notes('failed'), 'Failed', `${id}-failed`)}
${promisesPart(`${id}-promised`, result)}
${noteList(notes('loses'), 'Where this package loses', `${id}-loses`)}
${sectionsOf(result).map((name, index) => sectionPart(`${id}-s${index}`, name, result))}
${noteList(notes('left out'), 'Left out', `${id}-left-out`)}
${noteList(notes('remark'), 'Remarks', `${id}-remarks`)}`;
}

function contents(results: readonly BenchmarkResult[]): Markup {
  const link = (id: string, text: string) => html`<li><a href="#${id}">${text}</a></li>`;
  const items = results.map((result, index) => {
    const id = `b${index}`;
    const has = (kind: Note['kind']) => result.notes.some((note) => note.kind === kind);
    return html`<li><a href="#${id}">${KINDS[result.kind]}</a><ul>
${has('failed') ? link(`${id}-failed`, 'Failed') : ''}
${promisesOf(result).length > 0 ? link(`${id}-promised`, 'Promised and reached') : ''}
${has('loses') ? link(`${id}-loses`, 'Where this package loses') : ''}
${sectionsOf(result).map((name, section) => link(`${id}-s${section}`, name))}
${has('left out') ? link(`${id}-left-out`, 'Left out') : ''}</ul></li>`;
  });
  return html`<nav aria-label="Contents"><p>Contents</p><ul>${items}</ul></nav>`;
}

/** A whole HTML document; it loads nothing and runs nothing. `results` have been checked. */
export function renderPage(results: readonly BenchmarkResult[]): string {
  const versions = [...new Set(results.map((result) => result.package.version))].join(', ');
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>overlapped ${versions}: benchmarks</title>
<style>${trusted(PAGE_STYLE)}</style>
</head>
<body><div class="page">
<header><h1>overlapped: benchmarks</h1>
<p class="lead">Version ${versions}. Figures are medians; beside them stand the least and the greatest of the rounds. Where rounds disagree about an answer, it says so.</p></header>
<div class="columns">${contents(results)}
<main>${results.map((result, index) => resultPart(`b${index}`, result))}</main></div>
<footer>Made by <code>overlapped bench</code>. Charts: Observable Plot.</footer>
</div></body>
</html>
`.text;
}
