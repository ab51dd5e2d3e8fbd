/**
 * Interleaved rounds in one Wine prefix: see bench/README.md. Exit 1 if a server answered a
 * wrong byte, closed or fell silent; a missed bound is printed, not an error.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { AXES, type GrowthAxis } from '../../growth/axes.ts';
import { curvesOf, failureNotes as growthFailures, runAxis } from '../../growth/run.ts';
import {
  type BenchmarkResult,
  type Figure,
  FORMAT_VERSION,
  type Limit,
  type Measure,
  type Note,
} from '../../report/model.ts';
import { serverOf } from '../catalogue.ts';
import { machineOf, packageBuild } from '../machine.ts';
import {
  chooseCores,
  findLoad,
  type Load,
  loadFor,
  type RunSettings,
  type ServerEnv,
  serverEnv,
} from '../measure.ts';
import { RunProgress, writeFiles } from '../output.ts';
import { type LoadFigures, runLoad } from '../processes.mjs';
import { printTable, range } from '../report.mjs';
import { type EchoRuns, failureNotes, groupsOf, lossesOf, ratiosOf, rowId } from '../result.ts';
import { parseSettings, parseWorkload, runRounds, type Workload } from '../rounds.mjs';
import { printCurves, printEcho, printMachine, printNotes } from '../screen.ts';
import { type CallsReport, type Counters, callsOf, type Run } from './calls.ts';
import { CALLS_PROMISED, COMPARISONS, SERVERS, type WineServer } from './catalogue.ts';
import { readOptions } from './options.ts';
import { WineSession } from './session.ts';

const options = readOptions();

type Settings = RunSettings & { readonly rounds: number };
type WineRun = LoadFigures & { readonly counters?: Counters | undefined };

interface Bench {
  readonly session: WineSession;
  readonly load: Load;
  readonly core: number | undefined;
  readonly settings: Settings;
}

/** What grows where each receive lends a buffer: on other systems nothing here can show it. */
const GROWTH_AXIS = AXES.find(({ id }) => id === 'receives') as GrowthAxis;
const PORT_CALLS: Measure = {
  ...{ id: 'calls', label: 'port calls', unit: 'calls/1,000 messages', better: 'less' },
};

const wineServer = (name: string) => serverOf(name, SERVERS) as WineServer;

function chooseServers(): string[] {
  const wanted = options.servers?.split(',') ?? Object.keys(SERVERS);
  for (const name of wanted) wineServer(name);
  return wanted;
}

async function runOnce(
  { session, load, core, settings }: Bench,
  name: string,
  workload: Workload,
  more?: ServerEnv,
): Promise<WineRun> {
  const entry = wineServer(name);
  const env = serverEnv(entry, workload.size ?? settings.size, more);
  const server = await session.start(entry, env);
  // Both: what a server asks of Windows, wineserver does.
  const target = { port: server.port, pids: [server.pid, session.wineserverPid] };
  try {
    const args = loadFor(entry, target, workload, settings);
    const found = await runLoad([...load.command], args, { core });
    const statistics = await server.statistics();
    return { ...found, counters: statistics?.backend as Counters | undefined };
  } catch (error) {
    const said = (await server.output()).replace(/^listening \d+\s*/, '').trim();
    throw new Error(`${(error as Error).message}${said && `\n${said}`}`);
  } finally {
    await server.stop();
  }
}

const whole = (value: number) => value.toFixed(0);

function printCalls(reports: readonly CallsReport[]): void {
  if (reports.length === 0) return;
  console.log('\n## Port calls for 1,000 messages: median (least–greatest)\n');
  console.log('Dequeues, receives and sends that the server counted itself, from its start to the');
  console.log('end of its last connection. Apart: waits on another thread, and packets taken.\n');
  const counters = ['dequeues', 'receiveCalls', 'sendCalls', 'waits', 'packets'] as const;
  const heading = ['server', 'workload', 'calls', 'dequeues', 'receives', 'sends', 'waits'];
  const rows = [[...heading, 'packets', 'promised', 'verdict']];
  for (const report of reports) {
    const { median, least, greatest } = report.calls;
    rows.push([
      wineServer(report.server).title,
      report.workload,
      range({ median, min: least, max: greatest }, whole),
      ...counters.map((name) => whole(report.counters[name])),
      report.bound === undefined ? '' : `≤ ${report.bound}`,
      report.verdict ?? '',
    ]);
  }
  printTable(rows);
}

type Parts = Pick<BenchmarkResult, 'kind' | 'groups' | 'ratios' | 'limits' | 'curves' | 'notes'>;

