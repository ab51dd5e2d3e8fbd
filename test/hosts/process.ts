/** Hosts that are processes: they run the bundle and print lines. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import type { RunOptions, RunResult } from './host.ts';

/** The first of `names` in node_modules/.bin or on PATH. */
export async function findProgram(...names: readonly string[]): Promise<string | undefined> {
  const folders = [join('node_modules', '.bin'), ...(process.env.PATH ?? '').split(delimiter)];
  const endings = process.platform === 'win32' ? ['.exe', '.cmd', ''] : [''];
  for (const name of names) {
    for (const folder of folders) {
      for (const ending of endings) {
        const path = join(folder, name + ending);
        const usable = await access(path, constants.X_OK).then(
          () => true,
          () => false,
        );
        if (usable) return path;
      }
    }
  }
  return undefined;
}

/** Ends a process and everything it started. */
export function killTree(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    // It leads a process group of its own, except on Windows, which has none.
    if (process.platform === 'win32') spawn('taskkill', ['/pid', String(child.pid), '/t', '/f']);
    else process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

/**
 * Starts a program in a process group of its own, which ends with `signal`.
 * `output` is where it prints: pipes, or a file that is open for writing.
 */
export function start(
  program: string,
  argv: readonly string[],
  signal: AbortSignal,
  env: Readonly<Record<string, string | undefined>> = {},
  output: 'pipe' | number = 'pipe',
): ChildProcess {
  const child = spawn(program, argv, {
    stdio: ['ignore', output, output],
    env: { ...process.env, ...env },
    detached: process.platform !== 'win32',
    shell: program.endsWith('.cmd'),
  });
  const kill = () => killTree(child);
  signal.addEventListener('abort', kill);
  process.on('exit', kill);
  child.on('close', () => {
    // Whatever the host left behind ends with it.
    kill();
    signal.removeEventListener('abort', kill);
    process.off('exit', kill);
  });
  return child;
}

/** Runs the bundle as `program …argv folder/entry`. */
export async function runProcess(
  program: string,
  argv: readonly string[],
  { folder, entry, line, signal }: RunOptions,
  env: Readonly<Record<string, string>> = {},
): Promise<RunResult> {
  const child = start(program, [...argv, join(folder, entry)], signal, env);
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream }).on('line', line);
  }
  // A process that outlives the host may hold the pipes, so wait for the exit first.
  const closed = once(child, 'close');
  const [code, killedBy] = (await once(child, 'exit')) as [number | null, string | null];
  killTree(child);
  await closed;
  return { exit: code ?? killedBy ?? 'unknown' };
}
