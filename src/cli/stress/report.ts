/** What an experiment shows at its end: a table for people, an object for machines. */
import type { Watcher } from '../../stress/experiment.ts';
import type { StressValues } from './options.ts';

export interface Report {
  /** Whether all was as it should be. */
  readonly held: boolean;
  /** Lines for a person: what was done, a table, what it says. */
  readonly text: readonly string[];
  readonly json: Readonly<Record<string, unknown>>;
}

export type Experimenter = (values: StressValues, watch: Watcher) => Promise<Report>;

/** Columns under their names; numbers to the right. */
export function grid(
  header: readonly string[],
  rows: readonly (readonly (string | number | boolean)[])[],
): string {
  const cells = [header, ...rows.map((row) => row.map(cell))];
  const widths = header.map((_, column) =>
    Math.max(...cells.map((row) => (row[column] ?? '').length)),
  );
  return cells
    .map((row) =>
      row
        .map((value, column) => {
          const width = widths[column] as number;
          const isText = typeof rows[0]?.[column] !== 'number';
          return isText ? value.padEnd(width) : value.padStart(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `  ${line}`)
    .join('\n');
}

function cell(value: string | number | boolean): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return value;
  const digits = Number.isInteger(value) ? 0 : value < 100 ? 1 : 0;
  return value.toLocaleString('en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}
