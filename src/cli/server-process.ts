/** The echo server as a process of its own, which never outlives this one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { signalEvent } from '../event.ts';
import { CommandError, EXIT_FAILED } from './outcome.ts';

/** How long the server may take to listen, and to end once it was told. */
const LISTEN_TIMEOUT_MS = 10_000;
const END_TIMEOUT_MS = 10_000;

export interface ServerProcess {
  readonly host: string;
  readonly port: number;
  /** Ends it through its named event; its last line, and whether it ended well. */
  end(): Promise<{ readonly lastLine: string; readonly exitCode: number | null }>;
  /** Kills it if it still runs. */
  kill(): void;
}

/** Starts this same program as `echo …argv`; resolves when it listens. */
export async function startServer(argv: readonly string[]): Promise<ServerProcess> {
  const event = `start-${randomUUID()}`;
  const child = spawn(
    process.execPath,
    [...hostArguments(), 'echo', ...argv, '--event', event, '--with-parent', '--json'],
    // The pipe to its input closes with this process, however that ends.
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const kill = () => {
    child.kill('SIGKILL');
  };
  process.on('exit', kill);
  const exited = new Promise<number | null>((resolve) => {
    child.on('exit', resolve).on('error', () => resolve(null));
  }).finally(() => process.off('exit', kill));
  // A child that is gone shows in `exited`; writing to it is not our business.
  child.stdin?.on('error', () => {});

  let lastLine = '';
  const place = await listeningPlace(child, exited, (line) => {
    lastLine = line;
  }).catch((error) => {
    kill();
    throw error;
  });
  return {
    ...place,
    kill,
    async end() {
      await signalEvent(event);
      // Deno does not end while a read of the standard input is pending.
      child.stdin?.end();
      const late = setTimeout(kill, END_TIMEOUT_MS);
      const exitCode = await exited;
      clearTimeout(late);
      return { lastLine, exitCode };
    },
  };
}

/** What stands between the host's program and the command: its own flags, and this script. */
function hostArguments(): string[] {
  const script = process.argv[1] as string;
  return 'Deno' in globalThis ? ['run', '-A', script] : [...process.execArgv, script];
}

function listeningPlace(
  child: ChildProcess,
  exited: Promise<number | null>,
  onLine: (line: string) => void,
): Promise<{ host: string; port: number }> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(late);
      reject(new CommandError('UNKNOWN', `the echo server ${why}`, EXIT_FAILED));
    };
    const late = setTimeout(() => fail('does not listen'), LISTEN_TIMEOUT_MS);
    exited.then((code) => fail(`ended with ${code}`));
    if (child.stdout === null) return fail('has no output');
    createInterface({ input: child.stdout }).on('line', (line) => {
      onLine(line);
      const [, host, port] = /^listening on \[?(.*?)\]?:(\d+)$/.exec(line) ?? [];
      if (host === undefined) return;
      clearTimeout(late);
      resolve({ host, port: Number(port) });
    });
  });
}
