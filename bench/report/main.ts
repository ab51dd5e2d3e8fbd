/**
 * `node build/run.mjs bench/report/main.ts RESULT.json… [--report FILE.html] [--chart FILE.svg [--id ID]]`
 * draws results of earlier runs again, without measuring.
 */
import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { prepareResult, writeChart, writeReport } from './index.ts';

const USAGE =
  'usage: main.ts RESULT.json… [--report FILE.html] [--chart FILE.svg [--id GROUP-OR-CURVE]]';

/** A file holds one result or an array of them. */
async function readResults(files: readonly string[]) {
  const contents = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  return contents
    .flatMap((text) => JSON.parse(text) as unknown)
    .map((value) => prepareResult(value));
}

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { report: { type: 'string' }, chart: { type: 'string' }, id: { type: 'string' } },
  });
  if (positionals.length === 0 || (values.report ?? values.chart) === undefined)
    throw new TypeError(USAGE);
  const results = await readResults(positionals);
  if (values.report !== undefined) await writeReport(results, values.report);
  if (values.chart !== undefined) {
    const { id } = values;
    const holder = results.find(
      ({ groups, curves }) =>
        id === undefined || [...groups, ...curves].some((item) => item.id === id),
    );
    if (holder === undefined) throw new TypeError(`no result has a chart ${id}`);
    await writeChart(holder, values.chart, id);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
