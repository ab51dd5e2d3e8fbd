// @ts-check
/**
 * Resident memory of a server that holds many idle connections: this package over `net`
 * against plain node:net.
 *
 *   node bench/memory/idle.mjs [--connections 10000] [--rounds 3] [--backend net] [--json FILE]
 *
 * The connections are held by a process of their own. VmRSS is read before the first and after
 * the last connection, after a garbage collection (a signal asks the server for it), so that
 * it counts what is held and not what waits to be collected. Rounds are interleaved.
 * "Per connection" is the growth divided by the connections; the promise is about the total.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startServer, withFiles } from '../echo/processes.mjs';
import { describeMachine, printMachine, printTable, progress, range } from '../echo/report.mjs';
import { ratioByRound, spread, verdict } from '../echo/statistics.mjs';

const PROMISED_AT_MOST = 1.2;
/** Over `uring` alone, 10,000 connections: memory above the empty server, and CPU while nothing happens. */
const WANTED_URING = { connections: 10_000, mebibytes: 60, cpuPercent: 0.5 };
/** How long nothing happens. */
const IDLE_MS = 4000;
/** Of the kernel's clock in /proc; the same on all Linux systems. */
const TICKS_A_SECOND = 100;
/** Files a process needs besides its connections. */
const SPARE_FILES = 100;
const CONNECT_LIMIT_MS = 120_000;
const COLLECT_MS = 700;
const COLLECTIONS_MOST = 8;
/** Falling by less than this is settled. */
const SETTLED = 0.995;

const { values: options } = parseArgs({
  options: {
    connections: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '3' },
    backend: { type: 'string', default: 'net' },
    json: { type: 'string' },
  },
});

/** Soft and hard limit of open files, from the kernel's own words; undefined where unknown. */
function fileLimits() {
  try {
    const text = readFileSync('/proc/self/limits', 'utf8');
    const [, soft, hard] = /^Max open files\s+(\w+)\s+(\w+)/m.exec(text) ?? [];
    const number = (/** @type {string | undefined} */ word) =>
      word === 'unlimited' ? Number.POSITIVE_INFINITY : Number(word);
    return { soft: number(soft), hard: number(hard) };
  } catch {
    return undefined;
  }
}

/** @param {number} pid */
function residentKiB(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1]);
  } catch {
    throw new Error('the server ended while it was measured');
  }
}

/**
 * CPU time of a process so far, all its threads, in ms.
 * @param {number} pid
 */
function cpuMs(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // Behind the name, which may contain anything: state is field 3, utime 14, stime 15.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_A_SECOND;
}

const sleep = (/** @type {number} */ ms) => new Promise((done) => setTimeout(done, ms));
const program = (/** @type {string} */ name) =>
  fileURLToPath(new URL(`./${name}`, import.meta.url));

/**
 * Memory once the server has collected its garbage and given pages back: when it no longer falls.
 * @param {number} pid
 */
async function settledKiB(pid) {
  let last = Number.POSITIVE_INFINITY;
  for (let i = 0; i < COLLECTIONS_MOST; i++) {
    process.kill(pid, 'SIGUSR2');
    await sleep(COLLECT_MS);
    const now = residentKiB(pid);
    if (now > last * SETTLED) return Math.min(now, last);
    last = now;
  }
  return last;
}

/**
 * Starts the process that holds the connections; resolves when all are open.
 * @param {number} port
 * @param {number} count
 * @returns {Promise<{stop(): Promise<void>}>}
 */
function holdConnections(port, count) {
  const [command = '', ...args] = withFiles([
    process.execPath,
    program('hold.mjs'),
    String(port),
    String(count),
  ]);
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  };
  return new Promise((resolve, reject) => {
    const fail = (/** @type {string} */ message) => stop().then(() => reject(new Error(message)));
    const timer = setTimeout(() => fail('the connections did not open in time'), CONNECT_LIMIT_MS);
    ended.then((code) => {
      clearTimeout(timer);
      reject(new Error(`the process that holds the connections ended with ${code}`));
    });
    child.stdout.setEncoding('utf8').on('data', (text) => {
      if (!text.includes('open')) return;
      clearTimeout(timer);
      resolve({ stop });
    });
  });
}

/**
 * @param {{file: string, env?: Record<string, string>}} server
 * @param {number} connections
 */
