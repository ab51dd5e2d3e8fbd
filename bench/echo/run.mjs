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
  printFailures,
  printMachine,
  printRatios,
  printWorkload,
  versionOf,
} from './report.mjs';
import { loadArguments, parseSettings, parseWorkload, ratiosOf, runRounds } from './rounds.mjs';

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
  const args = loadArguments(server.port, workload, settings);
  args.push('--spin', SPIN_US, '--pid', server.pid);
  // A compiled program has nothing to warm up.
  if (SERVERS[name].host !== undefined) args.push('--warmup-cpu', settings.warmup);
  try {
    return await runLoad(load, args, { core: cores.load });
  } catch (error) {
    const said = server.errors().trim();
    throw new Error(said ? `${error.message}\n${said}` : error.message);
  } finally {
    await server.stop();
  }
}

async function main() {
  if (options.list) {
    for (const name of Object.keys(SERVERS)) console.log(name, obstacle(name) ?? '');
    return;
  }
  const settings = parseSettings({
    rounds: options.rounds ?? (options.quick ? 2 : 5),
    seconds: options.seconds ?? (options.quick ? 0.6 : 1.5),
    warmup: options.warmup,
    size: options.size,
  });
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

  const { results, failures } = await runRounds(servers, workloads, rounds, (name, workload) =>
    runOnce(load, name, workload, settings, cores),
  );
  for (const result of results) printWorkload(result, servers);
  const ratios = ratiosOf(results, PROMISES);
  printRatios(ratios);
  printFailures(failures);
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
