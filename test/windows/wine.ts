/** Programs of Windows that a test on Linux starts in Wine, with the package as it is installed. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { WINDOWS_HOSTS } from '../hosts/windows.ts';
import { temporaryFolder } from './cache.ts';
import { type FileProgram, startFileProgram } from './file-program.ts';
import { copyPackage } from './package-copy.ts';
import { NODE_20, NODE_22 } from './packages.ts';
import { copyPrefix, endProcesses, removeServerFolder, wineEnvironment } from './prefix.ts';
import { bunProgram, koffiModules, nodeProgram, prefixTemplate } from './setup.ts';

const execute = promisify(execFile);
const COMPILER = 'x86_64-w64-mingw32-gcc';

/** The hosts in Wine, by how they are found. */
const PROGRAMS = {
  'windows-node20': () => nodeProgram(NODE_20),
  'windows-node22': () => nodeProgram(NODE_22),
  'windows-bun': bunProgram,
} as const;
export type WineHost = keyof typeof PROGRAMS;
export const WINE_HOSTS = Object.keys(PROGRAMS) as WineHost[];

/** Whether there is Wine here; undefined as in the runner: no such host, which is a failure in CI. */
export async function findWine(): Promise<string | undefined> {
  return process.platform === 'linux' ? await WINDOWS_HOSTS[0]?.find() : undefined;
}

/** A prefix of its own, and a folder with the package and koffi in it. */
export class Wine {
  readonly #wine: string;
  readonly #folder: string;
  readonly #cli: string;
  readonly #end: () => void;

  private constructor(wine: string, folder: string, cli: string, end: () => void) {
    this.#wine = wine;
    this.#folder = folder;
    this.#cli = cli;
    this.#end = end;
  }

  static async open(wine: string): Promise<Wine> {
    const { stdout } = await execute(wine, ['--version']);
    const [modules, template] = [await koffiModules(), await prefixTemplate(wine, stdout.trim())];
    const folder = await temporaryFolder();
    const prefix = join(folder, 'prefix');
    const end = () => endProcesses(prefix);
    process.on('exit', end);
    await copyPrefix(template, prefix);
    // Stays until `close`: Wine's server else ends some seconds after the last program, and one
    // that starts in that very moment is cut off.
    // It would hold pipes open.
    const server = spawn('wineserver', ['-p'], { env: wineEnvironment(prefix), stdio: 'ignore' });
    await once(server, 'exit');
    // No link to what was built: Bun would find the repository's koffi from there.
    const cli = await copyPackage(folder);
    for (const name of ['koffi', '@koromix']) {
      await symlink(join(modules, name), join(folder, 'node_modules', name));
    }
    return new Wine(wine, folder, cli, end);
  }

  /** A folder whose programs find the package by its name. */
  get folder(): string {
    return this.#folder;
  }

  get #prefix(): string {
    return join(this.#folder, 'prefix');
  }

  /** Runs a script in one of the hosts. `limitMs` as for `startFileProgram`. */
  async start(
    host: WineHost,
    script: string,
    argv: readonly string[],
    limitMs?: number,
  ): Promise<FileProgram> {
    return await this.run(await PROGRAMS[host](), [`Z:${resolve(script)}`, ...argv], limitMs);
  }

  /** Runs the command line in one of the hosts. */
  async cli(host: WineHost, argv: readonly string[], limitMs?: number): Promise<FileProgram> {
    return await this.start(host, this.#cli, argv, limitMs);
  }

  /** Runs any program of Windows. */
  async run(program: string, argv: readonly string[], limitMs?: number): Promise<FileProgram> {
    const env = wineEnvironment(this.#prefix);
    return await startFileProgram(this.#wine, [program, ...argv], env, limitMs);
  }

  /** Compiles a program of one file for Windows; its path. */
  async compile(source: string): Promise<string> {
    const program = join(this.#folder, 'compiled.exe');
    await execute(COMPILER, [
      '-O2',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-municode',
      '-o',
      program,
      source,
    ]);
    return program;
  }

  /** Ends all that still runs, and removes the folder. */
  async close(): Promise<void> {
    this.#end();
    process.off('exit', this.#end);
    removeServerFolder(this.#prefix);
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
