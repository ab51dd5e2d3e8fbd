/**
 * Interleaved rounds in one Wine prefix: see bench/README.md. Exit 1 if a server answered a
 * wrong byte, closed or fell silent; a missed bound is printed, not an error.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { compile } from '../compile.mjs';
import { canPin, runLoad } from '../processes.mjs';
import {
  describeMachine,
  printFailures,
  printMachine,
  printRatios,
  printTable,
  printWorkload,
  progress,
  range,
} from '../report.mjs';
import { loadArguments, parseSettings, parseWorkload, ratiosOf, runRounds } from '../rounds.mjs';
import { type CallsReport, type Counters, callsOf, type Run } from './calls.ts';
import { CALLS_PROMISED, PROMISES, SERVERS, type WineServer, WORKLOADS } from './catalogue.ts';
import { WineSession } from './session.ts';

/** The server and wineserver, on which it waits in nearly every call: one of them runs at a time. */
const SERVER_CORE = 0;
const LOAD_CORE = 1;
/** As in the benchmark without Wine: waking a sleeping core would hide the server's own time. */
const SPIN_US = 200;

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    warmup: { type: 'string', default: '1' },
    size: { type: 'string', default: '64' },
    node: { type: 'string', default: '20' },
    workloads: { type: 'string', default: WORKLOADS },
    servers: { type: 'string' },
    json: { type: 'string' },
    quick: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});

type Settings = Record<'rounds' | 'seconds' | 'warmup' | 'size', number>;

function chooseServers(): string[] {
  const wanted = options.servers?.split(',') ?? Object.keys(SERVERS);
  const unknown = wanted.find((name) => !Object.hasOwn(SERVERS, name));
  if (unknown !== undefined) {
    throw new Error(`no server ${unknown}; there are ${Object.keys(SERVERS).join(', ')}`);
  }
  return wanted;
}

async function runOnce(
  session: WineSession,
  load: string,
  name: string,
  workload: ReturnType<typeof parseWorkload>,
  settings: Settings,
  core: number | undefined,
): Promise<object> {
  const server = await session.start(SERVERS[name] as WineServer);
  const args = loadArguments(server.port, workload, settings);
  args.push('--spin', SPIN_US, '--warmup-cpu', settings.warmup);
  // Both: what a server asks of Windows, wineserver does.
  args.push('--pid', server.pid, '--pid', session.wineserverPid);
  try {
    const found = await runLoad(load, args, { core });
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
  const rows = [[...heading, 'packets', 'promised', 'reached']];
  for (const report of reports) {
    rows.push([
      report.server,
      report.workload,
      range(report.calls, whole),
      ...counters.map((name) => whole(report.counters[name])),
      report.bound === undefined ? '' : `≤ ${report.bound}`,
      report.reached,
    ]);
  }
  printTable(rows);
}

async function main(): Promise<void> {
  if (options.list) {
    for (const name of Object.keys(SERVERS)) console.log(name);
    return;
  }
  if (!existsSync('dist/index.js')) throw new Error('dist/ is not built: npm run build');
  const settings = parseSettings({
    rounds: options.rounds ?? (options.quick ? 2 : 5),
    seconds: options.seconds ?? (options.quick ? 0.5 : 1),
    warmup: options.warmup,
    size: options.size,
  }) as Settings;
  const workloads = options.workloads.split(',').map(parseWorkload);
  const servers = chooseServers();
  const load = compile(pathToFileURL(resolve('bench/echo/load.c')));
  const machine = describeMachine();
  const isPinned = canPin && machine.cores > 1;
  progress('making a Wine prefix');
  const session = await WineSession.open(options.node, isPinned ? SERVER_CORE : undefined);
  try {
    const programs = {
      wine: session.version,
      node: await session.versionOf('node'),
      bun: await session.versionOf('bun'),
    };
    progress('');
    printMachine(machine);
    console.log(`${programs.wine}: node.exe ${programs.node}, bun.exe ${programs.bun}`);
    console.log(
      isPinned
        ? 'server and wineserver on core 0, load on core 1'
        : 'not pinned to cores: trust it less',
    );
    const { rounds, seconds, warmup, size } = settings;
    console.log(`${rounds} rounds of ${seconds} s after ${warmup} s of warm-up, ${size} B a frame`);
    const { results, failures } = await runRounds(servers, workloads, rounds, (name, workload) =>
      runOnce(session, load, name, workload, settings, isPinned ? LOAD_CORE : undefined),
    );
    for (const result of results) printWorkload(result, servers);
    const ratios = ratiosOf(results, PROMISES);
    printRatios(ratios);
    const calls = results.flatMap(({ workload, runs }) =>
      servers
        .filter((name) => SERVERS[name]?.backend === 'iocp')
        .map((name) =>
          callsOf(
            name,
            workload.text,
            runs[name] as (Run | undefined)[],
            CALLS_PROMISED[workload.text],
          ),
        )
        .filter((report) => report !== undefined),
    );
    printCalls(calls);
    printFailures(failures);
    if (options.json !== undefined) {
      const all = {
        machine,
        programs,
        pinned: isPinned,
        settings,
        results,
        ratios,
        calls,
        failures,
      };
      writeFileSync(options.json, `${JSON.stringify(all, undefined, 2)}\n`);
    }
    if (failures.length > 0) process.exitCode = 1;
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
