/**
 * How late a timer of 10 ms is while an echo server answers as fast as it can.
 *
 *   node bench/uring/timer.mjs [--seconds 3] [--rounds 3] [--workloads 50x16,500x4]
 *       [--backends uring,net]
 *
 * Wanted of `uring`: at most 1 ms late at the median, 15 ms at the 99th percentile. Server and
 * load are pinned to a core each, as in bench/echo.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compile, loadSource } from '../echo/compile.mjs';
import { canPin, runLoad, startServer } from '../echo/processes.mjs';
import { describeMachine, printMachine, printTable, progress, range } from '../echo/report.mjs';
import { loadArguments, parseSettings, parseWorkload } from '../echo/rounds.mjs';
import { spread, verdict } from '../echo/statistics.mjs';

const WANTED_MS = { median: 1, p99: 15 };
const REPORT_LIMIT_MS = 5000;

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    workloads: { type: 'string', default: '50x16,500x4' },
    backends: { type: 'string', default: 'uring,net' },
  },
});

const program = fileURLToPath(new URL('./timer-server.mjs', import.meta.url));
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function readReport(file) {
  for (const end = Date.now() + REPORT_LIMIT_MS; Date.now() < end; await sleep(50)) {
    try {
      return JSON.parse(readFileSync(file, 'utf8'));
    } catch {
      // Its connections are not closed yet.
    }
  }
  throw new Error('the server said nothing of its timer');
}

async function measure(load, backend, workload, settings, file) {
  const cores = canPin ? { server: 0, load: 1 } : {};
  const env = { BACKEND: backend, LATENESS_FILE: file };
  const server = await startServer([process.execPath, program], { core: cores.server, env });
  try {
    const args = loadArguments(server.port, workload, { ...settings, size: 64 });
    const { messagesPerSecond } = await runLoad(load, args, { core: cores.load });
    return { messagesPerSecond, ...(await readReport(file)) };
  } finally {
    rmSync(file, { force: true });
    await server.stop();
  }
}

async function main() {
  const { seconds, rounds } = parseSettings({ seconds: options.seconds, rounds: options.rounds });
  const settings = { seconds, warmup: 0.5 };
  const load = compile(loadSource);
  printMachine(describeMachine());
  const folder = mkdtempSync(join(tmpdir(), 'overlapped-timer-'));
  const rows = [['backend', 'load', 'messages/s', 'median late, ms', '99th percentile', 'wanted']];
  try {
    for (const workload of options.workloads.split(',').map(parseWorkload)) {
      for (const backend of options.backends.split(',')) {
        const runs = [];
        for (let round = 0; round < rounds; round++) {
          progress(`${workload.text}  ${backend}  ${round + 1}/${rounds}`);
          const file = join(folder, 'lateness.json');
          runs.push(await measure(load, backend, workload, settings, file));
        }
        const of = (name) => spread(runs.map((run) => run[name]));
        const two = (value) => value.toFixed(2);
        const verdicts = ['median', 'p99'].map((name) =>
          verdict(of(name), WANTED_MS[name], 'most'),
        );
        rows.push([
          backend,
          workload.text,
          range(of('messagesPerSecond'), (value) => value.toFixed(0)),
          range(of('median'), two),
          range(of('p99'), two),
          backend === 'uring' ? verdicts.join(', ') : '',
        ]);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  progress('');
  printTable(rows);
}

try {
  await main();
} catch (error) {
  console.error(`bench/uring: ${error.message}`);
  process.exitCode = 2;
}
