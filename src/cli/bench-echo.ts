/** `overlapped bench echo`: the backends against hand-written servers, or growth curves. */
import process from 'node:process';
import { runInWine, wineObstacle } from '../../bench/echo/in-wine.ts';
import { EchoOptionError, listServers, runEchoBench } from '../../bench/echo/run-echo.ts';
import { info } from '../index.ts';
import type { Command } from './command.ts';
import { describeOptions, flag, type Option, parseOptions, text } from './options.ts';
import { EXIT_FAILED, EXIT_OK, notSupported, usageError } from './outcome.ts';

/** A number above 0; undefined where it is not given. */
function positive(help: string, placeholder: string): Option<number | undefined> {
  return {
    ...{ placeholder, help, fallback: undefined, allowed: 'a number above 0' },
    parse(given) {
      const value = /^\d{1,6}(\.\d{1,6})?$/.test(given) ? Number(given) : 0;
      return value > 0 ? value : undefined;
    },
  };
}

function list(help: string, placeholder: string): Option<readonly string[] | undefined> {
  return {
    ...{ placeholder, help, fallback: undefined, allowed: 'names with commas between them' },
    parse: (given) => (/^[^,\s]+(,[^,\s]+)*$/.test(given) ? given.split(',') : undefined),
  };
}

const FRAME_BYTES = 64;

const OPTIONS = {
  quick: flag('few servers, workloads and rounds: under a minute'),
  growth: flag('curves over connections, message size, active share, receives, workers'),
  servers: list(
    'only these; --list names them; a path is a server of your own, which prints listening PORT',
    'A,B',
  ),
  workloads: list('CONNECTIONSxIN_FLIGHT[xBYTES] each', 'W,W'),
  axes: list('with --growth: connections, size, active, receives, workers', 'A,B'),
  rounds: positive('interleaved rounds', 'N'),
  seconds: positive('measured in each run', 'S'),
  warmup: positive('before that, of time and of the server’s CPU time', 'S'),
  load: text('c|javascript', 'the load generator; by default C where there is a compiler'),
  syscalls: flag('count system calls (strace) in a quick run too'),
  'no-syscalls': flag('do not count them'),
  wine: flag('node.exe and bun.exe in Wine instead, in the repository; before other options'),
  list: flag('name the servers, and why some cannot run here'),
  json: text('FILE', 'write the result for machines'),
  report: text('FILE', 'write the result as a page'),
  help: flag('show this help'),
} as const;

const NOTES = [
  'Every server runs in a process of its own on one core; the load generator on another',
  'compares every byte. Exit code 1 if a byte was wrong, a connection closed or fell silent;',
  'a missed promise is printed, not an error.',
].join('\n');

const SUMMARY = 'Echo servers over every backend against hand-written ones and other packages.';

function loadKind(given: string): 'c' | 'javascript' | undefined {
  if (given === '' || given === 'c' || given === 'javascript') return given || undefined;
  throw usageError(`--load: '${given}' is not allowed; allowed: c, javascript`);
}

export const benchEcho: Command = {
  name: 'echo',
  summary: SUMMARY,
  async execute(argv) {
    if (argv[0] === '--wine') {
      const why = wineObstacle();
      if (why !== undefined) throw notSupported(why);
      // With options of its own.
      return runInWine(argv.slice(1));
    }
    const values = parseOptions('bench echo', OPTIONS, argv);
    if (values.wine) throw usageError('--wine: it stands before the other options');
    if (values.help) {
      const usage = 'usage: overlapped bench echo [options]';
      console.log([usage, '', SUMMARY, '', ...describeOptions(OPTIONS), '', NOTES].join('\n'));
      return EXIT_OK;
    }
    const { backends } = await info();
    const unavailable = Object.fromEntries(
      backends.flatMap(({ name, available, reason }) =>
        available ? [] : [[name, reason ?? 'not available']],
      ),
    );
    if (values.list) {
      listServers(unavailable);
      return EXIT_OK;
    }
    const { quick, growth, servers, workloads, axes, rounds, seconds, warmup } = values;
    const syscalls = values['no-syscalls'] ? false : values.syscalls || undefined;
    try {
      const held = await runEchoBench({
        ...{ quick, growth, servers, workloads, axes, rounds, seconds, warmup, syscalls },
        ...{ size: FRAME_BYTES, load: loadKind(values.load), unavailable },
        ...{ json: values.json || undefined, report: values.report || undefined },
        command: ['overlapped', ...process.argv.slice(2)],
      });
      return held ? EXIT_OK : EXIT_FAILED;
    } catch (error) {
      if (error instanceof EchoOptionError) throw usageError(error.message);
      throw error;
    }
  },
};
