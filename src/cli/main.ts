#!/usr/bin/env node
/** `overlapped <command>`: finds the command and turns its outcome into an exit code. */
import process from 'node:process';
import { bench } from './bench.ts';
import { echo } from './echo.ts';
import { harness } from './harness.ts';
import { info } from './info.ts';
import {
  CommandError,
  EXIT_FAILED,
  EXIT_NOT_SUPPORTED,
  EXIT_OK,
  EXIT_USAGE,
  usageError,
} from './outcome.ts';
import { shutdown } from './shutdown.ts';
import { start } from './start.ts';
import { stress } from './stress.ts';
import { paint, table } from './terminal.ts';
import { version } from './version.ts';

const COMMANDS = [start, info, echo, harness, shutdown, stress, bench];

function help(): string {
  return [
    'usage: overlapped <command> [options]',
    '',
    table(COMMANDS.map(({ name, summary }) => [name, summary])),
    '',
    'overlapped <command> --help says more. Every command takes --json.',
    'Exit code: 0 all held, 1 it did not, 2 wrong usage, 3 not supported here.',
  ].join('\n');
}

async function execute(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    console.log(help());
    return name === undefined ? EXIT_USAGE : EXIT_OK;
  }
  if (name === '--version' || name === '-v') {
    console.log(version);
    return EXIT_OK;
  }
  const found = COMMANDS.find((command) => command.name === name);
  if (found === undefined) {
    const names = COMMANDS.map((command) => command.name).join(', ');
    throw usageError(
      `unknown ${name.startsWith('-') ? 'option' : 'command'} ${name}; there are ${names}`,
    );
  }
  return found.execute(rest);
}

/** Codes of the package that are no failure of what was run. */
const EXIT_BY_CODE: Readonly<Record<string, number>> = {
  INVALID_OPTION: EXIT_USAGE,
  NOT_SUPPORTED: EXIT_NOT_SUPPORTED,
};

/** One line with the code; the stack only for those who ask for it. */
function report(error: unknown, json: boolean): number {
  const message = error instanceof Error ? error.message : String(error);
  const { code = 'UNKNOWN' } = (error ?? {}) as { code?: string };
  const line = message.startsWith(code) ? message : `${code}: ${message}`;
  console.error(`${paint('overlapped:', 'red', process.stderr)} ${line}`);
  if (process.env.DEBUG && error instanceof Error) console.error(error.stack);
  if (json) console.log(JSON.stringify({ error: { code, message } }));
  if (error instanceof CommandError) return error.exitCode;
  return EXIT_BY_CODE[code] ?? EXIT_FAILED;
}

const argv = process.argv.slice(2);
try {
  process.exitCode = await execute(argv);
} catch (error) {
  process.exitCode = report(error, argv.includes('--json'));
}
