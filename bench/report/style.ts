/** The style sheet of the page; its colours are also those of a chart that stands alone. */

const LIGHT = `
  --paper: #ffffff; --soft: #f5f7f9; --ink: #1b2026; --muted: #57606a; --line: #dde2e8;
  --own: #0b62c4; --peer: #848d97; --ceiling: #e3e7ec;
  --good: #17752f; --bad: #c3202b; --unsure: #8a5a00;
  --good-soft: #e4f5e8; --bad-soft: #fdeaea; --unsure-soft: #fdf3d8;
  --series-0: #0b62c4; --series-1: #b8500b; --series-2: #17752f; --series-3: #8b3fb0;
  --series-4: #5d6670; --series-5: #b3235f; --series-6: #007a80; --series-7: #806000;`;

const DARK = `
  --paper: #0f1318; --soft: #171c22; --ink: #e6eaef; --muted: #9ea8b3; --line: #2b323a;
  --own: #4f9cf5; --peer: #7d8794; --ceiling: #2c343d;
  --good: #4cc267; --bad: #ff7b72; --unsure: #dda63a;
  --good-soft: #12301b; --bad-soft: #3d1a1c; --unsure-soft: #352a10;
  --series-0: #4f9cf5; --series-1: #f0883e; --series-2: #4cc267; --series-3: #c58af0;
  --series-4: #a3adb8; --series-5: #f778a8; --series-6: #39c5cf; --series-7: #d9b430;`;

export const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";

/** Variables for `selector`, by what the reader's system prefers. */
export function colours(selector: string): string {
  return `${selector} {${LIGHT}\n}
@media screen and (prefers-color-scheme: dark) { ${selector} {${DARK}\n} }`;
}

export const CHART_STYLE = `.plot text { white-space: pre; font-family: ${FONT}; }`;

export const PAGE_STYLE = `
${colours(':root')}
:root { color-scheme: light dark; }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 ${FONT}; }
a { color: var(--own); text-underline-offset: 2px; }
:focus-visible { outline: 2px solid var(--own); outline-offset: 2px; border-radius: 4px; }
.page { max-width: 1140px; margin: 0 auto; padding: 0 20px 64px; }
header { padding: 40px 0 8px; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.015em; }
h2 { font-size: 1.45rem; line-height: 1.3; margin: 56px 0 4px; letter-spacing: -0.01em; }
h3 { font-size: 1.15rem; margin: 40px 0 12px; padding-top: 12px; border-top: 1px solid var(--line); }
h4 { font-size: 1rem; margin: 28px 0 2px; }
p { margin: 4px 0 12px; max-width: 46em; }
.lead, .about { color: var(--muted); }
h1, h2, h3, h4, p, li, dd, th, td, caption { overflow-wrap: anywhere; }
small { font-size: 0.82em; color: var(--muted); font-weight: 400; }
code, pre { font-family: ui-monospace, 'Cascadia Mono', Menlo, Consolas, monospace; font-size: 0.86em; }
pre { margin: 8px 0; padding: 10px 14px; background: var(--soft); border: 1px solid var(--line); border-radius: 8px; white-space: pre-wrap; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 18px; margin: 12px 0; }
dt { color: var(--muted); } dd { margin: 0; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav p { margin: 0 0 6px; font-weight: 600; }
nav a { color: var(--muted); text-decoration: none; display: block; padding: 3px 0; }
nav a:hover { color: var(--ink); text-decoration: underline; }
nav ul ul { padding-left: 12px; font-size: 0.92em; }
nav { margin: 24px 0; padding: 14px 16px; background: var(--soft); border-radius: 8px; font-size: 0.92rem; }
@media (min-width: 1080px) {
  .columns { display: grid; grid-template-columns: 210px minmax(0, 1fr); gap: 48px; align-items: start; }
  nav { position: sticky; top: 24px; max-height: calc(100vh - 48px); overflow-y: auto; background: none; padding: 0; margin: 34px 0 0; }
}
.counts { display: flex; flex-wrap: wrap; gap: 8px 22px; margin: 14px 0; padding: 0; list-style: none; }
.badge { display: inline-block; padding: 0 9px; border-radius: 999px; font-size: 0.86rem; line-height: 1.6; white-space: nowrap; font-weight: 600; }
td .badge { font-size: 0.96em; line-height: 1.5; padding: 0 0.7em; }
.badge.good { color: var(--good); background: var(--good-soft); }
.badge.bad { color: var(--bad); background: var(--bad-soft); }
.badge.unsure { color: var(--unsure); background: var(--unsure-soft); }
figure { margin: 14px 0 6px; container-type: inline-size; }
figcaption { color: var(--muted); font-size: 0.86rem; }
.plot { display: block; max-width: 100%; height: auto; overflow: visible; }
${CHART_STYLE}
.plot.narrow { display: none; margin: 0 auto; }
@container (max-width: 600px) { .plot.wide { display: none; } .plot.narrow { display: block; } }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 0 0 6px; padding: 0; list-style: none; font-size: 0.86rem; color: var(--muted); }
.legend li { display: flex; align-items: center; gap: 7px; }
.legend svg { flex: none; }
.table { position: relative; overflow-x: auto; margin: 6px 0 18px; }
table { border-collapse: collapse; width: 100%; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
caption { caption-side: top; text-align: left; color: var(--muted); font-size: 0.86rem; padding: 4px 0; }
th, td { padding: 5px 0 5px 14px; text-align: right; vertical-align: top; border-bottom: 1px solid var(--line); overflow-wrap: normal; }
th:first-child, td:first-child { padding-left: 0; text-align: left; }
th.text, td.text { text-align: left; }
td.text { min-width: 4em; }
td.wide { min-width: 11em; }
thead th { font-weight: 600; vertical-align: bottom; border-bottom: 2px solid var(--line); }
thead small { display: block; position: relative; white-space: nowrap; }
td small { display: block; }
tbody th { font-weight: 400; min-width: 9em; }
tbody th.own { font-weight: 600; }
td.none { color: var(--muted); } td.failed { color: var(--bad); }
.notes { padding-left: 1.2em; } .notes li { margin: 4px 0; max-width: 46em; }
.hidden { position: absolute; left: 0; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
footer { margin-top: 56px; padding-top: 14px; border-top: 1px solid var(--line); color: var(--muted); font-size: 0.86rem; }
@media (max-width: 480px) {
  body { font-size: 15px; } .page { padding: 0 14px 40px; } header { padding-top: 24px; }
  h1 { font-size: 1.6rem; } h2 { font-size: 1.3rem; margin-top: 40px; }
  dl { display: block; } dt { margin-top: 6px; font-size: 0.86rem; }
  th, td { padding-left: 12px; } tbody th { min-width: 7.5em; } td small { white-space: nowrap; }
}
@page { margin: 15mm; }
@media print {
  :root { color-scheme: light; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  html { font-size: 10pt; } body { font-size: 1rem; } .page { max-width: none; padding: 0; } nav { display: none; }
  .columns { display: block; }
  .table { overflow: visible; } table { font-size: 7pt; } th, td { padding-left: 5pt; }
  thead small { white-space: normal; } tbody th, td.text { min-width: 0; }
  h2, h3, h4, caption, .legend { break-after: avoid; } figure, tr, li { break-inside: avoid; }
  thead { display: table-header-group; } h2 { margin-top: 28pt; }
}
`;