async function measure(server, connections) {
  const command = withFiles([process.execPath, '--expose-gc', program(server.file)]);
  const running = await startServer(command, { env: server.env });
  try {
    const before = await settledKiB(running.pid);
    const clients = await holdConnections(running.port, connections);
    try {
      await sleep(500);
      const after = await settledKiB(running.pid);
      // The collections' own threads come to rest.
      await sleep(500);
      const start = cpuMs(running.pid);
      await sleep(IDLE_MS);
      const cpuPercent = ((cpuMs(running.pid) - start) * 100) / IDLE_MS;
      const growth = after - before;
      return { before, after, growth, cpuPercent, perConnection: (growth * 1024) / connections };
    } finally {
      await clients.stop();
    }
  } catch (error) {
    const said = running.errors().trim();
    const { message } = /** @type {Error} */ (error);
    throw new Error(said ? `${message}\n${said}` : message);
  } finally {
    await running.stop();
  }
}

async function main() {
  if (process.platform !== 'linux') throw new Error('reads /proc: runs on Linux only');
  if (!existsSync(new URL('../../dist/index.js', import.meta.url))) {
    throw new Error('dist/ is not built: npm run build');
  }
  const connections = Number(options.connections);
  const rounds = Number(options.rounds);
  if (!(connections > 0 && rounds > 0)) throw new Error('--connections, --rounds: above 0');
  const limits = fileLimits();
  if (limits !== undefined && limits.hard < connections + SPARE_FILES) {
    const most = limits.hard - SPARE_FILES;
    throw new Error(
      `this system allows ${limits.hard} open files: --connections ${most}, or raise the limit`,
    );
  }
  const ours = `overlapped (${options.backend})`;
  const servers = [
    { name: 'node:net', file: 'node-net.mjs' },
    {
      name: ours,
      file: 'overlapped.mjs',
      env: { BACKEND: options.backend, MAX_CONNECTIONS: String(connections + SPARE_FILES) },
    },
  ];
  const machine = describeMachine();
  printMachine(machine);
  console.log(`${connections} idle connections, ${rounds} rounds, MiB resident\n`);
  /** @typedef {Awaited<ReturnType<typeof measure>>} Run */
  /** @type {Map<string, Run[]>} */
  const runs = new Map(servers.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const server of round % 2 === 0 ? servers : [...servers].reverse()) {
      progress(`round ${round + 1}/${rounds}  ${server.name}`);
      runs.get(server.name)?.push(await measure(server, connections));
    }
  }
  progress('');
  const mebibytes = (/** @type {number} */ kibibytes) => (kibibytes / 1024).toFixed(1);
  const rows = [['server', 'before', 'with the connections', 'bytes a connection', 'CPU idle, %']];
  /** @type {(name: string, key: keyof Run) => number[]} */
  const of = (name, key) => (runs.get(name) ?? []).map((run) => run[key]);
  for (const { name } of servers) {
    rows.push([
      name,
      range(spread(of(name, 'before')), mebibytes),
      range(spread(of(name, 'after')), mebibytes),
      range(spread(of(name, 'perConnection')), (value) => value.toFixed(0)),
      range(spread(of(name, 'cpuPercent')), (value) => value.toFixed(2)),
    ]);
  }
  printTable(rows);
  const total = ratioByRound(of(ours, 'after'), of('node:net', 'after'));
  const growth = ratioByRound(of(ours, 'perConnection'), of('node:net', 'perConnection'));
  if (total === undefined || growth === undefined) throw new Error('no round');
  const two = (/** @type {number} */ value) => value.toFixed(2);
  const reached = verdict(total, PROMISED_AT_MOST, 'most');
  console.log(
    `\ntotal: ${range(total, two)} times node:net (promised: ≤ ${PROMISED_AT_MOST}): ${reached}`,
  );
  console.log(`growth: ${range(growth, two)} times node:net`);
  if (options.backend === 'uring' && connections === WANTED_URING.connections) {
    /** @type {(key: keyof Run, most: number) => string} */
    const wanted = (key, most) => verdict(spread(of(ours, key)), most, 'most');
    const { mebibytes: most, cpuPercent } = WANTED_URING;
    const memory = wanted('growth', most * 1024);
    console.log(`above the empty server (wanted: ≤ ${most} MiB): ${memory}`);
    console.log(`CPU idle (wanted: ≤ ${cpuPercent} %): ${wanted('cpuPercent', cpuPercent)}`);
  }
  if (options.json !== undefined) {
    const all = {
      machine,
      connections,
      rounds,
      runs: Object.fromEntries(runs),
      total,
      growth,
      reached,
    };
    writeFileSync(options.json, `${JSON.stringify(all, undefined, 2)}\n`);
  }
}

try {
  await main();
} catch (error) {
  console.error(`bench/memory: ${/** @type {Error} */ (error).message}`);
  process.exitCode = 2;
}
