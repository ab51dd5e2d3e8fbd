/** One run of `shared.mjs`, in a process of its own: prints one line of JSON. */
import { readFileSync } from 'node:fs';
import { fixed, listen } from '../../dist/index.js';
import { handledBy, MESSAGE_BYTES, makeNotes, nextOf, threadsOf, verdictOf } from './checker.mjs';
import { SOURCES } from './sources.mjs';
import { spinMicroseconds } from './spin.mjs';

/** The compilers' and the caches' part, which is not measured. */
const WARM_UP = 0.2;
const SILENCE_MS = 10_000;
const LOOK_MS = 1;
const CLOSE_MS = 10_000;
const RESERVE = 2.2;
/** Of /proc/stat. */
const TICK_MS = 10;

/**
 * @typedef {{source: 'sim' | 'bare', workers: number, connections: number, receives: number,
 *   completions: number, rounds: number}} Task
 * @type {Task}
 */
const task = JSON.parse(String(process.argv[2]));
const { workers, connections, receives, rounds } = task;
const messages = Math.ceil(task.completions / connections);
const total = messages * connections;
const notes = makeNotes(connections, messages, workers);
const handlerMicroseconds = spinMicroseconds(rounds);

const source = SOURCES[task.source]({ connections, messages, receives });
const server = await listen({
  workers,
  scheduling: 'shared',
  handlers: new URL('./handlers.mjs', import.meta.url),
  workerData: { notes, rounds },
  backend: source.backend,
  port: 0,
  backlog: connections,
  framing: fixed(MESSAGE_BYTES),
  receiveDepth: receives,
  receiveBufferBytes: MESSAGE_BYTES,
  receiveBuffers: 2 ** Math.ceil(Math.log2(connections * receives + connections)),
  // Four operation records for each connection that there may be. Receives beyond a connection's
  // first take no more than half of them, and no connection is to wait for one.
  maxConnections: Math.ceil((connections * Math.max(receives, 4) * RESERVE) / 4),
  arenaBytes: 2 ** 24,
});

/** CPU time in milliseconds: of the I/O thread, of each worker, of the process. */
function cpu() {
  const of = (thread) =>
    Number(readFileSync(`/proc/self/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  const { user, system } = process.cpuUsage();
  return {
    io: of(process.pid),
    workers: threadsOf(notes).map(of),
    all: (user + system) / 1000,
  };
}

/** CPU time in milliseconds of everything on this machine. */
function machineCpu() {
  const [, user, nice, system, , , irq, softirq] = String(
    readFileSync('/proc/stat', 'utf8').split('\n', 1)[0],
  )
    .split(/\s+/)
    .map(Number);
  return (Number(user) + Number(nice) + Number(system) + Number(irq) + Number(softirq)) * TICK_MS;
}

const handled = () => handledBy(notes).reduce((sum, count) => sum + count, 0);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** What can be said of a run that has come to a halt. */
async function silence() {
  const late = [...nextOf(notes).entries()].filter(([, next]) => next < messages);
  const { port } = await server.statistics();
  const where = late.slice(0, 8).map(([connection, next]) => ({ connection, next }));
  return JSON.stringify({
    unfinished: late.length,
    where,
    faults: verdictOf(notes),
    source: source.state(late[0]?.[0] ?? 0),
    port,
  });
}

/** @param {number} count */
async function until(count) {
  let before = -1;
  let movedAt = performance.now();
  for (;;) {
    const now = handled();
    if (now >= count)
      return { atMs: performance.now(), count: now, cpu: cpu(), machine: machineCpu() };
    if (now !== before) movedAt = performance.now();
    else if (performance.now() - movedAt > SILENCE_MS) {
      throw new Error(`nothing is handled any more, after ${now} of ${total}: ${await silence()}`);
    }
    before = now;
    await sleep(LOOK_MS);
  }
}

source.open(server.address.port);
const begin = await until(total * WARM_UP);
const end = await until(total);
const each = handledBy(notes);
const { port, workers: seats } = await server.statistics();
source.end();
const leftovers = await server.close({ timeoutMs: CLOSE_MS });

const count = end.count - begin.count;
const seconds = (end.atMs - begin.atMs) / 1000;
/** @param {(cpu: ReturnType<typeof cpu>) => number} of */
const microseconds = (of) => ((of(end.cpu) - of(begin.cpu)) * 1000) / count;
const sum = (values) => values.reduce((all, value) => all + value, 0);
/** Of all workers, from the beginning to the end. @param {'sleeps' | 'wakes'} name */
const told = (name) => sum(seats.map((seat) => seat.port?.backend[name] ?? 0));
console.log(
  JSON.stringify({
    completionsPerSecond: count / seconds,
    seconds,
    count,
    handlerMicroseconds,
    ioMicroseconds: microseconds(({ io }) => io),
    workerMicroseconds: microseconds(({ workers }) => sum(workers)),
    eachWorkerMicroseconds: end.cpu.workers.map((_, index) =>
      microseconds(({ workers }) => workers[index]),
    ),
    // Cores that other programs had meanwhile.
    othersCores: Math.max(
      0,
      (end.machine - begin.machine - (end.cpu.all - begin.cpu.all)) / (seconds * 1000),
    ),
    allMicroseconds: microseconds(({ all }) => all),
    sleeps: told('sleeps'),
    rings: told('wakes'),
    handled: each,
    faults: verdictOf(notes),
    late: port.late ?? 0,
    leftovers,
  }),
);
