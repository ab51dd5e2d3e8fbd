/**
 * What a benchmark writes with `--json FILE`, and what the report and the chart are drawn from.
 * One shape for all benchmarks: `micro` (the core), `echo` (servers) and `growth` (cost against
 * size, connections, workers). Plain JSON: no NaN, no Infinity, no undefined inside arrays.
 */

/** Grows by one when an old reader would misread a new file. */
export const FORMAT_VERSION = 1;

export type BenchmarkKind = 'micro' | 'echo' | 'growth';

export interface BenchmarkResult {
  readonly format: 'overlapped-benchmark';
  readonly version: typeof FORMAT_VERSION;
  readonly kind: BenchmarkKind;
  readonly package: {
    readonly version: string;
    /** Which build was measured: `release shared`, `bundle`, a commit. */
    readonly build: string;
  };
  /** When the run began, ISO 8601 in UTC. */
  readonly startedAt: string;
  /** How long it took. */
  readonly durationSeconds: number;
  /** What was typed, one argument an item; shown so that the run can be repeated. */
  readonly command: readonly string[];
  readonly machine: Machine;
  readonly hosts: readonly HostVersion[];
  readonly groups: readonly Group[];
  readonly ratios: readonly Ratio[];
  /** Promises about one figure, such as at most 25 ns a message. */
  readonly limits: readonly Limit[];
  readonly curves: readonly Curve[];
  readonly notes: readonly Note[];
}

export interface Machine {
  /** The model's name as the system reports it. */
  readonly cpu: string;
  /** Logical processors that the run could use. */
  readonly cores: number;
  readonly memoryBytes: number;
  readonly os: string;
  readonly kernel: string;
  /** What else changes figures: `governor performance`, `virtual machine`, `gcc 12.2.0`. */
  readonly remarks?: readonly string[];
}

/** A runtime, or another program that took part: node, bun.exe, gcc, liburing. */
export interface HostVersion {
  readonly name: string;
  readonly version: string;
}

/** A median and how far the rounds lie apart. `least ≤ median ≤ greatest`, all finite. */
export interface Figure {
  readonly median: number;
  readonly least: number;
  readonly greatest: number;
  /** How many rounds or samples it is taken from. */
  readonly samples: number;
}

/** The direction in which a figure is better. */
export type Better = 'more' | 'less';

/** What one column of a group says. */
export interface Measure {
  /** Key of `Row.figures`. */
  readonly id: string;
  /** As a column's heading, without the unit: `messages`, `CPU time`, `p99 latency`. */
  readonly label: string;
  /** Such as `ns/message`, `GB/s`, `1/s`, `µs`, `MiB`, `calls/message`. */
  readonly unit: string;
  readonly better: Better;
}

/** Rows that are compared with each other: one workload, or one part of the core in one host. */
export interface Group {
  /** Unique in the result. */
  readonly id: string;
  /** Such as `Length-field decode, 64 B` or `50 connections × 16 in flight, 64 B`. */
  readonly title: string;
  /** One or two sentences: what is measured, what each row does. */
  readonly about?: string;
  /** Groups with one section are shown together: `Decode`, `Order`, `Locks`, `Echo`. */
  readonly section: string;
  /** The first is the one that the chart shows. */
  readonly measures: readonly [Measure, ...Measure[]];
  readonly rows: readonly Row[];
}

export interface Row {
  /** Unique in the result; ratios and limits name it. */
  readonly id: string;
  /** Who: `core`, `good JavaScript`, `Buffer.concat`, `gcc -O3`, `overlapped uring batch`. */
  readonly name: string;
  /** This package's own rows are emphasised. */
  readonly role: 'own' | 'peer' | 'ceiling';
  /** Name of the host that it ran in; must be in `hosts`. Absent for a program in C. */
  readonly host?: string;
  /**
   * What distinguishes rows of one name in a group: size, window, whole or split, workers.
   * `beside` is for programs in C: the host in whose rounds they ran.
   */
  readonly labels: Readonly<Record<string, string | number>>;
  /** By the measure's id; a measure that was not taken is absent. */
  readonly figures: Readonly<Record<string, Figure>>;
  /** Of what was computed, hexadecimal; equal for all rows that compute the same. */
  readonly checksum?: string;
  /** Why the row does not count: a wrong checksum, a wrong byte, a server that did not start. */
  readonly failed?: string;
}

/**
 * `ahead` and `behind` compare with 1 where nothing was promised; `held` and `missed` with the
 * promise. `hidden by spread`: the rounds disagree, so neither can be said.
 */
export type Verdict = 'held' | 'missed' | 'ahead' | 'behind' | 'hidden by spread';

/** How many times better one row is than another: above 1 is better, whatever the measure. */
export interface Ratio {
  /** `Row.id`. */
  readonly of: string;
  /** `Row.id`. */
  readonly to: string;
  /** `Measure.id`. */
  readonly measure: string;
  /** Taken within each round. */
  readonly value: Figure;
  /** The least that was promised. */
  readonly promised?: number;
  readonly verdict: Verdict;
}

/** A promised bound on one row's figure: at most where less is better, at least where more is. */
export interface Limit {
  /** `Row.id`. */
  readonly row: string;
  /** `Measure.id`. */
  readonly measure: string;
  /** In the measure's unit. */
  readonly promised: number;
  readonly verdict: Verdict;
}

/** A chart of one measure against something that grows. */
export interface Curve {
  /** Unique in the result. */
  readonly id: string;
  readonly title: string;
  readonly about?: string;
  readonly section: string;
  readonly x: Axis;
  readonly y: Axis;
  /** Which direction of y is better, if any. */
  readonly better?: Better;
  readonly series: readonly Series[];
}

export interface Axis {
  readonly label: string;
  /** Empty for a plain count. */
  readonly unit: string;
  /** Values must then be above 0. */
  readonly log?: boolean;
}

export interface Series {
  readonly name: string;
  readonly role: Row['role'];
  readonly host?: string;
  /** Ascending x; `[x, median, least, greatest]`. */
  readonly points: readonly (readonly [x: number, median: number, low: number, high: number])[];
}

/** What a reader must know: what was left out and why, what failed, where the project loses. */
export interface Note {
  readonly kind: 'left out' | 'failed' | 'loses' | 'remark';
  /** What it is about: a host, a row, a workload. */
  readonly subject: string;
  readonly text: string;
}

/** The figure of some samples; at least one, all finite. */
export function figureOf(samples: readonly number[]): Figure {
  const sorted = samples.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0 || sorted.length !== samples.length)
    throw new RangeError('a figure needs samples, all of them finite');
  const middle = sorted.length >> 1;
  const median =
    sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, least: sorted[0]!, greatest: sorted.at(-1)!, samples: sorted.length };
}

/** What a ratio (see `Ratio`) says about its promise or, without one, about 1. */
export function judgeRatio(value: Figure, promised?: number): Verdict {
  const bound = promised ?? 1;
  if (value.least >= bound) return promised === undefined ? 'ahead' : 'held';
  if (value.greatest < bound) return promised === undefined ? 'behind' : 'missed';
  return 'hidden by spread';
}

/** What a figure says about a promised bound. */
export function judgeLimit(value: Figure, promised: number, better: Better): Verdict {
  const holds = (figure: number) => (better === 'less' ? figure <= promised : figure >= promised);
  if (holds(value.least) !== holds(value.greatest)) return 'hidden by spread';
  return holds(value.median) ? 'held' : 'missed';
}
