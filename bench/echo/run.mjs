/**
 * The echo benchmark: this package's backends against hand-written servers of the same host.
 *
 *   node bench/echo/run.mjs [--rounds 5] [--seconds 1.5] [--warmup 0.8] [--size 64]
 *       [--workloads 1x64,50x1,50x16] [--servers name,name,…] [--json FILE] [--quick] [--list]
 *
 * Rounds are interleaved: each server once (in a process of its own, warmed up), then all of
 * them again. A ratio is taken within a round; the table gives the median of the rounds with
 * least and greatest. The server is pinned to one core, the load generator to another.
 * Exit 1 if a server answered a wrong byte, closed or fell silent; a missed bound is printed,
 * not an error.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CompileError, compile, loadSource } from './compile.mjs';
import { canPin, findProgram, runLoad, startServer } from './processes.mjs';
import { ratioByRound, spread, verdict } from './statistics.mjs';

const SERVER_CORE = 0;
const LOAD_CORE = 1;
/**
 * The generator polls for so long before it sleeps. On a virtual machine waking a sleeping core
 * costs tens of microseconds, which would hide the server's own time at one connection.
 */
const SPIN_US = 200;
const file = (name) => fileURLToPath(new URL(`./servers/${name}`, import.meta.url));
const bun = findProgram('bun');

/** `host`: which runtime; `needs`: what has to be there before it can run. */
const SERVERS = {
  'c-epoll': { command: () => [compile(new URL('./servers/c-epoll.c', import.meta.url))] },
  'node-net-raw': { host: 'node' },
  'node-net-cork': { host: 'node' },
  'node-net-concat': { host: 'node' },
  'node-net-copy': { host: 'node' },
  'overlapped-net-batch': { host: 'node', program: 'overlapped-batch', backend: 'net' },
  'overlapped-net-message': { host: 'node', program: 'overlapped-message', backend: 'net' },
  'overlapped-uring-batch': { host: 'node', program: 'overlapped-batch', backend: 'uring' },
  'overlapped-uring-message': { host: 'node', program: 'overlapped-message', backend: 'uring' },
  'bun-raw': { host: 'bun' },
  'bun-concat': { host: 'bun' },
  'overlapped-bun-batch': { host: 'bun', program: 'overlapped-batch', backend: 'bun' },
  'overlapped-bun-message': { host: 'bun', program: 'overlapped-message', backend: 'bun' },
};

/** What is promised: ours, against which, the least ratio of messages per second. */
const PROMISES = [
  ['overlapped-net-batch', 'node-net-cork', 1.2],
  ['overlapped-net-batch', 'node-net-concat', 0.9],
  ['overlapped-net-batch', 'node-net-copy', undefined],
  ['overlapped-net-message', 'overlapped-net-batch', 0.7],
  ['overlapped-bun-batch', 'bun-concat', 0.9],
  ['overlapped-bun-message', 'overlapped-bun-batch', 0.7],
  ['overlapped-uring-batch', 'overlapped-net-batch', undefined],
  ['overlapped-uring-batch', 'c-epoll', undefined],
];

const DEFAULT_SERVERS = Object.keys(SERVERS).filter((name) => !name.includes('uring'));

function commandOf(name) {
  const server = SERVERS[name];
  if (server.command) return server.command();
  const program = file(`${server.program ?? name}.mjs`);
  return server.host === 'bun' ? [bun, program] : [process.execPath, program];
}

/** Why a server cannot run here, or undefined. */
function obstacle(name) {
  const server = SERVERS[name];
  if (server.host === 'bun' && bun === undefined) return 'bun is not installed';
  if (server.program && !existsSync(new URL('../../dist/index.js', import.meta.url))) {
    return 'dist/ is not built: npm run build';
  }
  return undefined;
}

function parseWorkload(text) {
  const match = /^(\d+)x(\d+)(?:x(\d+))?$/.exec(text);
  if (!match) throw new Error(`a workload is CONNECTIONSxIN_FLIGHT[xSIZE], not ${text}`);
  const [connections, inFlight, size] = match.slice(1).map((part) => part && Number(part));
  return { text, connections, inFlight, size };
}

function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

const thousands = (value) => (value / 1000).toFixed(value < 100_000 ? 1 : 0);
const range = (s, format) => `${format(s.median)} (${format(s.min)}–${format(s.max)})`;

function printTable(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  rows.forEach((row, index) => {
    const cells = row.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c])));
    console.log(`| ${cells.join(' | ')} |`);
    if (index === 0) console.log(`|${widths.map((w, c) => (c ? `${'-'.repeat(w + 1)}:` : '-'.repeat(w + 2))).join('|')}|`);
  });
}

function versionOf(program, ...args) {
  return spawnSync(program, args, { encoding: 'utf8' }).stdout?.trim().split('\n')[0];
}

function machine() {
  const governor = '/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor';
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    kernel: `${process.platform} ${release()}`,
    governor: existsSync(governor) ? readFileSync(governor, 'utf8').trim() : 'not reported',
    node: process.version,
    v8: process.versions.v8,
    bun: bun && versionOf(bun, '--version'),
    compiler: versionOf(process.env.CC ?? 'cc', '--version'),
    pinned: canPin && cpus().length > 1,
    date: new Date().toISOString(),
  };
}

async function runOnce(load, name, workload, settings, cores) {
  const server = await startServer(commandOf(name), {
    core: cores.server,
    env: { BACKEND: SERVERS[name].backend ?? '' },
  });
  try {
    return await runLoad(
      load,
      ['127.0.0.1', server.port, workload.connections, workload.inFlight, workload.size ?? settings.size,
        settings.seconds, '--warmup', settings.warmup, '--spin', SPIN_US, '--pid', server.pid],
      { core: cores.load },
    );
  } catch (error) {
    const said = server.errors().trim();
    throw new Error(said ? `${error.message}\n${said}` : error.message);
  } finally {
    await server.stop();
  }
}

