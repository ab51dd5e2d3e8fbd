/** Programs that print into files: Node for Windows in Wine ends with EBADF when its output is a pipe. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 50;
/** Longer than anything a test waits for, and shorter than the test's own limit. */
const LIMIT_MS = 80_000;

/** Bun says this in Wine, of each package.json that it looks for. */
const NOISE = /^Internal error: directory mismatch for directory .*\n/gm;

/** How a program ended, and what it said. */
export interface FileOutcome {
  /** 0, another exit code, or the name of the signal that ended it. */
  readonly exit: number | string;
  readonly stdout: string;
  readonly stderr: string;
  /** The last line of the output as JSON; undefined where it is none. */
  readonly json: Record<string, unknown> | undefined;
}

export interface FileProgram {
  readonly child: ChildProcess;
  readonly ended: Promise<FileOutcome>;
  /** Resolves with the match of `pattern` in the output, as soon as it has one; rejects if it ends without. */
  output(pattern: RegExp): Promise<RegExpExecArray>;
}

/** Starts a program, which is killed after `limitMs` and when this process ends. */
export async function startFileProgram(
  program: string,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
  limitMs = LIMIT_MS,
): Promise<FileProgram> {
  const folder = await mkdtemp(join(tmpdir(), 'overlapped-output-'));
  const [outPath, errorPath] = [join(folder, 'stdout.txt'), join(folder, 'stderr.txt')];
  const [out, error] = [openSync(outPath, 'w'), openSync(errorPath, 'w')];
  const child = spawn(program, argv, {
    stdio: ['ignore', out, error],
    env: { ...process.env, NO_COLOR: '1', ...env },
  });
  closeSync(out);
  closeSync(error);
  const kill = () => {
    child.kill('SIGKILL');
  };
  process.on('exit', kill);
  const limit = setTimeout(kill, limitMs);
  let hasEnded = false;
  const read = async (path: string) => (await readFile(path, 'utf8')).replaceAll('\r\n', '\n');
  const ended = once(child, 'exit').then(async ([code, signal]): Promise<FileOutcome> => {
    hasEnded = true;
    clearTimeout(limit);
    process.off('exit', kill);
    const [stdout, stderr] = [await read(outPath), (await read(errorPath)).replace(NOISE, '')];
    // Windows lets nobody remove what a process still has open.
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }).catch(
      () => {},
    );
    return { exit: code ?? signal, stdout, stderr, json: lastLineAsJson(stdout) };
  });
  return {
    child,
    ended,
    async output(pattern) {
      while (!hasEnded) {
        const match = pattern.exec(await read(outPath).catch(() => ''));
        if (match !== null) return match;
        await Promise.race([ended, sleep(POLL_MS)]);
      }
      const { exit, stdout, stderr } = await ended;
      const match = pattern.exec(stdout);
      if (match !== null) return match;
      throw new Error(`ended with ${exit}, without ${pattern}\n${stdout}\n${stderr}`);
    },
  };
}

function lastLineAsJson(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text.trimEnd().split('\n').at(-1) ?? '');
  } catch {
    return undefined;
  }
}
