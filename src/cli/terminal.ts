/** What a person sees: colours only where they show, short tables, a line of progress. */
import process from 'node:process';

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;
export type Style = keyof typeof STYLES;

interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** `value` in a colour where `output` is a terminal and NO_COLOR is not set. */
export function paint(value: string, style: Style, output: Output = process.stdout): string {
  if (!output.isTTY || process.env.NO_COLOR) return value;
  return `\u001b[${STYLES[style]}m${value}\u001b[0m`;
}

/** Rows of a name and a value, the names in one column. */
export function table(rows: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n');
}

export function count(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** Bytes with three digits that matter, in decimal units. */
export function size(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toPrecision(value >= 100 ? 4 : 3)} ${UNITS[unit]}`;
}

/** A time in the unit that suits it. */
export function duration(microseconds: number): string {
  if (microseconds < 1000) return `${microseconds.toFixed(0)} µs`;
  if (microseconds < 1_000_000) return `${(microseconds / 1000).toFixed(1)} ms`;
  return `${(microseconds / 1_000_000).toFixed(2)} s`;
}

/**
 * Progress on the error output, so that the result stands alone on the standard
 * output: one line that changes on a terminal, else a line a second.
 */
export class Progress {
  readonly #output: Output = process.stderr;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(describe: () => string) {
    const terminal = this.#output.isTTY === true;
    const show = () => this.#output.write(terminal ? `\r\u001b[K${describe()}` : `${describe()}\n`);
    this.#timer = setInterval(show, terminal ? 100 : 1000);
  }

  stop(): void {
    clearInterval(this.#timer);
    if (this.#output.isTTY) this.#output.write('\r\u001b[K');
  }
}
