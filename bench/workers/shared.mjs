/**
 * How much faster several workers are than one on a shared port (`scheduling: 'shared'`), and
 * whether the order holds: see README.md.
 *
 *   node bench/workers/shared.mjs [--completions 5000000] [--workers 1,2] [--rounds 3]
 *       [--sources sim,bare] [--connections 1000] [--receives 20] [--microseconds 2] [--json FILE]
 *
 * Exit code 1 if a message was handled out of order, twice, never, damaged or beside another
 * one of its connection, or if the port left anything behind. A missed ratio is printed.
 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { ratioByRound, spread, verdict } from '../echo/statistics.mjs';
import { roundsFor } from './spin.mjs';

const WANTED = 1.3;
/** Cores of other programs from which on a rate says little: a process of more threads gets more of a contended core. */
const DISTURBED_CORES = 0.1;
const RUN_LIMIT_MS = 10 * 60_000;
const WHAT = {
  sim: 'the simulated network, in the I/O thread',
  bare: 'a backend without a network: receives complete at once',
};

const { values } = parseArgs({
  options: {
    completions: { type: 'string', default: '5000000' },
    workers: { type: 'string', default: '1,2' },
    rounds: { type: 'string', default: '3' },
    sources: { type: 'string', default: 'sim,bare' },
    connections: { type: 'string', default: '1000' },
    receives: { type: 'string', default: '20' },
    microseconds: { type: 'string', default: '2' },
    json: { type: 'string' },
  },
});
/** @param {'completions' | 'rounds' | 'connections' | 'receives' | 'microseconds'} name */
const number = (name) => {
  const value = Number(values[name]);
  if (!(value > 0)) throw new Error(`--${name}: a number above 0`);
  return value;
};
const completions = number('completions');
const rounds = number('rounds');
const workerCounts = values.workers.split(',').map(Number);
const sources = values.sources.split(',');
if (!workerCounts.every((count) => Number.isInteger(count) && count > 0)) {
  throw new Error('--workers: numbers, such as 1,2');
}
if (!sources.every((source) => source in WHAT)) throw new Error('--sources: sim, bare');

const program = fileURLToPath(new URL('./run-one.mjs', import.meta.url));
const spinRounds = roundsFor(number('microseconds'));

/**
 * @param {'sim' | 'bare'} source
 * @param {number} workers
 */
async function run(source, workers) {
  const task = {
    source,
    workers,
    connections: number('connections'),
    receives: number('receives'),
    completions,
    rounds: spinRounds,
  };
  const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(task)], {
    timeout: RUN_LIMIT_MS,
  });
  return { source, workers, ...JSON.parse(stdout) };
}

/** @param {any} result */
function wrongIn({ faults, leftovers }) {
  return Object.entries({ ...faults, ...leftovers }).filter(([, count]) => count !== 0);
}

const cores = availableParallelism();
console.log(
  `${cpus()[0]?.model}, ${cores} cores. ${values.connections} connections, ${values.receives} ` +
    `receives pending, ${completions} completions a run, handler ${values.microseconds} µs.`,
);
const results = [];
for (let round = 0; round < rounds; round++) {
  const order = sources.flatMap((source) => workerCounts.map((count) => ({ source, count })));
  if (round % 2 === 1) order.reverse();
  for (const { source, count } of order) {
    const result = { round, ...(await run(source, count)) };
    results.push(result);
    const wrong = wrongIn(result);
    if (wrong.length > 0) process.exitCode = 1;
    const cost = (value) => value.toFixed(2);
    const { ioMicroseconds: io, workerMicroseconds: worker, allMicroseconds: all } = result;
    console.log(
      `round ${round + 1}  ${source.padEnd(4)} ${count} workers  ` +
        `${Math.round(result.completionsPerSecond).toLocaleString('en').padStart(9)} a second  ` +
        `CPU µs each: I/O thread ${cost(io)}, workers ` +
        `${result.eachWorkerMicroseconds.map(cost).join(' + ')} = ${cost(worker)}, ` +
        `others ${cost(all - io - worker)}; handler ${cost(result.handlerMicroseconds)}; ` +
        `${result.sleeps} sleeps, ${result.rings} rings; ` +
        `other programs had ${cost(result.othersCores)} cores  ` +
        (wrong.length === 0
          ? 'in order'
          : `WRONG: ${wrong.map((pair) => pair.join(' ')).join(', ')}`),
    );
  }
}

/**
 * Microseconds that a completion takes at least, by the CPU time of each thread: as long as the I/O
 * thread, or as one of the workers, or as all of them on the cores that there are.
 * @param {any[]} runs
 */
function leastMicroseconds(runs) {
  const medianOf = (name) => spread(runs.map((item) => item[name])).median;
  return Math.max(
    medianOf('ioMicroseconds'),
    medianOf('workerMicroseconds') / runs[0].workers,
    medianOf('allMicroseconds') / cores,
  );
}

const ratios = [];
const [least, ...others] = [...workerCounts].sort((a, b) => a - b);
for (const source of sources) {
  const of = (workers) =>
    results.filter((result) => result.source === source && result.workers === workers);
  const base = of(Number(least));
  for (const workers of others) {
    const rates = (runs) => runs.map((item) => item.completionsPerSecond);
    const ratio = ratioByRound(rates(of(workers)), rates(base));
    if (ratio === undefined) continue;
    const byCpu = leastMicroseconds(base) / leastMicroseconds(of(workers));
    ratios.push({ source, workers, against: least, ratio, byCpu });
    const isPromised = workers === 2 && least === 1;
    const othersHad = [...of(workers), ...base].map((run) => run.othersCores);
    const isDisturbed = spread(othersHad).median > DISTURBED_CORES;
    console.log(
      `${source} (${WHAT[source]}): ${workers} workers against ${least}: ${ratio.median.toFixed(2)} ` +
        `(${ratio.min.toFixed(2)} to ${ratio.max.toFixed(2)}, ${ratio.count} rounds)` +
        `; by the CPU time of each ${byCpu.toFixed(2)} on ${cores} cores` +
        (isPromised && !isDisturbed ? `; at least ${WANTED}: ${verdict(ratio, WANTED)}` : '') +
        (isDisturbed ? '; other programs had the cores: only the ratio by CPU time counts' : ''),
    );
  }
}
if (values.json !== undefined) {
  const machine = { cpu: cpus()[0]?.model, cores, node: process.version };
  const options = { ...values, json: undefined };
  writeFileSync(values.json, `${JSON.stringify({ machine, options, results, ratios }, null, 2)}\n`);
}
