/** Hosts that are programs: Node, Bun and Deno. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import type { Report, Settings } from '../protocol.ts';
import { bundleFolder, findProgram, type Host, OutputReader, PROGRAM } from './host.ts';

/** Calls `work` with a folder in which the settings lie; the folder goes afterwards. */
export async function withSettings<T>(
  settings: Settings,
  work: (folder: string, file: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'overlapped-micro-'));
  try {
    const file = join(folder, 'settings.json');
    await writeFile(file, JSON.stringify(settings));
    return await work(folder, file);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

async function runProgram(
  name: string,
  program: string,
  argv: readonly string[],
  settings: Settings,
  report: (line: Report) => void,
  signal: AbortSignal,
): Promise<void> {
  await withSettings(settings, async (_folder, file) => {
    const path = join(bundleFolder(), PROGRAM);
    const child = spawn(program, [...argv, path, file, 'run-micro'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      signal,
      killSignal: 'SIGKILL',
    });
    const output = new OutputReader(report);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => output.line(line));
    }
    const [code, killedBy] = (await once(child, 'close')) as [number | null, string | null];
    output.check(name, String(code ?? killedBy));
  });
}

function processHost(
  name: string,
  install: string,
  argv: readonly string[],
  find: () => Promise<string | undefined>,
): Host {
  return {
    name,
    install,
    async find() {
      const program = await find();
      if (program === undefined) return undefined;
      return {
        program,
        native: true,
        run: (settings, report, signal) =>
          runProgram(name, program, argv, settings, report, signal),
      };
    },
  };
}

/** This very process may be one of them. */
function ownProgram(name: string): string | undefined {
  const { bun, deno } = process.versions as { bun?: string; deno?: string };
  const own = bun !== undefined ? 'bun' : deno !== undefined ? 'deno' : 'node';
  return own === name ? process.execPath : undefined;
}

const find = async (name: string) => ownProgram(name) ?? (await findProgram(name));

export const PROCESS_HOSTS: readonly Host[] = [
  processHost('node', 'install Node.js from https://nodejs.org', [], () => find('node')),
  processHost('bun', 'install Bun from https://bun.sh', ['run'], () => find('bun')),
  processHost('deno', 'install Deno from https://deno.com', ['run', '--allow-all'], () =>
    find('deno'),
  ),
];
