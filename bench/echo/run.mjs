/**
 * The echo benchmark: this package's backends against hand-written servers of the same host.
 *
 *   node bench/echo/run.mjs [--rounds 5] [--seconds 1.5] [--warmup 1.2] [--size 64]
 *       [--workloads 1x64,50x1,50x16] [--servers name,name,…] [--json FILE] [--quick] [--list]
 *
 * Rounds are interleaved: each server once (in a process of its own, warmed up), then all of
 * them again. A ratio is taken within a round; the table gives the median of the rounds with
 * least and greatest. The server is pinned to one core, the load generator to another.
 * Exit 1 if a server answered a wrong byte, closed or fell silent; a missed bound is printed,
 * not an error.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { bun, commandOf, DEFAULT_SERVERS, obstacle, PROMISES, SERVERS } from './catalogue.mjs';
import { CompileError, compile, loadSource } from './compile.mjs';
import { canPin, runLoad, startServer } from './processes.mjs';
import {
  describeMachine,
  printMachine,
  printTable,
  progress,
  range,
  versionOf,
} from './report.mjs';
import { ratioByRound, spread, verdict } from './statistics.mjs';

const SERVER_CORE = 0;
const LOAD_CORE = 1;
/**
 * The generator polls for so long before it sleeps. On a virtual machine waking a sleeping core
 * costs tens of microseconds, which would hide the server's own time at one connection.
 */
const SPIN_US = 200;

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    warmup: { type: 'string', default: '1.2' },
    size: { type: 'string', default: '64' },
    workloads: { type: 'string', default: '1x64,50x1,50x16' },
    servers: { type: 'string' },
    json: { type: 'string' },
    quick: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});

function parseWorkload(text) {
  const match = /^(\d+)x(\d+)(?:x(\d+))?$/.exec(text);
  if (!match) throw new Error(`a workload is CONNECTIONSxIN_FLIGHT[xSIZE], not ${text}`);
  const [connections, inFlight, size] = match.slice(1).map((part) => part && Number(part));
  return { text, connections, inFlight, size };
}

function parseSettings() {
  const settings = {
    rounds: Number(options.rounds ?? (options.quick ? 2 : 5)),
    seconds: Number(options.seconds ?? (options.quick ? 0.6 : 1.5)),
    warmup: Number(options.warmup),
    size: Number(options.size),
  };
  for (const [name, value] of Object.entries(settings)) {
    if (!(value > 0)) throw new Error(`--${name}: a number above 0`);
  }
  return settings;
}

function chooseServers() {
  const wanted = options.servers?.split(',') ?? DEFAULT_SERVERS;
  const unknown = wanted.find((name) => !Object.hasOwn(SERVERS, name));
  if (unknown !== undefined) {
    throw new Error(`no server ${unknown}; there are ${Object.keys(SERVERS).join(', ')}`);
  }
  return wanted.filter((name) => {
    const why = obstacle(name);
    if (why !== undefined) console.log(`left out: ${name}: ${why}`);
    return why === undefined;
  });
}

async function runOnce(load, name, workload, settings, cores) {
  const env = { BACKEND: SERVERS[name].backend ?? '' };
  const server = await startServer(commandOf(name), { core: cores.server, env });
  const { connections, inFlight, size = settings.size } = workload;
  const args = ['127.0.0.1', server.port, connections, inFlight, size, settings.seconds];
  const flags = ['--warmup', settings.warmup, '--spin', SPIN_US, '--pid', server.pid];
  // A compiled program has nothing to warm up.
  if (SERVERS[name].host !== undefined) flags.push('--warmup-cpu', settings.warmup);
  try {
    return await runLoad(load, [...args, ...flags], { core: cores.load });
  } catch (error) {
    const said = server.errors().trim();
    throw new Error(said ? `${error.message}\n${said}` : error.message);
  } finally {
    await server.stop();
  }
}

const thousands = (value) => (value / 1000).toFixed(value < 100_000 ? 1 : 0);
const whole = (value) => value.toFixed(0);
const twoDigits = (value) => value.toFixed(2);

