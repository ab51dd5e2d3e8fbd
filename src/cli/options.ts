/** Options of a command: declared once, for parsing, for `--help` and for messages about mistakes. */
import { parseArgs } from 'node:util';
import { usageError } from './outcome.ts';

/** One option and how its text becomes a value. */
export interface Option<Value> {
  /** What stands for the value in `--help`; '' for a flag without value. */
  readonly placeholder: string;
  readonly help: string;
  readonly fallback: Value;
  /** Left out of `--help`: for the command line's own use and for tests. */
  readonly hidden?: boolean;
  /** What is allowed, for people. */
  readonly allowed: string;
  /** Returns undefined where `text` is not allowed. */
  parse(text: string): Value | undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: options of all kinds of values stand in one table
export type OptionTable = Readonly<Record<string, Option<any>>>;

/** The values of a table's options, by their names. */
export type Values<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Option<infer Value> ? Value : never;
};

export function flag(help: string, hidden = false): Option<boolean> {
  return { placeholder: '', help, fallback: false, hidden, allowed: '', parse: () => true };
}

export function text(placeholder: string, help: string, fallback = ''): Option<string> {
  const allowed = 'text that is not empty';
  return { placeholder, help, fallback, allowed, parse: (value) => value || undefined };
}

export function integer(
  help: string,
  fallback: number,
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
): Option<number> {
  const allowed =
    max === Number.MAX_SAFE_INTEGER
      ? `a whole number from ${min}`
      : `a whole number from ${min} to ${max}`;
  return {
    placeholder: 'N',
    help,
    fallback,
    allowed,
    parse(value) {
      const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
      return number >= min && number <= max ? number : undefined;
    },
  };
}

export function choice<const Word extends string>(
  words: readonly Word[],
  help: string,
  fallback: Word,
): Option<Word> {
  return {
    placeholder: words.join('|'),
    help,
    fallback,
    allowed: words.join(', '),
    parse: (value) => words.find((word) => word === value),
  };
}

export function onOff(help: string, fallback: boolean): Option<boolean> {
  return {
    placeholder: 'on|off',
    help,
    fallback,
    allowed: 'on, off',
    parse: (value) => (value === 'on' ? true : value === 'off' ? false : undefined),
  };
}

/** Every command has these. */
export const COMMON_OPTIONS = {
  json: flag('print one JSON object on the last line'),
  help: flag('show this help'),
} as const;

/** @throws CommandError that names the mistake and what is allowed */
export function parseOptions<Table extends OptionTable>(
  command: string,
  table: Table,
  argv: readonly string[],
): Values<Table> {
  const names = Object.keys(table);
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(
      names.map((name) => [
        name,
        { type: table[name]?.placeholder === '' ? 'boolean' : 'string' } as const,
      ]),
    ),
    strict: false,
    tokens: true,
  });
  const values: Record<string, unknown> = {};
  for (const name of names) values[name] = table[name]?.fallback;
  for (const token of tokens) {
    if (token.kind === 'positional') {
      throw usageError(`${command} takes no argument '${token.value}', only options`);
    }
    if (token.kind !== 'option') continue;
    const { name, rawName } = token;
    const option = Object.hasOwn(table, name) ? table[name] : undefined;
    if (option === undefined) {
      const known = names.filter((known) => !table[known]?.hidden).map((known) => `--${known}`);
      throw usageError(`unknown option ${rawName}; ${command} takes ${known.join(', ')}`);
    }
    if (option.placeholder === '') {
      if (token.value !== undefined) throw usageError(`--${name} takes no value`);
      values[name] = true;
      continue;
    }
    const value = token.value === undefined ? undefined : option.parse(token.value);
    if (value === undefined) {
      const given = token.value === undefined ? 'no value' : `'${token.value}'`;
      throw usageError(`--${name}: ${given} is not allowed; allowed: ${option.allowed}`);
    }
    values[name] = value;
  }
  return values as Values<Table>;
}

/** The lines of `--help` about a table's options. */
export function describeOptions(table: OptionTable): string[] {
  const shown = Object.entries(table).filter(([, option]) => !option.hidden);
  const lefts = shown.map(([name, { placeholder }]) => `  --${name} ${placeholder}`.trimEnd());
  const width = Math.min(34, Math.max(...lefts.map((left) => left.length)) + 2);
  return shown.map(([, option], index) => {
    const left = lefts[index] as string;
    const pad =
      left.length + 2 > width ? `\n${' '.repeat(width)}` : ' '.repeat(width - left.length);
    return `${left}${pad}${option.help}${describeFallback(option)}`;
  });
}

function describeFallback({ placeholder, fallback }: Option<unknown>): string {
  if (placeholder === '' || fallback === '') return '';
  if (typeof fallback === 'boolean') return ` [${fallback ? 'on' : 'off'}]`;
  return ` [${String(fallback)}]`;
}
