/** `overlapped bench`: each benchmark is loaded only when it is asked for. */
import type { Command } from './command.ts';
import { EXIT_OK, EXIT_USAGE, usageError } from './outcome.ts';
import { table } from './terminal.ts';

/** Name, summary, and where the command is. */
const BENCHMARKS: readonly {
  readonly name: string;
  readonly summary: string;
  load(): Promise<Command>;
}[] = [
  {
    name: 'micro',
    summary: 'The core alone, part by part, against JavaScript and C.',
    load: async () => (await import('./bench-micro.ts')).benchMicro,
  },
  {
    name: 'echo',
    summary: 'Echo servers over every backend against others.',
    load: async () => (await import('./bench-echo.ts')).benchEcho,
  },
];

const SUMMARY = 'Benchmarks of the core and of the backends.';

export const bench: Command = {
  name: 'bench',
  summary: SUMMARY,
  async execute([name, ...rest]) {
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
      const rows = BENCHMARKS.map(({ name, summary }) => [name, summary] as const);
      const usage = 'usage: overlapped bench <benchmark> [options]';
      const more = 'overlapped bench <benchmark> --help says more.';
      console.log([usage, '', SUMMARY, '', table(rows), '', more].join('\n'));
      return name === undefined ? EXIT_USAGE : EXIT_OK;
    }
    const found = BENCHMARKS.find((benchmark) => benchmark.name === name);
    if (found === undefined) {
      const names = BENCHMARKS.map((benchmark) => benchmark.name).join(', ');
      throw usageError(`unknown benchmark ${name}; there are ${names}`);
    }
    return await (await found.load()).execute(rest);
  },
};
