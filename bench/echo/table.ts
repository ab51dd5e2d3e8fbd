/** Servers against each other: interleaved rounds over workloads, then their system calls. */
import {
  type BenchmarkResult,
  type Figure,
  figureOf,
  type Measure,
  type Note,
} from '../report/model.ts';
import { announce, type Bench, checked, leftOut, remark, resultOf, usable } from './bench.ts';
import {
  COMPARISONS,
  QUICK_SERVERS,
  QUICK_WORKLOADS,
  SERVERS,
  serverOf,
  WORKLOADS,
} from './catalogue.ts';
import { measure } from './measure.ts';
import { RunProgress } from './output.ts';
import {
  type EchoRuns,
  failureNotes,
  groupsOf,
  loadLimitNotes,
  lossesOf,
  ratiosOf,
  rowId,
} from './result.ts';
import { parseWorkload, runRounds, type Workload } from './rounds.mjs';
import { countCalls, tracingObstacle } from './syscalls.ts';

async function runCalls(
  bench: Bench,
  servers: readonly string[],
  workloads: readonly Workload[],
  notes: Note[],
  progress: RunProgress,
): Promise<Map<string, Figure>> {
  const { load, settings, cores, options } = bench;
  const found = new Map<string, Figure>();
  const wanted = options.syscalls ?? !options.quick;
  const why = wanted ? tracingObstacle() : 'not counted in a quick run';
  if (why !== undefined) {
    notes.push(leftOut('system calls', why));
    return found;
  }
  let done = 0;
  for (const workload of workloads) {
    for (const name of servers) {
      const text = `system calls  ${workload.text}  ${name}`;
      progress.show(done++, workloads.length * servers.length, text);
      try {
        const { callsPerMessage, byName } = await countCalls(load, name, workload, settings, cores);
        found.set(rowId(workload.text, name), figureOf([callsPerMessage]));
        if (serverOf(name).role === 'own') notes.push(callsNote(name, workload, byName));
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const subject = `system calls: ${serverOf(name).title}, ${workload.text}`;
        notes.push(leftOut(subject, message));
      }
    }
  }
  return found;
}

/** The most frequent calls of one server. */
function callsNote(
  name: string,
  { text }: Workload,
  byName: readonly (readonly [string, number])[],
): Note {
  const most = byName.slice(0, CALLS_NAMED).filter(([, perMessage]) => perMessage > 0);
  const shown = most.map(([call, perMessage]) => `${call} ${(perMessage * 1000).toFixed(1)}`);
  const subject = `${serverOf(name).title}, ${text}`;
  return remark(subject, `system calls for 1,000 messages: ${shown.join(', ')}`);
}

const CALLS_NAMED = 3;
const SYSTEM_CALLS: Measure = {
  ...{ id: 'calls', label: 'system calls', unit: 'calls/message', better: 'less' },
};
/** Milliseconds that counting one server's calls takes. */
const CALLS_MS = 3500;

export async function runTable(bench: Bench): Promise<BenchmarkResult> {
  const { options, settings, load, cores } = bench;
  const notes = [...bench.notes];
  const quickly = <T>(quick: T, full: T) => (options.quick ? quick : full);
  const all = quickly(QUICK_SERVERS, Object.keys(SERVERS));
  const servers = usable(options.servers ?? all, bench, notes);
  const texts = options.workloads ?? quickly(QUICK_WORKLOADS, WORKLOADS).split(',');
  const workloads = checked(() => texts.map(parseWorkload));
  const progress = new RunProgress();
  const cells = servers.length * workloads.length;
  const isCounting = options.syscalls ?? !options.quick;
  announce(bench, cells * settings.rounds, isCounting ? cells * CALLS_MS : 0);
  const { results, failures } = await runRounds(
    servers,
    workloads,
    settings.rounds,
    (name, workload) => measure(load, name, workload, settings, cores),
    (...step) => progress.show(...step),
  );
  const calls = await runCalls(bench, servers, workloads, notes, progress);
  progress.end();
  const runs: EchoRuns = {
    ...{ results, failures, servers, size: settings.size },
    calls: { measure: SYSTEM_CALLS, figures: calls },
    ...{ catalogue: SERVERS, comparisons: COMPARISONS },
  };
  const ratios = ratiosOf(runs);
  notes.push(...loadLimitNotes(runs), ...lossesOf(runs, ratios), ...failureNotes(runs));
  return resultOf(bench, 'echo', { groups: groupsOf(runs), ratios, curves: [], notes });
}
