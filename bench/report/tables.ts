/** The figures beside the charts, as tables that a screen reader can walk through. */
import { find } from './check.ts';
import { distinguish, formatLabels } from './labels.ts';
import { html, type Markup } from './markup.ts';
import type { BenchmarkResult, Curve, Figure, Group, Ratio, Row, Verdict } from './model.ts';
import { formatNumber, formatTick, plural } from './text.ts';

const VERDICTS: Readonly<Record<Verdict, readonly [tone: string, sign: string]>> = {
  held: ['good', '✓'],
  ahead: ['good', '✓'],
  missed: ['bad', '✗'],
  behind: ['bad', '✗'],
  'hidden by spread': ['unsure', '?'],
};

export function verdictBadge(verdict: Verdict): Markup {
  const [tone, sign] = VERDICTS[verdict];
  return html`<span class="badge ${tone}"><span aria-hidden="true">${sign} </span>${verdict}</span>`;
}

/** Scrolls by itself where it is too wide, so that the page does not; reachable by keyboard. */
function tableBox(caption: string, head: Markup, rows: readonly Markup[]): Markup {
  return html`<div class="table" tabindex="0" role="region" aria-label="${caption}">
<table><caption>${caption}</caption><thead>${head}</thead><tbody>
${rows}
</tbody></table></div>`;
}

function figureCell(figure: Figure | undefined): Markup {
  if (figure === undefined)
    return html`<td class="none"><span aria-hidden="true">–</span><span class="hidden">not measured</span></td>`;
  return html`<td>${formatNumber(figure.median)} <small>${formatNumber(figure.least)}–<wbr>${formatNumber(figure.greatest)}</small></td>`;
}

const ROLE_TEXT: Readonly<Record<Row['role'], string>> = {
  own: 'this package',
  peer: '',
  ceiling: 'ceiling',
};

function rowCells(group: Group, row: Row, withLabels: boolean, withChecksum: boolean): Markup {
  // Where names tell the rows apart, the host takes no column of its own.
  const host = withLabels ? '' : formatLabels(group, row);
  const role = [ROLE_TEXT[row.role], host].filter(Boolean).join(', ');
  const name = html`<th scope="row" class="${row.role}"><bdi>${row.name}</bdi>${
    role === '' ? '' : html` <small>${role}</small>`
  }</th>`;
  const labels = withLabels
    ? html`<td class="text"><bdi>${formatLabels(group, row)}</bdi></td>`
    : '';
  const figures =
    row.failed === undefined
      ? group.measures.map(({ id }) => figureCell(row.figures[id]))
      : html`<td class="text failed" colspan="${group.measures.length}">✗ failed: ${row.failed}</td>`;
  const checksum = withChecksum ? html`<td><code>${row.checksum ?? ''}</code></td>` : '';
  return html`<tr class="${row.role}">${name}${labels}${figures}${checksum}</tr>
`;
}

export function groupTable(group: Group): Markup {
  const withLabels = group.rows.some((row) => distinguish(group, row) !== '');
  const withChecksum = group.rows.some(({ checksum }) => checksum !== undefined);
  const heads = group.measures.map(
    ({ label, unit, better }) =>
      html`<th scope="col">${label}<small>${
        unit === label ? '' : unit
      } <span title="${better} is better">${better === 'more' ? '↑' : '↓'}<span class="hidden"> ${better} is better</span></span></small></th>`,
  );
  const head = html`<tr><th scope="col">Who</th>${
    withLabels ? html`<th scope="col" class="text">Where</th>` : ''
  }${heads}${withChecksum ? html`<th scope="col">Checksum</th>` : ''}</tr>`;
  const counts = group.rows.flatMap((row) =>
    Object.values(row.figures).map((figure) => figure.samples),
  );
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const samples = least === most ? plural(least, 'sample') : `${least} to ${most} samples`;
  const caption = `${group.title}: median${counts.length === 0 ? '' : ` of ${samples}`}, least–greatest`;
  return tableBox(
    caption,
    head,
    group.rows.map((row) => rowCells(group, row, withLabels, withChecksum)),
  );
}

/** `In-order store: node · window 256` */
export function whereOf(group: Group, row: Row): string {
  const label = distinguish(group, row);
  return label === '' ? group.title : `${group.title}: ${label}`;
}

export function ratioTable(result: BenchmarkResult, ratios: readonly Ratio[]): Markup {
  const head = html`<tr><th scope="col">Which</th><th scope="col" class="text">Where</th>
<th scope="col" class="text">By</th><th scope="col">Times better</th>
<th scope="col">Promised</th><th scope="col" class="text">Verdict</th></tr>`;
  const rows = ratios.map(({ of, to, measure, value, promised, verdict }) => {
    const own = find(result, of, measure);
    const peer = find(result, to, measure);
    return html`<tr><th scope="row"><bdi>${own.row.name}</bdi> <small>against</small> <bdi>${peer.row.name}</bdi></th>
<td class="text wide"><bdi>${whereOf(own.group, own.row)}</bdi></td><td class="text">${own.measure.label}</td>
${figureCell(value)}<td>${promised === undefined ? '' : `≥ ${promised}`}</td><td class="text">${verdictBadge(verdict)}</td></tr>
`;
  });
  return tableBox('Ratios within a round: median, least–greatest', head, rows);
}

export interface PromiseLine {
  readonly what: string;
  readonly where: string;
  readonly promised: string;
  readonly reached: Figure | undefined;
  readonly verdict: Verdict;
}

export function promiseTable(promises: readonly PromiseLine[]): Markup {
  const head = html`<tr><th scope="col">What</th><th scope="col" class="text">Where</th>
<th scope="col">Promised</th><th scope="col">Reached</th><th scope="col" class="text">Verdict</th></tr>`;
  const rows = promises.map(
    ({
      what,
      where,
      promised,
      reached,
      verdict,
    }) => html`<tr><th scope="row"><bdi>${what}</bdi></th>
<td class="text wide"><bdi>${where}</bdi></td><td>${promised}</td>${figureCell(reached)}<td class="text">${verdictBadge(verdict)}</td></tr>
`,
  );
  return tableBox('Promised and reached', head, rows);
}

/** One column a series, one row a place on the x axis. */
export function curveTable({ title, x, y, series }: Curve): Markup {
  const places = [...new Set(series.flatMap(({ points }) => points.map((point) => point[0])))].sort(
    (a, b) => a - b,
  );
  const head = html`<tr><th scope="col">${x.label}<small>${x.unit}</small></th>${series.map(
    ({ name, host }) => html`<th scope="col"><bdi>${name}</bdi><small>${host}</small></th>`,
  )}</tr>`;
  const rows = places.map((place) => {
    const cells = series.map(({ points }) => {
      const point = points.find(([at]) => at === place);
      if (point === undefined) return figureCell(undefined);
      const [, median, least, greatest] = point;
      return figureCell({ median, least, greatest, samples: 1 });
    });
    return html`<tr><th scope="row">${formatTick(place, x.unit)}</th>${cells}</tr>
`;
  });
  return tableBox(
    `${title}: ${y.label}${y.unit === '' ? '' : ` in ${y.unit}`}, median, least–greatest`,
    head,
    rows,
  );
}

/** A ratio's two rows in one line, for charts. */
export function ratioName(result: BenchmarkResult, { of, to, measure }: Ratio): string {
  const [own, peer] = [find(result, of, measure), find(result, to, measure)];
  const label = distinguish(own.group, own.row);
  return `${own.row.name} / ${peer.row.name}${label === '' ? '' : `, ${label}`}`;
}
