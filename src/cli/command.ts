/** What a command is: a table of options, and what to do with their values. */
import {
  COMMON_OPTIONS,
  describeOptions,
  type OptionTable,
  parseOptions,
  type Values,
} from './options.ts';
import { EXIT_OK } from './outcome.ts';

export type CommonValues = Values<typeof COMMON_OPTIONS>;

/** A command as `main` sees it. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Parses and runs; returns the exit code. */
  execute(argv: readonly string[]): Promise<number>;
}

export interface CommandDescription<Table extends OptionTable> {
  readonly name: string;
  readonly summary: string;
  /** Sentences below the options in `--help`. */
  readonly notes?: string;
  readonly options: Table;
  run(values: Values<Table> & CommonValues): Promise<number>;
}

export function command<Table extends OptionTable>(
  description: CommandDescription<Table>,
): Command {
  const { name, summary, notes } = description;
  const table = { ...description.options, ...COMMON_OPTIONS };
  return {
    name,
    summary,
    async execute(argv) {
      const values = parseOptions(name, table, argv) as Values<Table> & CommonValues;
      if (!values.help) return description.run(values);
      const usage = `usage: overlapped ${name} [options]`;
      console.log([usage, '', summary, '', ...describeOptions(table)].join('\n'));
      if (notes !== undefined) console.log(`\n${notes}`);
      return EXIT_OK;
    },
  };
}
