/**
 * One Wine prefix for a whole run, and servers in it one after the other.
 *
 * wineserver is started by us and stays: Wine's own services start once, and
 * its CPU time can be told from the servers'.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { abandonedFolders, temporaryFolder } from '../../../test/windows/cache.ts';
import { NODE_20, NODE_22 } from '../../../test/windows/packages.ts';
import {
  copyPrefix,
  endProcesses,
  removeServerFolder,
  wineEnvironment,
} from '../../../test/windows/prefix.ts';
import {
  bunProgram,
  koffiModules,
  nodeProgram,
  prefixTemplate,
} from '../../../test/windows/setup.ts';
import type { ServerEnv } from '../measure.ts';
import { pinned } from '../processes.mjs';
import type { WineServer } from './catalogue.ts';

const execute = promisify(execFile);
const START_LIMIT_MS = 30_000;
const STATISTICS_LIMIT_MS = 3_000;
const POLL_MS = 20;
const NODES = { 20: NODE_20, 22: NODE_22 } as const;

export interface RunningServer {
  readonly pid: number;
  readonly port: number;
  /** What it has printed. */
  output(): Promise<string>;
  /** What it wrote after its last connection had closed; undefined if it does not. */
  statistics(): Promise<Record<string, unknown> | undefined>;
  stop(): Promise<void>;
}

async function removeRun(folder: string): Promise<void> {
  const prefix = join(folder, 'prefix');
  endProcesses(prefix);
  removeServerFolder(prefix);
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/** The built package and the servers, with koffi for Windows where they look for it. */
async function layOut(app: string, modules: string): Promise<void> {
  await mkdir(join(app, 'dist'), { recursive: true });
  for (const name of await readdir('dist')) {
    if (name.endsWith('.js')) await cp(join('dist', name), join(app, 'dist', name));
  }
  await cp('bench/echo/servers', join(app, 'bench/echo/servers'), { recursive: true });
  await writeFile(join(app, 'package.json'), '{ "type": "module" }\n');
  await mkdir(join(app, 'node_modules'));
  for (const name of ['koffi', '@koromix']) {
    await symlink(join(modules, name), join(app, 'node_modules', name));
  }
}

/** The first answer of `ask` that is not undefined; undefined if there is none in time. */
async function poll<T>(limitMs: number, ask: () => Promise<T | undefined>): Promise<T | undefined> {
  const until = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined || performance.now() > until) return answer;
    await sleep(POLL_MS);
  }
}

const read = (path: string) => readFile(path, 'utf8').catch(() => '');

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

async function stop(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

export class WineSession {
  readonly folder: string;
  /** `wine --version` */
  readonly version: string;
  readonly #wineserver: ChildProcess;
  readonly #programs: Readonly<Record<WineServer['host'], string>>;
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #core: number | undefined;
  #started = 0;

  private constructor(
    folder: string,
    version: string,
    programs: Readonly<Record<WineServer['host'], string>>,
    core: number | undefined,
  ) {
    this.folder = folder;
    this.version = version;
    this.#programs = programs;
    this.#core = core;
    this.#env = wineEnvironment(join(folder, 'prefix'));
    // In the foreground, and not ending with the last program.
    this.#wineserver = this.#spawn(['wineserver', '-f', '-p'], 'wineserver.txt');
  }

  /**
   * Fetches what is missing and makes a prefix.
   * @param node major version of node.exe
   * @param core for the servers and wineserver: undefined leaves them to the scheduler
   */
  static async open(node: string, core: number | undefined): Promise<WineSession> {
    const chosen = NODES[node as unknown as keyof typeof NODES];
    if (chosen === undefined) {
      throw new Error(`--node: ${Object.keys(NODES).join(' or ')}, not ${node}`);
    }
    for (const abandoned of await abandonedFolders()) await removeRun(abandoned);
    const { stdout } = await execute('wine', ['--version']).catch((cause) => {
      throw new Error(
        'no Wine: apt-get install --no-install-recommends wine wine64 gcc-mingw-w64-x86-64',
        { cause },
      );
    });
    const version = stdout.trim();
    const programs = { node: await nodeProgram(chosen), bun: await bunProgram() };
    const template = await prefixTemplate('wine', version);
    const folder = await temporaryFolder();
    try {
      await layOut(join(folder, 'app'), await koffiModules());
      await copyPrefix(template, join(folder, 'prefix'));
    } catch (error) {
      await removeRun(folder);
      throw error;
    }
    const session = new WineSession(folder, version, programs, core);
    process.on('exit', session.#end);
    return session;
  }

  /** Wine's server: it does the sockets' and the port's work for every program in the prefix. */
  get wineserverPid(): number {
    return this.#wineserver.pid as number;
  }

  /** Version of a runtime, as it says itself. The first call also starts Wine's services. */
  async versionOf(runtime: WineServer['host']): Promise<string> {
    const name = `${runtime}-version.txt`;
    const child = this.#spawn(['wine', this.#programs[runtime], '--version'], name);
    const timer = setTimeout(() => child.kill('SIGKILL'), START_LIMIT_MS);
    await once(child, 'exit');
    clearTimeout(timer);
    return (await read(join(this.folder, name))).trim();
  }

  /** Starts a server with these variables and waits for its line `listening PORT`. */
  async start(server: WineServer, env: ServerEnv): Promise<RunningServer> {
    const { host: runtime, program, backend } = server;
    this.#started++;
    const output = `${this.#started}-output.txt`;
    const statistics = join(this.folder, `${this.#started}-statistics.json`);
    const file = `Z:${join(this.folder, 'app/bench/echo/servers', `${program}.mjs`)}`;
    const child = this.#spawn(['wine', this.#programs[runtime], file], output, {
      ...env,
      BACKEND: backend ?? '',
      STATISTICS_FILE: `Z:${statistics}`,
    });
    const said = () => read(join(this.folder, output));
    const port = await poll(START_LIMIT_MS, async () => {
      if (hasEnded(child)) return 0;
      return /^listening (\d+)\r?$/m.exec(await said())?.[1];
    });
    if (!port) {
      await stop(child);
      throw new Error(`no line "listening PORT" from ${runtime}.exe ${program}\n${await said()}`);
    }
    return {
      // taskset and Wine's loader replace themselves by the program they run.
      pid: child.pid as number,
      port: Number(port),
      output: said,
      async statistics() {
        if (backend === undefined) return undefined;
        const text = await poll(STATISTICS_LIMIT_MS, async () => {
          const written = await read(statistics);
          return written.endsWith('\n') ? written : undefined;
        });
        if (text === undefined) throw new Error('the server wrote no statistics');
        return JSON.parse(text);
      },
      stop: () => stop(child),
    };
  }

  async close(): Promise<void> {
    process.off('exit', this.#end);
    await stop(this.#wineserver);
    await removeRun(this.folder);
  }

  readonly #end = (): void => endProcesses(join(this.folder, 'prefix'));

  /** Output goes to a file: Node for Windows ends with EBADF when it is a pipe. */
  #spawn(
    command: readonly string[],
    output: string,
    env: Readonly<Record<string, string>> = {},
  ): ChildProcess {
    const [program, ...rest] = pinned(this.#core, [...command]) as [string, ...string[]];
    const file = openSync(join(this.folder, output), 'w');
    try {
      return spawn(program, rest, {
        stdio: ['ignore', file, file],
        env: { ...this.#env, ...env },
      });
    } finally {
      closeSync(file);
    }
  }
}