function printWorkload({ workload, runs }, servers) {
  console.log(`\n## ${workload.connections} connections × ${workload.inFlight} in flight\n`);
  const heading = ['server', 'thousand messages/s', 'server CPU ns/message', 'p50 µs', 'p99 µs'];
  const rows = [[...heading, 'p99.9 µs']];
  for (const name of servers) {
    const good = runs[name].filter((run) => run !== undefined);
    if (good.length === 0) continue;
    const of = (key) => spread(good.map((run) => run[key]));
    rows.push([
      name,
      range(of('messagesPerSecond'), thousands),
      range(of('serverCpuNsPerMessage'), whole),
      ...['p50Us', 'p99Us', 'p999Us'].map((key) => whole(of(key).median)),
    ]);
  }
  printTable(rows);
}

function ratiosOf(results) {
  const ratios = [];
  for (const [ours, peer, bound] of PROMISES) {
    for (const { workload, runs } of results) {
      if (!runs[ours] || !runs[peer]) continue;
      const of = (name, key) => runs[name].map((run) => run?.[key]);
      const rate = ratioByRound(of(ours, 'messagesPerSecond'), of(peer, 'messagesPerSecond'));
      const cpuKey = 'serverCpuNsPerMessage';
      const cpu = ratioByRound(of(peer, cpuKey), of(ours, cpuKey));
      if (!rate || !cpu) continue;
      const reached = bound === undefined ? '' : verdict(rate, bound);
      ratios.push({ ours, peer, workload: workload.text, rate, cpu, bound, reached });
    }
  }
  return ratios;
}

function printRatios(ratios) {
  if (ratios.length === 0) return;
  console.log('\n## Ratios within a round: median (least–greatest)\n');
  console.log("rate: messages/s, ours / peer. CPU: the servers' CPU time a message, peer / ours");
  console.log('(above 1: ours needs less). "?": rounds disagree, the spread hides the answer.\n');
  const rows = [['ours / peer', 'workload', 'rate', 'CPU', 'promised', 'reached']];
  for (const { ours, peer, workload, rate, cpu, bound, reached } of ratios) {
    const promised = bound === undefined ? '' : `≥ ${bound}`;
    const figures = [range(rate, twoDigits), range(cpu, twoDigits)];
    rows.push([`${ours} / ${peer}`, workload, ...figures, promised, reached]);
  }
  printTable(rows);
}

async function main() {
  if (options.list) {
    for (const name of Object.keys(SERVERS)) console.log(name, obstacle(name) ?? '');
    return;
  }
  const settings = parseSettings();
  const workloads = options.workloads.split(',').map(parseWorkload);
  const load = compile(loadSource);
  const machine = {
    ...describeMachine(),
    bun: bun && versionOf(bun, '--version'),
    compiler: versionOf(process.env.CC ?? 'cc', '--version'),
  };
  const pinned = canPin && machine.cores > 1;
  const cores = pinned ? { server: SERVER_CORE, load: LOAD_CORE } : {};
  printMachine(machine);
  console.log(`bun ${machine.bun ?? '–'}, ${machine.compiler}`);
  console.log(pinned ? 'server on core 0, load on core 1' : 'not pinned to cores: trust it less');
  const { rounds, seconds, warmup, size } = settings;
  console.log(`${rounds} rounds of ${seconds} s after ${warmup} s of warm-up, ${size} B a frame`);
  const servers = chooseServers();

  const results = workloads.map((workload) => ({
    workload,
    runs: Object.fromEntries(servers.map((name) => [name, []])),
  }));
  const failures = [];
  for (let round = 0; round < rounds; round++) {
    // Odd rounds run backwards, so that no server always follows the same one.
    const order = round % 2 === 0 ? servers : [...servers].reverse();
    for (const { workload, runs } of results) {
      for (const name of order) {
        progress(`round ${round + 1}/${rounds}  ${workload.text}  ${name}`);
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
  for (const result of results) printWorkload(result, servers);
  const ratios = ratiosOf(results);
  printRatios(ratios);
  for (const { server, workload, round, message } of failures) {
    console.log(`\nFAILED ${server} ${workload} round ${round + 1}: ${message}`);
  }
  if (options.json !== undefined) {
    const all = { machine, pinned, settings, results, ratios, failures };
    writeFileSync(options.json, `${JSON.stringify(all, undefined, 2)}\n`);
  }
  if (failures.length > 0) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  console.error(error instanceof CompileError ? error.message : `bench/echo: ${error.message}`);
  process.exitCode = 2;
}
