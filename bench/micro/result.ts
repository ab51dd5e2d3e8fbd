/** From what hosts reported to one result: rows, ratios, promises, and what went wrong. */
import {
  type BenchmarkResult,
  type Figure,
  FORMAT_VERSION,
  figureOf,
  type Group,
  type HostVersion,
  judgeLimit,
  judgeRatio,
  type Limit,
  type Machine,
  type Note,
  type Ratio,
  type Row,
} from '../report/model.ts';
import { type MicroCase, NATIVE, type Promised } from './case.ts';
import type { CaseResult, VersionResult } from './measure.ts';

export const MEASURE = 'time';
/** Promises are about this host. */
const PROMISED_HOST = 'node';

/** All that one host reported. */
export interface HostResult {
  readonly name: string;
  readonly version: string;
  readonly cases: ReadonlyMap<string, CaseResult>;
  /** Cases that ended with an exception, and why. */
  readonly errors: ReadonlyMap<string, string>;
}

export interface RunFacts {
  readonly packageVersion: string;
  readonly build: string;
  readonly startedAt: Date;
  readonly durationSeconds: number;
  readonly command: readonly string[];
  readonly machine: Machine;
  /** The C compiler, if there was one. */
  readonly compiler?: string;
  readonly notes: readonly Note[];
}

function idOf(id: string, host: string, version: string): string {
  return `${id} ${host} ${version}`;
}

function rowOf({ id, labels }: MicroCase, host: string, version: VersionResult): Row {
  const { name, role, ns, checksum, failed } = version;
  const isNative = name === NATIVE;
  return {
    id: idOf(id, host, name),
    name,
    role,
    // A program in C runs in no host, but beside one.
    ...(isNative ? {} : { host }),
    labels: isNative ? { ...labels, beside: host } : labels,
    figures: ns.length > 0 ? { [MEASURE]: figureOf(ns) } : {},
    checksum,
    ...(failed === undefined ? {} : { failed }),
  };
}

/** How many times faster `of` is than `to`, taken within each round. */
export function speedOf(of: VersionResult, to: VersionResult): Figure | undefined {
  const rounds = Math.min(of.ns.length, to.ns.length);
  if (rounds === 0) return undefined;
  return figureOf(
    Array.from(
      { length: rounds },
      (_, round) => (to.ns[round] as number) / (of.ns[round] as number),
    ),
  );
}

function ratiosOf(microCase: MicroCase, host: string, { versions }: CaseResult): Ratio[] {
  const [first, ...others] = versions;
  if (first === undefined) return [];
  const promised = (to: string): number | undefined => {
    if (host !== PROMISED_HOST) return undefined;
    const found = microCase.promises?.find(
      (promise): promise is Extract<Promised, { to: string }> =>
        'to' in promise && promise.of === first.name && promise.to === to,
    );
    return found?.atLeast;
  };
  return others.flatMap((other) => {
    const value = speedOf(first, other);
    if (value === undefined) return [];
    const least = promised(other.name);
    return [
      {
        of: idOf(microCase.id, host, first.name),
        to: idOf(microCase.id, host, other.name),
        measure: MEASURE,
        value,
        ...(least === undefined ? {} : { promised: least }),
        verdict: judgeRatio(value, least),
      },
    ];
  });
}

function limitsOf(microCase: MicroCase, host: string, { versions }: CaseResult): Limit[] {
  if (host !== PROMISED_HOST) return [];
  return (microCase.promises ?? []).flatMap((promise) => {
    if (!('atMostNs' in promise)) return [];
    const version = versions.find(({ name }) => name === promise.of);
    if (version === undefined || version.ns.length === 0) return [];
    const verdict = judgeLimit(figureOf(version.ns), promise.atMostNs, 'less');
    const row = idOf(microCase.id, host, promise.of);
    return [{ row, measure: MEASURE, promised: promise.atMostNs, verdict }];
  });
}

function groupOf(microCase: MicroCase, rows: readonly Row[]): Group {
  const { id, title, section, unit } = microCase;
  return {
    id,
    title,
    section,
    measures: [{ id: MEASURE, label: 'time', unit: `ns/${unit}`, better: 'less' }],
    rows,
  };
}

/** `failed`: whether anything was wrong, apart from promises that were missed. */
export function resultOf(
  cases: readonly MicroCase[],
  hosts: readonly HostResult[],
  facts: RunFacts,
): { readonly result: BenchmarkResult; readonly failed: boolean } {
  const groups: Group[] = [];
  const ratios: Ratio[] = [];
  const limits: Limit[] = [];
  const notes: Note[] = [...facts.notes];
  for (const microCase of cases) {
    const rows: Row[] = [];
    for (const host of hosts) {
      const measured = host.cases.get(microCase.id);
      const error = host.errors.get(microCase.id);
      if (error !== undefined) {
        notes.push({ kind: 'failed', subject: `${microCase.title} in ${host.name}`, text: error });
      }
      if (measured === undefined) continue;
      rows.push(...measured.versions.map((version) => rowOf(microCase, host.name, version)));
      ratios.push(...ratiosOf(microCase, host.name, measured));
      limits.push(...limitsOf(microCase, host.name, measured));
    }
    if (rows.length > 0) groups.push(groupOf(microCase, rows));
  }
  const failed =
    notes.some(({ kind }) => kind === 'failed') ||
    groups.some(({ rows }) => rows.some((row) => row.failed !== undefined));
  const versions: HostVersion[] = hosts.map(({ name, version }) => ({ name, version }));
  if (facts.compiler !== undefined) versions.push({ name: 'C compiler', version: facts.compiler });
  const result: BenchmarkResult = {
    format: 'overlapped-benchmark',
    version: FORMAT_VERSION,
    kind: 'micro',
    package: { version: facts.packageVersion, build: facts.build },
    startedAt: facts.startedAt.toISOString(),
    durationSeconds: facts.durationSeconds,
    command: facts.command,
    machine: facts.machine,
    hosts: versions,
    groups,
    ratios,
    limits,
    curves: [],
    notes,
  };
  return { result, failed };
}
