/** What the runner knows of a host: where it is, and how it runs a bundle. */
import process from 'node:process';

export type SuiteName =
  | 'core'
  | 'threads'
  | 'workers'
  | 'host'
  | 'windows'
  | 'examples'
  | 'cli'
  | 'bench'
  | 'model';

/** Suites that a host runs only where it is a program of Windows. */
export const WINDOWS_ONLY: readonly SuiteName[] = process.platform === 'win32' ? ['windows'] : [];

export interface RunOptions {
  /** Folder with the bundle; nothing outside of it is needed. */
  readonly folder: string;
  /** The bundle's entry in that folder. */
  readonly entry: string;
  /** Each line that the tests print. */
  line(text: string): void;
  /** Ends the run: kill everything that was started. */
  readonly signal: AbortSignal;
}

/** How a run ended by itself. */
export interface RunResult {
  /** 0, another exit code, or the name of the signal that ended it. */
  readonly exit: number | string;
}

export interface Host {
  readonly name: string;
  readonly suites: readonly SuiteName[];
  /** How many times longer than elsewhere a suite may take. */
  readonly slowness?: number;
  /** Says in words for a person how to get this host. */
  readonly install: string;
  /** The host's program, or undefined where it is not installed. */
  find(): Promise<string | undefined>;
  /** Fetches or makes what a run needs besides the program; called once, before the first run. */
  prepare?(program: string): Promise<void>;
  run(program: string, options: RunOptions): Promise<RunResult>;
}