async function runTable(bench: Bench): Promise<{ parts: Parts; reports: CallsReport[] }> {
  const { settings } = bench;
  const workloads = options.workloads.split(',').map(parseWorkload);
  const servers = chooseServers();
  const progress = new RunProgress();
  const { results, failures } = await runRounds(
    servers,
    workloads,
    settings.rounds,
    (name, workload) => runOnce(bench, name, workload),
    (...step) => progress.show(...step),
  );
  progress.end();
  const reports = results.flatMap(({ workload: { text }, runs }) =>
    servers.flatMap((name) => {
      if (SERVERS[name]?.backend !== 'iocp') return [];
      return callsOf(name, text, runs[name] as (Run | undefined)[], CALLS_PROMISED[text]) ?? [];
    }),
  );
  const figures = new Map<string, Figure>(
    reports.map(({ workload, server, calls }) => [rowId(workload, server), calls]),
  );
  const all: EchoRuns = {
    ...{ results, failures, servers, size: settings.size, calls: { measure: PORT_CALLS, figures } },
    ...{ catalogue: SERVERS, comparisons: COMPARISONS },
  };
  const ratios = ratiosOf(all);
  const limits: Limit[] = reports.flatMap(({ workload, server, bound, verdict }) =>
    bound === undefined || verdict === undefined
      ? []
      : [{ row: rowId(workload, server), measure: PORT_CALLS.id, promised: bound, verdict }],
  );
  const notes = [...lossesOf(all, ratios), ...failureNotes(all)];
  const groups = groupsOf(all).map((group) => ({ ...group, section: 'Echo in Wine' }));
  return { parts: { kind: 'echo', groups, ratios, limits, curves: [], notes }, reports };
}

async function runGrowth(bench: Bench): Promise<Parts> {
  const { points: all, quickPoints, variants } = GROWTH_AXIS;
  const points = options.quick ? quickPoints.map((at) => all[at]!) : all;
  const progress = new RunProgress();
  const found = await runAxis(
    GROWTH_AXIS,
    points,
    variants,
    bench.settings.rounds,
    (name, { workload }, env) => runOnce(bench, name, workload, env),
    (...step) => progress.show(...step),
  );
  progress.end();
  const curves = curvesOf(found).map((curve) => ({ ...curve, section: 'Growth in Wine' }));
  const notes = growthFailures(found);
  return { kind: 'growth', groups: [], ratios: [], limits: [], curves, notes };
}

async function main(): Promise<void> {
  if (options.list) {
    for (const [name, { title }] of Object.entries(SERVERS)) console.log(name.padEnd(30), title);
    return;
  }
  if (!existsSync('dist/index.js')) throw new Error('dist/ is not built: npm run build');
  const settings = parseSettings({
    rounds: options.rounds ?? (options.quick ? 2 : 5),
    seconds: options.seconds ?? (options.quick ? 0.5 : 1),
    warmup: options.warmup,
    size: options.size,
  });
  const startedAt = new Date();
  const load = findLoad('c');
  const cores = chooseCores(availableParallelism());
  const isPinned = typeof cores.server === 'number';
  process.stderr.write('making a Wine prefix\n');
  const session = await WineSession.open(
    options.node,
    typeof cores.server === 'number' ? cores.server : undefined,
  );
  try {
    const hosts = [
      { name: 'node', version: `${await session.versionOf('node')} (node.exe)` },
      { name: 'bun', version: `${await session.versionOf('bun')} (bun.exe)` },
      { name: 'wine', version: session.version },
    ];
    const bench = { session, load, core: cores.load, settings };
    const { rounds, seconds, warmup } = settings;
    const notes: Note[] = [
      {
        kind: 'remark',
        subject: 'cores',
        text: isPinned
          ? 'server and wineserver on core 0, load on core 1'
          : 'not pinned: trust it less',
      },
      {
        kind: 'remark',
        subject: 'rounds',
        text: `${rounds} interleaved rounds of ${seconds} s after ${warmup} s of warm-up, a process for each`,
      },
      {
        kind: 'remark',
        subject: 'Wine',
        text: 'a system call of Windows is a request to another process here: ratios between servers that pay alike, not what Windows would give. CPU and memory are the server’s and wineserver’s together',
      },
    ];
    const table = options.growth ? undefined : await runTable(bench);
    const parts = table?.parts ?? (await runGrowth(bench));
    const result: BenchmarkResult = {
      format: 'overlapped-benchmark',
      version: FORMAT_VERSION,
      package: packageBuild(),
      startedAt: startedAt.toISOString(),
      durationSeconds: (Date.now() - startedAt.getTime()) / 1000,
      command: ['node', 'bench/echo/wine.mjs', ...process.argv.slice(2)],
      machine: machineOf([session.version]),
      hosts,
      ...parts,
      notes: [...notes, ...parts.notes],
    };
    printMachine(result);
    if (table === undefined) {
      printCurves(result);
      printNotes(result);
    } else {
      printCalls(table.reports);
      printEcho(result);
    }
    await writeFiles(result, options);
    if (result.notes.some(({ kind }) => kind === 'failed')) process.exitCode = 1;
  } finally {
    await session.close();
  }
}

// Not to leave programs behind in Wine: they end with the event `exit`.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(2));
try {
  await main();
} catch (error) {
  console.error(`bench/echo/wine: ${(error as Error).message}`);
  process.exitCode = 2;
}
