/** What the command knows of a host: where it is, and how the benchmark's program runs in it. */
import { access, constants, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Report, Settings } from '../protocol.ts';

/** A host that is here. */
export interface FoundHost {
  readonly program: string;
  /** Where programs in C can be started or reached. */
  readonly native: boolean;
  /**
   * Runs the benchmark's program; each line that it reports goes to `report`.
   * @throws Error where the host fails, with what it printed
   */
  run(settings: Settings, report: (line: Report) => void, signal: AbortSignal): Promise<void>;
}

export interface Host {
  readonly name: string;
  /** Says in words for a person how to get this host. */
  readonly install: string;
  find(): Promise<FoundHost | undefined>;
}

/** The folder of the package's bundles. */
export function bundleFolder(): string {
  return fileURLToPath(new URL('.', import.meta.url));
}

/** The program that runs in hosts, beside this very bundle. */
export const PROGRAM = 'bench-micro.js';

export async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The first of `names` in a node_modules/.bin above here, or on PATH. */
export async function findProgram(...names: readonly string[]): Promise<string | undefined> {
  const folders: string[] = [];
  for (let folder = bundleFolder(); ; folder = join(folder, '..')) {
    folders.push(join(folder, 'node_modules', '.bin'));
    if (folder === join(folder, '..')) break;
  }
  folders.push(...(process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== ''));
  const endings = process.platform === 'win32' ? ['.exe'] : [''];
  for (const name of names) {
    for (const folder of folders) {
      for (const ending of endings) {
        const path = join(folder, name + ending);
        if (await isExecutable(path)) return path;
      }
    }
  }
  return undefined;
}

/** Files in `folder` whose names match, sorted; none where the folder is not there. */
export async function filesIn(folder: string, pattern: RegExp): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/** Hands lines of a program's output on: reports by their mark, the rest is kept for an error. */
export class OutputReader {
  readonly #report: (line: Report) => void;
  readonly #other: string[] = [];
  ended = false;

  constructor(report: (line: Report) => void) {
    this.#report = report;
  }

  line(text: string): void {
    if (!text.startsWith('@')) {
      if (text !== '' && this.#other.length < 40) this.#other.push(text);
      return;
    }
    const line = JSON.parse(text.slice(1)) as Report;
    if (line.type === 'end' || line.type === 'allocation') this.ended = true;
    this.#report(line);
  }

  /** @throws Error unless the program came to its end */
  check(name: string, exit: string): void {
    if (this.ended) return;
    throw new Error(`${name} ended with ${exit} before its end:\n${this.#other.join('\n')}`);
  }
}
