/** From the runs of interleaved rounds to the shape that all benchmarks write. */
import {
  type Figure,
  figureOf,
  type Group,
  judgeRatio,
  type Measure,
  type Note,
  type Ratio,
  type Row,
} from '../report/model.ts';
import { type Comparison, type EchoServer, serverOf } from './catalogue.ts';
import type { LoadFigures } from './processes.mjs';
import type { Failure, Workload, WorkloadRuns } from './rounds.mjs';

const SECTION = 'Echo';
const MEBIBYTE = 2 ** 20;

export const MEASURES = [
  { id: 'rate', label: 'messages', unit: '1/s', better: 'more' },
  { id: 'data', label: 'data each way', unit: 'MB/s', better: 'more' },
  { id: 'cpu', label: 'server CPU', unit: 'ns/message', better: 'less' },
  { id: 'p50', label: 'p50 latency', unit: 'µs', better: 'less' },
  { id: 'p99', label: 'p99 latency', unit: 'µs', better: 'less' },
  { id: 'p999', label: 'p99.9 latency', unit: 'µs', better: 'less' },
  { id: 'memory', label: 'resident memory', unit: 'MiB', better: 'less' },
] as const satisfies readonly Measure[];

export type MeasureId = (typeof MEASURES)[number]['id'];

/** One run's figure; undefined where the system does not tell it. */
function figureOfRun(run: LoadFigures, id: MeasureId, sizeBytes: number): number | undefined {
  switch (id) {
    case 'rate':
      return run.messagesPerSecond;
    case 'data':
      return (run.messagesPerSecond * sizeBytes) / 1e6;
    case 'cpu':
      // 0 is what a system says that does not know.
      return run.serverCpuNsPerMessage || undefined;
    case 'p50':
      return run.p50Us;
    case 'p99':
      return run.p99Us;
    case 'p999':
      return run.p999Us;
    case 'memory':
      return run.serverResidentBytes ? run.serverResidentBytes / MEBIBYTE : undefined;
  }
}

export const rowId = (workload: string, server: string) => `${workload}/${server}`;

export interface EchoRuns {
  readonly results: readonly WorkloadRuns[];
  readonly failures: readonly Failure[];
  /** How often a server calls its system; measured apart from the rest. */
  readonly calls: {
    readonly measure: Measure;
    /** By `rowId`. */
    readonly figures: ReadonlyMap<string, Figure>;
  };
  readonly servers: readonly string[];
  readonly catalogue: Readonly<Record<string, EchoServer>>;
  readonly comparisons: readonly Comparison[];
  /** Bytes of a frame where the workload does not say. */
  readonly size: number;
}

export function titleOf({ connections, inFlight, size }: Workload, sizeBytes: number): string {
  const bytes = (size ?? sizeBytes).toLocaleString('en-US');
  const plural = connections === 1 ? '1 connection' : `${connections} connections`;
  return `${plural} × ${inFlight} in flight, ${bytes} B`;
}

function goodRuns(runs: readonly (LoadFigures | undefined)[] | undefined): LoadFigures[] {
  return (runs ?? []).filter((run) => run !== undefined);
}

/** The samples of a measure, where every run has one. */
function samplesOf(runs: readonly LoadFigures[], id: MeasureId, size: number) {
  const samples = runs.map((run) => figureOfRun(run, id, size));
  const known = samples.filter((sample) => sample !== undefined && Number.isFinite(sample));
  return known.length > 0 && known.length === samples.length ? (known as number[]) : undefined;
}

function figuresOf(runs: readonly LoadFigures[], size: number): Record<string, Figure> {
  const figures: Record<string, Figure> = {};
  for (const { id } of MEASURES) {
    const samples = samplesOf(runs, id, size);
    if (samples !== undefined) figures[id] = figureOf(samples);
  }
  return figures;
}

function rowOf(name: string, { workload, runs }: WorkloadRuns, all: EchoRuns): Row {
  const { title, role, host } = serverOf(name, all.catalogue);
  const figures = figuresOf(goodRuns(runs[name]), workload.size ?? all.size);
  const calls = all.calls.figures.get(rowId(workload.text, name));
  if (calls !== undefined) figures[all.calls.measure.id] = calls;
  const failure = all.failures.find(
    ({ server, workload: of }) => server === name && of === workload.text,
  );
  return {
    id: rowId(workload.text, name),
    name: title,
    role,
    ...(host === undefined ? {} : { host }),
    labels: {},
    figures,
    ...(failure === undefined ? {} : { failed: failure.message }),
  };
}

