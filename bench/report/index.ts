/**
 * The report of benchmarks: a page and single charts, from results alone. It is loaded only when
 * one is asked for, as the charting library is the larger part of it.
 */
import { writeFile } from 'node:fs/promises';
import { checkResult } from './check.ts';
import type { BenchmarkResult } from './model.ts';
import { renderPage } from './page.ts';
import { renderChart } from './picture.ts';
import { showable } from './text.ts';

export { checkResult, renderChart, renderPage };

/**
 * A result that is what it claims to be, with texts that can be shown.
 * @throws TypeError that names the first thing that is wrong
 */
export function prepareResult(value: unknown): BenchmarkResult {
  const clean = (part: unknown): unknown => {
    if (typeof part === 'string') return showable(part);
    if (Array.isArray(part)) return part.map(clean);
    if (typeof part !== 'object' || part === null) return part;
    return Object.fromEntries(
      Object.entries(part).map(([name, value]) => [showable(name), clean(value)]),
    );
  };
  return checkResult(clean(value));
}

/**
 * Writes one HTML page that needs no network, no script and no other file.
 * @throws TypeError for a result that is none, or the system's error for the file
 */
export async function writeReport(
  results: readonly BenchmarkResult[],
  file: string,
): Promise<void> {
  await writeFile(file, renderPage(results.map(prepareResult)));
}

/**
 * Writes one chart as an SVG that stands alone, in light and dark, such as for a README.
 * @param id of a group or a curve; without it the first that has something to show
 * @throws TypeError for a result that is none or has no such chart
 */
export async function writeChart(
  result: BenchmarkResult,
  file: string,
  id?: string,
): Promise<void> {
  await writeFile(file, renderChart(prepareResult(result), id));
}
