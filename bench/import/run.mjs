/**
 * How long a program waits for the package: from before its import to the first core instance,
 * in fresh processes.
 *
 *   node bench/import/run.mjs [--runs 15] [--json FILE]
 *
 * Measured inside the process (Node's own start is not part of it). `import` is the package's
 * main entry, `core` the first instance of the WebAssembly core with its memory, `listen` the
 * first listening server over `net` (only to know).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine, printMachine, printTable, range } from '../echo/report.mjs';
import { spread, verdict } from '../echo/statistics.mjs';

const PROMISED_AT_MOST_MS = 15;

const { values: options } = parseArgs({
  options: { runs: { type: 'string', default: '15' }, json: { type: 'string' } },
});

function runOnce(kind) {
  const file = fileURLToPath(new URL(`./${kind}.mjs`, import.meta.url));
  const result = spawnSync(process.execPath, [file], { encoding: 'utf8', timeout: 30_000 });
  if (result.status !== 0) {
    throw new Error(`${kind}.mjs ended with ${result.status}:\n${result.stderr}`);
  }
  return JSON.parse(result.stdout);
}

function main() {
  if (!existsSync(new URL('../../dist/index.js', import.meta.url))) {
    throw new Error('dist/ is not built: npm run build');
  }
  const runs = Number(options.runs);
  if (!(runs > 0)) throw new Error('--runs: a number above 0');
  const machine = describeMachine();
  printMachine(machine);
  console.log(`${runs} fresh processes, ms: median (least–greatest)\n`);
  runOnce('core'); // Files into the system's cache: what is measured is not the disk.
  runOnce('listen');
  const samples = { core: [], listen: [] };
  for (let i = 0; i < runs; i++) {
    for (const kind of Object.keys(samples)) samples[kind].push(runOnce(kind));
  }
  const rows = [['', 'import', 'then', 'together']];
  const summary = {};
  for (const [kind, list] of Object.entries(samples)) {
    const of = (key) => spread(list.map((sample) => sample[key]));
    summary[kind] = { import: of('importMs'), after: of('thenMs'), together: of('togetherMs') };
    const cells = Object.values(summary[kind]).map((s) => range(s, (value) => value.toFixed(1)));
    rows.push([kind === 'core' ? 'first core instance' : 'first server over net', ...cells]);
  }
  printTable(rows);
  const reached = verdict(summary.core.together, PROMISED_AT_MOST_MS, 'most');
  console.log(
    `\nimport and first core instance (promised: ≤ ${PROMISED_AT_MOST_MS} ms): ${reached}`,
  );
  if (options.json !== undefined) {
    const all = { machine, runs, summary, samples, reached };
    writeFileSync(options.json, `${JSON.stringify(all, undefined, 2)}\n`);
  }
}

try {
  main();
} catch (error) {
  console.error(`bench/import: ${error.message}`);
  process.exitCode = 2;
}