export function groupsOf(all: EchoRuns): Group[] {
  return all.results.map((result) => {
    const rows = all.servers.map((name) => rowOf(name, result, all));
    const measures: readonly Measure[] = [...MEASURES, all.calls.measure];
    const taken = measures.filter(({ id }) => rows.some(({ figures }) => figures[id]));
    return {
      id: result.workload.text,
      title: titleOf(result.workload, all.size),
      section: SECTION,
      measures: (taken.length > 0 ? taken : measures) as unknown as Group['measures'],
      rows,
    };
  });
}

/** Round by round, so that what slows the machine for a while slows both. */
function ratioOf(
  ours: readonly (LoadFigures | undefined)[],
  other: readonly (LoadFigures | undefined)[],
  id: 'rate' | 'cpu',
  size: number,
): Figure | undefined {
  const ratios: number[] = [];
  for (let round = 0; round < Math.min(ours.length, other.length); round++) {
    const [own, peer] = [ours[round], other[round]];
    const a = own && figureOfRun(own, id, size);
    const b = peer && figureOfRun(peer, id, size);
    if (a && b) ratios.push(id === 'rate' ? a / b : b / a);
  }
  return ratios.length === 0 ? undefined : figureOf(ratios);
}

export function ratiosOf(all: EchoRuns): Ratio[] {
  const ratios: Ratio[] = [];
  for (const [ours, other, bounds] of all.comparisons) {
    for (const { workload, runs } of all.results) {
      const [own, peer] = [runs[ours], runs[other]];
      if (own === undefined || peer === undefined) continue;
      const bound = typeof bounds === 'object' ? bounds[workload.text] : bounds;
      const ids = { of: rowId(workload.text, ours), to: rowId(workload.text, other) };
      for (const measure of ['rate', 'cpu'] as const) {
        const value = ratioOf(own, peer, measure, workload.size ?? all.size);
        if (value === undefined) continue;
        // What is promised is promised of the rate.
        const promised = measure === 'rate' ? bound : undefined;
        // One round has no spread.
        const verdict = value.samples < 2 ? 'hidden by spread' : judgeRatio(value, promised);
        ratios.push({ ...ids, measure, value, verdict, ...(promised && { promised }) });
      }
    }
  }
  return ratios;
}

const two = (value: number) => value.toFixed(2);

/** Where ours is behind, in one sentence for each pair; said by the rate. */
export function lossesOf(all: EchoRuns, ratios: readonly Ratio[]): Note[] {
  return all.comparisons.flatMap(([ours, other]): Note[] => {
    const lost = all.results.flatMap(({ workload: { text } }) =>
      ratios.filter(
        ({ of, to, measure, value, verdict }) =>
          of === rowId(text, ours) &&
          to === rowId(text, other) &&
          measure === 'rate' &&
          value.greatest < 1 &&
          (verdict === 'behind' || verdict === 'missed'),
      ),
    );
    if (lost.length === 0) return [];
    const where = lost.map(
      ({ of, value }) =>
        `${of.split('/')[0]} ${two(value.median)} (${two(value.least)}–${two(value.greatest)})`,
    );
    const otherTitle = serverOf(other, all.catalogue).title;
    const text = `messages/s against ${otherTitle}: ${where.join(', ')}`;
    return [{ kind: 'loses', subject: serverOf(ours, all.catalogue).title, text }];
  });
}

export function failureNotes({ failures, catalogue }: EchoRuns): Note[] {
  return failures.map(({ server, workload, round, message }) => ({
    kind: 'failed',
    subject: `${serverOf(server, catalogue).title}, ${workload}`,
    text: `round ${round + 1}: ${message}`,
  }));
}

/** Below this the generator had no time to wait for a server: the figure is its own limit. */
const BUSY_SHARE = 0.03;

/** Rows whose server was faster than the load. */
export function loadLimitNotes(all: EchoRuns): Note[] {
  return all.results.flatMap(({ workload, runs }): Note[] => {
    const limited = all.servers.filter((name) => {
      const good = goodRuns(runs[name]);
      return good.length > 0 && good.every(({ loadIdleShare }) => loadIdleShare < BUSY_SHARE);
    });
    if (limited.length === 0) return [];
    const names = limited.map((name) => serverOf(name, all.catalogue).title).join('; ');
    const text = `the load generator was busy all the time, so messages/s is its limit and the servers' CPU time says more: ${names}`;
    return [{ kind: 'remark', subject: workload.text, text }];
  });
}
