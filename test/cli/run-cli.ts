/** The command line as a real process, as it was built into dist/. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import type { Readable } from 'node:stream';
import * as assert from 'uvu/assert';
import { findProgram } from '../hosts/process.ts';

/** How each host runs `dist/cli.js`. */
export const HOSTS = {
  node: [process.execPath],
  bun: ['bun'],
  deno: ['deno', 'run', '-A'],
} as const;
export type HostName = keyof typeof HOSTS;
export const HOST_NAMES = Object.keys(HOSTS) as HostName[];

/** Longer than anything a test waits for, and shorter than the test's own limit. */
const LIMIT_MS = 80_000;

export interface Outcome {
  readonly exit: number | string;
  readonly stdout: string;
  readonly stderr: string;
  /** The last line of the output as JSON; undefined where it is none. */
  readonly json: Record<string, unknown> | undefined;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Outcome>;
  /** Resolves with the match of `pattern` in the output, as soon as it has one. */
  output(pattern: RegExp): Promise<RegExpExecArray>;
  /** The same for the error output. */
  errorOutput(pattern: RegExp): Promise<RegExpExecArray>;
}

/** The host's program, or undefined where it is not installed. */
export async function findHost(host: HostName): Promise<string | undefined> {
  const [program] = HOSTS[host];
  return host === 'node' ? program : findProgram(program);
}

export async function startCli(
  argv: readonly string[],
  host: HostName = 'node',
  environment: NodeJS.ProcessEnv = {},
): Promise<Running> {
  const program = await findHost(host);
  if (program === undefined) throw new Error(`${host} is not installed`);
  return startProgram(program, [...HOSTS[host].slice(1), 'dist/cli.js', ...argv], environment);
}

export async function runCli(
  argv: readonly string[],
  host: HostName = 'node',
  environment: NodeJS.ProcessEnv = {},
): Promise<Outcome> {
  return (await startCli(argv, host, environment)).ended;
}

/** Starts any program; it is killed after `LIMIT_MS` and when the tests end. */
export function startProgram(
  program: string,
  argv: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Running {
  const child = spawn(program, argv, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', ...environment },
  });
  const kill = () => {
    child.kill('SIGKILL');
  };
  process.on('exit', kill);
  const limit = setTimeout(kill, LIMIT_MS);
  const stdout = new Collected(child.stdout);
  const stderr = new Collected(child.stderr);
  const ended = once(child, 'close').then(([code, signal]): Outcome => {
    clearTimeout(limit);
    process.off('exit', kill);
    const { text } = stdout;
    return { exit: code ?? signal, stdout: text, stderr: stderr.text, json: lastLineAsJson(text) };
  });
  const find = (where: Collected) => async (pattern: RegExp) => {
    const match = await Promise.race([where.find(pattern), ended]);
    if (Array.isArray(match)) return match as RegExpExecArray;
    throw new Error(`no ${pattern} in\n${stdout.text}\n${stderr.text}`);
  };
  return { child, ended, output: find(stdout), errorOutput: find(stderr) };
}

/** What a stream has said so far. */
class Collected {
  text = '';
  readonly #stream: Readable;

  constructor(stream: Readable) {
    this.#stream = stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      this.text += chunk;
    });
  }

  find(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve) => {
      const look = () => {
        const match = pattern.exec(this.text);
        if (match === null) return;
        this.#stream.off('data', look);
        resolve(match);
      };
      this.#stream.on('data', look);
      look();
    });
  }
}

function lastLineAsJson(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text.trimEnd().split('\n').at(-1) ?? '');
  } catch {
    return undefined;
  }
}

export interface EchoServer extends Running {
  readonly port: string;
}

/** `overlapped echo --json …argv`, once it listens. */
export async function startEcho(
  argv: readonly string[] = [],
  host: HostName = 'node',
): Promise<EchoServer> {
  const running = await startCli(['echo', '--json', ...argv], host);
  const [, port] = await running.output(/^listening on .*:(\d+)$/m);
  return { ...running, port: port as string };
}

/** A harness run small enough for a test, against a server on `port`. */
export function runHarness(
  port: string | number,
  argv: readonly string[] = [],
  host: HostName = 'node',
): Promise<Outcome> {
  const common = ['harness', '--json', '--port', String(port), '--timeout', '20000'];
  return runCli([...common, ...argv], host);
}

/** That the harness sent so many messages, and had each back, once, whole and in its turn. */
export function assertHeld({ exit, json, stderr }: Outcome, messages: number): void {
  const { held, sent, received, sequenceMismatches, contentMismatches } = json ?? {};
  const { duplicates, lost, errors } = json ?? {};
  assert.equal(
    {
      ...{ held, sent, received, sequenceMismatches, contentMismatches },
      ...{ duplicates, lost, errors, exit },
    },
    {
      held: true,
      sent: messages,
      received: messages,
      sequenceMismatches: 0,
      contentMismatches: 0,
      duplicates: 0,
      lost: 0,
      errors: {},
      exit: 0,
    },
    stderr,
  );
}