function report(results, servers) {
  for (const { workload, runs } of results) {
    console.log(`\n## ${workload.connections} connections × ${workload.inFlight} in flight\n`);
    const rows = [['server', 'thousand messages/s', 'server CPU ns/message', 'p50 µs', 'p99 µs', 'p99.9 µs']];
    for (const name of servers) {
      const good = runs[name].filter((run) => run !== undefined);
      if (good.length === 0) continue;
      const of = (key) => spread(good.map((run) => run[key]));
      rows.push([
        name,
        range(of('messagesPerSecond'), thousands),
        range(of('serverCpuNsPerMessage'), (v) => v.toFixed(0)),
        of('p50Us').median.toFixed(0),
        of('p99Us').median.toFixed(0),
        of('p999Us').median.toFixed(0),
      ]);
    }
    printTable(rows);
  }
  console.log('\n## Ratios within a round: median (least–greatest)\n');
  console.log('"rate" compares messages/s, "CPU" the server\'s CPU time a message the other way round');
  console.log('(above 1: ours needs less). "?": the rounds disagree, the spread hides the answer.\n');
  const rows = [['ratio', 'workload', 'rate', 'CPU', 'promised', 'reached']];
  const ratios = [];
  for (const [ours, peer, bound] of PROMISES) {
    for (const { workload, runs } of results) {
      if (!runs[ours] || !runs[peer]) continue;
      const column = (name, key) => runs[name].map((run) => run?.[key]);
      const rate = ratioByRound(column(ours, 'messagesPerSecond'), column(peer, 'messagesPerSecond'));
      const cpu = ratioByRound(column(peer, 'serverCpuNsPerMessage'), column(ours, 'serverCpuNsPerMessage'));
      if (!rate) continue;
      const two = (value) => value.toFixed(2);
      const reached = bound === undefined ? '' : verdict(rate, bound);
      rows.push([`${ours} / ${peer}`, workload.text, range(rate, two), range(cpu, two),
        bound === undefined ? '' : `≥ ${bound}`, reached]);
      ratios.push({ ours, peer, workload: workload.text, rate, cpu, bound, reached });
    }
  }
  if (rows.length > 1) printTable(rows);
  return ratios;
}

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    warmup: { type: 'string', default: '0.8' },
    size: { type: 'string', default: '64' },
    workloads: { type: 'string', default: '1x64,50x1,50x16' },
    servers: { type: 'string' },
    json: { type: 'string' },
    quick: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});

async function main() {
  if (options.list) {
    for (const name of Object.keys(SERVERS)) console.log(name, obstacle(name) ?? '');
    return;
  }
  const settings = {
    rounds: Number(options.rounds ?? (options.quick ? 2 : 5)),
    seconds: Number(options.seconds ?? (options.quick ? 0.6 : 1.5)),
    warmup: Number(options.warmup),
    size: Number(options.size),
  };
  for (const [name, value] of Object.entries(settings)) {
    if (!(value > 0)) throw new Error(`--${name}: a number above 0`);
  }
  const workloads = options.workloads.split(',').map(parseWorkload);
  const wanted = options.servers?.split(',') ?? DEFAULT_SERVERS;
  const unknown = wanted.find((name) => !Object.hasOwn(SERVERS, name));
  if (unknown !== undefined) throw new Error(`no server ${unknown}; there are ${Object.keys(SERVERS).join(', ')}`);
  const servers = wanted.filter((name) => {
    const why = obstacle(name);
    if (why) console.log(`left out: ${name}: ${why}`);
    return why === undefined;
  });
  const load = compile(loadSource);
  const host = machine();
  const cores = host.pinned ? { server: SERVER_CORE, load: LOAD_CORE } : {};
  console.log(`${host.cpu} × ${host.cores}, ${host.kernel}, governor ${host.governor}`);
  console.log(`node ${host.node} (V8 ${host.v8}), bun ${host.bun ?? '–'}, ${host.compiler}`);
  console.log(host.pinned ? 'server on core 0, load on core 1' : 'not pinned to cores: figures mean less');
  console.log(`${settings.rounds} rounds of ${settings.seconds} s after ${settings.warmup} s of warm-up, frames of ${settings.size} B`);

  const results = workloads.map((workload) => ({
    workload,
    runs: Object.fromEntries(servers.map((name) => [name, []])),
  }));
  const failures = [];
  for (let round = 0; round < settings.rounds; round++) {
    // Odd rounds run backwards, so that no server always follows the same one.
    const order = round % 2 === 0 ? servers : [...servers].reverse();
    for (const { workload, runs } of results) {
      for (const name of order) {
        progress(`round ${round + 1}/${settings.rounds}  ${workload.text}  ${name}`);
        try {
          runs[name][round] = await runOnce(load, name, workload, settings, cores);
        } catch (error) {
          runs[name][round] = undefined;
          failures.push({ server: name, workload: workload.text, round, message: error.message });
        }
      }
    }
  }
  progress('');
  const ratios = report(results, servers);
  for (const failure of failures) {
    console.log(`\nFAILED ${failure.server} ${failure.workload} round ${failure.round + 1}: ${failure.message}`);
  }
  if (options.json) {
    writeFileSync(options.json, `${JSON.stringify({ machine: host, settings, results, ratios, failures }, undefined, 2)}\n`);
  }
  if (failures.length > 0) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  console.error(error instanceof CompileError ? error.message : `bench/echo: ${error.message}`);
  process.exitCode = 2;
}
