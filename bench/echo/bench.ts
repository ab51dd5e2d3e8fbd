/** What a run of servers needs: the choice, the load, the cores, and the result's frame. */
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { type BenchmarkResult, FORMAT_VERSION, type Note } from '../report/model.ts';
import { obstacle, serverOf } from './catalogue.ts';
import { hostVersions, machineOf, packageBuild } from './machine.ts';
import { type Cores, chooseCores, findLoad, type Load, type RunSettings } from './measure.ts';
import { minutes, type OutputFiles } from './output.ts';

/** The command line asks for something that there is not. */
export class EchoOptionError extends Error {}

export interface EchoBenchOptions extends OutputFiles {
  readonly quick: boolean;
  /** Curves instead of the table. */
  readonly growth: boolean;
  /** Names; by default all, or those of `--quick`. With `growth` those of the axes. */
  readonly servers?: readonly string[] | undefined;
  readonly workloads?: readonly string[] | undefined;
  /** With `growth`: which axes. */
  readonly axes?: readonly string[] | undefined;
  readonly rounds?: number | undefined;
  readonly seconds?: number | undefined;
  readonly warmup?: number | undefined;
  readonly size: number;
  readonly load?: 'c' | 'javascript' | undefined;
  /** Count system calls; by default unless `quick`. */
  readonly syscalls?: boolean | undefined;
  /** What was typed. */
  readonly command: readonly string[];
  /** Backends that cannot be had here, with the reason. */
  readonly unavailable: Readonly<Record<string, string>>;
}

/** What a run needs besides its choice. */
export interface Bench {
  readonly load: Load;
  readonly cores: Cores;
  readonly settings: RunSettings & { readonly rounds: number };
  readonly startedAt: Date;
  readonly options: EchoBenchOptions;
  readonly notes: readonly Note[];
}

/** JavaScriptCore compiles for about two seconds, on the core of the server that it compiles. */
const FULL = { rounds: 5, seconds: 0.5, warmup: 2 } as const;
/** All of it is done in less than a minute. */
const QUICK = { rounds: 2, seconds: 0.2, warmup: 0.25 } as const;
const QUICK_GROWTH = { rounds: 1, seconds: 0.25, warmup: 0.3 } as const;
/** A process starts, is measured, and ends: what that takes besides the time measured. */
const OVERHEAD_MS = 200;

export const remark = (subject: string, text: string): Note => ({ kind: 'remark', subject, text });
export const leftOut = (subject: string, text: string): Note => ({
  kind: 'left out',
  subject,
  text,
});

export function prepare(options: EchoBenchOptions): Bench {
  const load = findLoad(options.load);
  const cores = chooseCores(availableParallelism());
  const defaults = options.quick ? (options.growth ? QUICK_GROWTH : QUICK) : FULL;
  const settings = {
    rounds: options.rounds ?? defaults.rounds,
    seconds: options.seconds ?? defaults.seconds,
    warmup: options.warmup ?? defaults.warmup,
    size: options.size,
  };
  const notes = [
    load.kind === 'c'
      ? remark('load', 'one thread in C; every byte of every reply was compared')
      : remark(
          'load',
          `the load generator is the one in JavaScript (${load.about}); it is slower than the fast servers, so their figures are its own limit. Every byte of every reply was compared`,
        ),
    cores.server === undefined
      ? remark('cores', 'not pinned: server and load may share a core, trust it less')
      : remark('cores', `server on core ${cores.server}, load on core ${cores.load}`),
    remark(
      'rounds',
      `${settings.rounds} interleaved rounds of ${settings.seconds} s after ${settings.warmup} s of warm-up, a process for each`,
    ),
  ];
  return { load, cores, settings, startedAt: new Date(), options, notes };
}

/** What is wrong with what was given is the user's to mend. */
export function checked<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new EchoOptionError((error as Error).message);
  }
}

/** Those that can run; the others become notes. */
export function usable(names: readonly string[], bench: Bench, notes: Note[]): string[] {
  const { unavailable } = bench.options;
  return [...new Set(names)].filter((name) => {
    const { title } = checked(() => serverOf(name));
    const why = obstacle(name, unavailable, bench.load.kind);
    if (why !== undefined) notes.push(leftOut(title, why));
    return why === undefined;
  });
}

export function resultOf(
  bench: Bench,
  kind: BenchmarkResult['kind'],
  parts: Pick<BenchmarkResult, 'groups' | 'ratios' | 'curves' | 'notes'>,
): BenchmarkResult {
  const { startedAt, options } = bench;
  return {
    format: 'overlapped-benchmark',
    version: FORMAT_VERSION,
    kind,
    package: packageBuild(),
    startedAt: startedAt.toISOString(),
    durationSeconds: (Date.now() - startedAt.getTime()) / 1000,
    command: options.command,
    machine: machineOf([`load ${bench.load.kind === 'c' ? 'in C' : 'in JavaScript'}`]),
    hosts: hostVersions(),
    limits: [],
    ...parts,
  };
}

/** A run's length is known before it begins. */
export function announce(bench: Bench, runs: number, extraMs = 0): void {
  const { seconds, warmup } = bench.settings;
  const ms = runs * ((seconds + warmup) * 1000 + OVERHEAD_MS) + extraMs;
  process.stderr.write(`${runs} runs, about ${minutes(ms)}\n`);
}
