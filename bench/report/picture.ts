/** One chart as a picture: an SVG with its own title, legend and colours for light and dark. */
import { drawBars } from './charts/bars.ts';
import { drawCurve, styleOf } from './charts/curves.ts';
import { textWidthPx, WIDTH_PX } from './charts/drawing.ts';
import { legendSymbol } from './charts/legend.ts';
import { html, type Markup, trusted } from './markup.ts';
import type { BenchmarkResult, Curve, Group } from './model.ts';
import { CHART_STYLE, colours, FONT } from './style.ts';
import { formatHosts, plural } from './text.ts';

const PADDING_PX = 20;
const LEGEND_LINE_PX = 20;

interface LegendItem {
  readonly symbol: Markup;
  readonly symbolPx: number;
  readonly text: string;
}

function barLegend({ rows }: Group): LegendItem[] {
  const looks = [
    ['own', 'this package', 'var(--own)', 'var(--own)'],
    ['peer', 'others', 'var(--peer)', 'var(--peer)'],
    ['ceiling', 'a ceiling, not a peer', 'var(--ceiling)', 'var(--peer)'],
  ] as const;
  const roles = looks
    .filter(([role]) => rows.some((row) => row.role === role))
    .map(([, text, fill, stroke]) => ({
      symbol: html`<rect x="1" y="1" width="12" height="12" rx="2" fill="${fill}" stroke="${stroke}"/>`,
      symbolPx: 14,
      text,
    }));
  const whisker = html`<path d="M2 7H20M2 3V11M20 3V11" stroke="var(--ink)" stroke-width="1.25" fill="none"/>`;
  return [...roles, { symbol: whisker, symbolPx: 22, text: 'least to greatest of the rounds' }];
}

function curveLegend({ series }: Curve): LegendItem[] {
  return series.map(({ name, host }, index) => ({
    symbol: trusted(legendSymbol(styleOf(series, index))),
    symbolPx: 36,
    text: host === undefined ? name : `${name}, ${host}`,
  }));
}

/** Items from left to right, on as many lines as they need. */
function placeLegend(items: readonly LegendItem[]): { markup: Markup[]; heightPx: number } {
  let [x, y] = [0, 0];
  const markup = items.map(({ symbol, symbolPx, text }) => {
    const width = symbolPx + 6 + textWidthPx(text) + 20;
    if (x > 0 && x + width > WIDTH_PX.wide) [x, y] = [0, y + LEGEND_LINE_PX];
    const placed = html`<g transform="translate(${x},${y})">${symbol}<text x="${symbolPx + 6}" y="11">${text}</text></g>`;
    x += width;
    return placed;
  });
  return { markup, heightPx: y + LEGEND_LINE_PX };
}

function choose(result: BenchmarkResult, id: string | undefined): Group | Curve {
  const measured = result.groups.filter(({ rows, measures }) =>
    rows.some((row) => row.failed === undefined && row.figures[measures[0].id] !== undefined),
  );
  const drawn = result.curves.filter(({ series }) =>
    series.some(({ points }) => points.length > 0),
  );
  const all = [...measured, ...drawn];
  const chosen = id === undefined ? all[0] : all.find((item) => item.id === id);
  if (chosen !== undefined) return chosen;
  const ids = all.map((item) => item.id).join(', ');
  throw new TypeError(`no chart ${id ?? ''} in this result; there are ${ids || 'none'}`);
}

/** @throws TypeError if the result has no group or curve of that id that was measured */
export function renderChart(result: BenchmarkResult, id?: string): string {
  const chosen = choose(result, id);
  const isGroup = 'rows' in chosen;
  const chart = isGroup
    ? drawBars('chart', 'wide', chosen, chosen.measures[0])
    : drawCurve('chart', 'wide', chosen);
  const chartHeight = Number(/ height="([\d.]+)"/.exec(chart)?.[1]);
  const legend = placeLegend(isGroup ? barLegend(chosen) : curveLegend(chosen));
  const { machine, hosts } = result;
  const used = hosts.filter(({ name }) =>
    (isGroup ? chosen.rows : chosen.series).some(({ host }) => host === name),
  );
  const source = [
    `overlapped ${result.package.version}`,
    `${machine.cpu}, ${plural(machine.cores, 'core')}`,
    ...(used.length === 0 ? [] : [formatHosts(used)]),
  ].join(' · ');
  const legendY = 52;
  const chartY = legendY + legend.heightPx + 4;
  const width = WIDTH_PX.wide + 2 * PADDING_PX;
  const height = chartY + chartHeight + 34;
  return html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="chart-title" aria-describedby="chart-desc">
<style>${trusted(colours('svg'))}
${trusted(CHART_STYLE)} text { font-family: ${trusted(FONT)}; font-size: 12px; fill: var(--muted); }
.plot text { fill: inherit; } .title { font-size: 16px; font-weight: 600; fill: var(--ink); }</style>
<rect width="${width}" height="${height}" rx="8" fill="var(--paper)"/>
<text class="title" x="${PADDING_PX}" y="32">${chosen.title}</text>
<g transform="translate(${PADDING_PX},${legendY})">${legend.markup}</g>
<g transform="translate(${PADDING_PX},${chartY})">${trusted(chart)}</g>
<text x="${PADDING_PX}" y="${height - 14}">${source}</text>
</svg>
`.text;
}
