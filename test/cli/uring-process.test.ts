/**
 * The backend `uring` in processes of its own, in each host: how they end, alone
 * or asleep; what a limit of descriptors does; that no packet is slept through.
 */
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { probe } from '../../backends/uring/index.ts';
import { CompileError, compile } from '../../bench/echo/compile.mjs';
import { findProgram } from '../hosts/process.ts';
import { environment } from '../support/environment.ts';
import { EXIT_CASES } from '../support/exit-cases.ts';
import { findHost, HOST_NAMES, HOSTS, type HostName, startProgram } from './run-cli.ts';

const test = suite('uring in processes');
const { available } = await probe();
const PACKAGE = pathToFileURL(resolve('dist/index.js')).href;
let folder = '';
let programs = 0;

test.before(async () => {
  // Here, because Deno looks for koffi from where a program lies.
  folder = await mkdtemp(resolve('dist/test-uring-'));
  await chmod(folder, 0o755);
});
test.after(() => rm(folder, { recursive: true, force: true }));

/** Starts a module's text in a host, behind the words of `wrapper`. */
async function start(host: HostName, text: string, wrapper: readonly string[] = []) {
  const path = join(folder, `program-${programs++}.mjs`);
  await writeFile(path, text);
  const program = (await findHost(host)) as string;
  const command = [...wrapper, program, ...HOSTS[host].slice(1), path];
  return startProgram(command[0] as string, command.slice(1), { DENO_NO_UPDATE_CHECK: '1' });
}

// ---------------------------------------------------------------- ends

/** Two open ends of a connection, and a port that has nothing to do. */
const BEGIN = `
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, line, listen, openPort } from '${PACKAGE}';
const port = await openPort({ backend: 'uring' });
const server = await listen({ on: port, port: 0, host: '127.0.0.1', framing: line(), message() {} });
const client = await connect({ on: port, host: '127.0.0.1', port: server.address.port, framing: line() });
// Until it is in the kernel.
const asleep = () => sleep(200);
console.log('open');
`;

for (const host of HOST_NAMES) {
  for (const { title, end, exit, stdout, stderr } of EXIT_CASES) {
    test(`${host}: ${title}`, async () => {
      if (!available || (await findHost(host)) === undefined) return;
      const outcome = await (await start(host, `${BEGIN}${end}\n`)).ended;
      assert.is(outcome.exit, exit, `${outcome.stdout}${outcome.stderr}`);
      assert.is(outcome.stdout, stdout);
      assert.match(outcome.stderr, stderr);
    });
  }
}

// ---------------------------------------------------------------- echo

/** Answers each line; says what it has counted where a line asks. */
const ECHO = `
import process from 'node:process';
import { line, listen } from '${PACKAGE}';
// Deno makes descriptors for signals when it first needs them, and panics if there are none.
process.on('SIGUSR2', () => {});
const server = await listen({
  backend: 'uring', port: 0, host: '127.0.0.1', framing: line(),
  message(connection, bytes) {
    if (bytes[0] !== 0x3f) { connection.send(bytes); return; }
    const { backend, connections, errors } = server.port.statistics();
    connection.send(JSON.stringify({ backend, connections, errors }));
  },
  error() {},
});
console.log('listening ' + server.address.port);
`;

/** For an answer that must come. */
const PATIENCE_MS = 30_000;

class Peer {
  readonly socket: Socket;
  readonly #lines: string[] = [];
  #rest = '';
  #wake: () => void = () => {};

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('error', () => {});
    this.socket.setEncoding('latin1').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() as string;
      this.#lines.push(...lines);
      this.#wake();
    });
  }

  /** The next line; undefined if none comes in time. */
  async line(limitMs = PATIENCE_MS): Promise<string | undefined> {
    const limit = AbortSignal.timeout(limitMs);
    while (this.#lines.length === 0 && !limit.aborted) {
      await new Promise<void>((wake) => {
        this.#wake = wake;
        limit.addEventListener('abort', () => wake(), { once: true });
      });
    }
    return this.#lines.shift();
  }

  async ask(text: string): Promise<string | undefined> {
    this.socket.write(`${text}\n`);
    return this.line();
  }
}

async function portOf(program: Awaited<ReturnType<typeof start>>): Promise<number> {
  return Number((await program.output(/^listening (\d+)$/m))[1]);
}

/** Numbers from 0 to 1 that a seed gives again. */
function randomNumbers(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const ROUNDS = 3000;
/** Gaps around what twenty passes of a loop take: some ends fall into its going to sleep. */
const GAP_MOST_US = 400;

for (const host of HOST_NAMES) {
  test(`${host}: no packet is slept through`, async () => {
    if (!available || (await findHost(host)) === undefined) return;
    const seed = Number(environment('PROPERTY_SEED') ?? Math.floor(Math.random() * 2 ** 31));
    const random = randomNumbers(seed);
    const program = await start(host, ECHO);
    try {
      const port = await portOf(program);
      const peers = Array.from({ length: 3 }, () => new Peer(port));
      for (let round = 0; round < ROUNDS; round++) {
        // Sleeping would round to a millisecond.
        const until = process.hrtime.bigint() + BigInt(Math.floor(random() * GAP_MOST_US * 1000));
        while (process.hrtime.bigint() < until);
        if (random() < 0.01) await sleep(3);
        const count = 1 + Math.floor(random() ** 4 * 20);
        const peer = peers[Math.floor(random() * peers.length)] as Peer;
        peer.socket.write(Array.from({ length: count }, (_, i) => `${round}.${i}\n`).join(''));
        for (let i = 0; i < count; i++) {
          const said = await peer.line();
          assert.is(said, `${round}.${i}`, `replay with PROPERTY_SEED=${seed}`);
        }
      }
      const { backend } = JSON.parse((await peers[0]?.ask('?')) as string);
      // Both were met, else this shows nothing.
      assert.ok(backend.waits > ROUNDS / 100, `slept ${backend.waits} times`);
      assert.ok(backend.waits < ROUNDS, `slept ${backend.waits} times`);
      for (const { socket } of peers) socket.destroy();
    } finally {
      program.child.kill('SIGKILL');
      await program.ended;
    }
  });
}

// ---------------------------------------------------------------- wakes from other threads

const WAKES = 2000;

/** Waits in the kernel, without a limit but the test's own, until the other thread has woken it so often. */
const WAITING = `
import { Worker } from 'node:worker_threads';
import { openPort } from '${PACKAGE}';
import { uring } from '${new URL('uring.js', PACKAGE).href}';
const port = await openPort({ backend: uring({ blocking: true }) });
const { driver } = port;
const turns = new Int32Array(new SharedArrayBuffer(4));
const worker = new Worker(new URL('WAKING', import.meta.url), {
  workerData: { turns, waker: driver.waker },
});
await new Promise((resolve) => worker.once('message', resolve));
let missed = 0;
for (let round = 1; round <= ${WAKES}; round++) {
  Atomics.store(turns, 0, round);
  Atomics.notify(turns, 0);
  if (!driver.wait(10_000)) missed++;
}
const { waits } = driver.counters();
const left = await port.close();
worker.postMessage('closed');
await new Promise((resolve) => worker.once('exit', resolve));
console.log(JSON.stringify({ missed, waits, left }));
`;

/** Wakes it before, while and after it goes to wait. */
const WAKING = `
import { parentPort, workerData } from 'node:worker_threads';
import { openWaker } from '${new URL('uring.js', PACKAGE).href}';
const { turns, waker: number } = workerData;
const waker = await openWaker(number);
parentPort.postMessage('here');
for (let round = 1; round <= ${WAKES}; round++) {
  while (Atomics.load(turns, 0) < round) Atomics.wait(turns, 0, round - 1, 1000);
  const until = performance.now() + (round % 50) / 500;
  while (performance.now() < until);
  waker.wake();
}
parentPort.once('message', () => {
  // Nobody is there any more, and the number may be another file's.
  waker.wake();
  waker.close();
  waker.wake();
  parentPort.close();
});
`;

for (const host of HOST_NAMES) {
  test(`${host}: another thread ends a wait in the kernel`, async () => {
    if (!available || (await findHost(host)) === undefined) return;
    const waking = `waking-${programs++}.mjs`;
    await writeFile(join(folder, waking), WAKING);
    const program = await start(host, WAITING.replace('WAKING', waking));
    const { exit, json, stdout, stderr } = await program.ended;
    assert.is(exit, 0, `${stdout}${stderr}`);
    const { missed, waits, left } = json as { missed: number; waits: number; left: object };
    assert.is(missed, 0);
    // Some found the wake there already; most were waiting.
    assert.ok(waits > WAKES / 4 && waits <= WAKES, `${waits} waits`);
    assert.equal(Object.values(left), [0, 0, 0, 0, 0]);
  });
}

// ---------------------------------------------------------------- descriptors

const LIMIT = 64;
const CLIENTS = 80;
/** A number that so many answers agree in stays: each is a pass of the server's loop. */
const AGREEING = 10;

/** How many connections a server has, the listener not counted, once it takes no more. */
async function settledConnections(peer: Peer | undefined): Promise<number> {
  let last = 0;
  for (let same = 0; same < AGREEING; ) {
    const { connections } = JSON.parse((await peer?.ask('?')) as string);
    same = connections === last ? same + 1 : 0;
    last = connections;
    await sleep(10);
  }
  return last - 1;
}

for (const host of HOST_NAMES) {
  test(`${host}: without a free descriptor accepting pauses, and goes on with one`, async () => {
    if (!available || (await findHost(host)) === undefined) return;
    const prlimit = await findProgram('prlimit');
    if (prlimit === undefined) return;
    const program = await start(host, ECHO, [prlimit, `--nofile=${LIMIT}:${LIMIT}`]);
    try {
      const port = await portOf(program);
      const peers: Peer[] = [];
      for (let i = 0; i < CLIENTS; i++) {
        const peer = new Peer(port);
        await once(peer.socket, 'connect');
        peers.push(peer);
      }
      const served = await settledConnections(peers[0]);
      assert.ok(served > 8 && served < LIMIT, `${served} served`);
      // They are taken in their order. Those behind are connected, and nobody hears them.
      for (let i = 0; i < served; i++) assert.is(await peers[i]?.ask(`a${i}`), `a${i}`);
      peers[served]?.socket.write(`a${served}\n`);
      assert.is(await peers[served]?.line(500), undefined);
      // Those that are served stay so.
      assert.is(await peers[0]?.ask('still'), 'still');
      for (const peer of peers.slice(1, served)) peer.socket.destroy();
      // Those behind come in their place; the first has asked already.
      assert.is(await peers[served]?.line(), `a${served}`);
      const last = Math.min(CLIENTS, served + served - 1);
      for (let i = served + 1; i < last; i++) assert.is(await peers[i]?.ask(`b${i}`), `b${i}`);
      for (const peer of peers) peer.socket.destroy();
      // Long after: nothing was lost on the way.
      const late = new Peer(port);
      const said = JSON.parse((await late.ask('?')) as string);
      for (let i = 0; i < 1000 && said.connections > 2; i++) {
        await sleep(20);
        Object.assign(said, JSON.parse((await late.ask('?')) as string));
      }
      assert.is(said.connections, 2);
      assert.is(said.backend.socketsOpen, 2);
      late.socket.destroy();
    } finally {
      program.child.kill('SIGKILL');
      await program.ended;
    }
  });
}

// ---------------------------------------------------------------- locked memory

const MANY_PORTS = `
import { openPort } from '${PACKAGE}';
const ports = [];
try {
  for (let i = 0; i < 60; i++) ports.push(await openPort({ backend: 'uring' }));
} catch (error) {
  console.log(ports.length, error.message);
}
const other = await openPort();
console.log(other.backend.name, other.backend.reason);
await other.close();
for (const port of ports) await port.close();
const again = await openPort({ backend: 'uring' });
await again.close();
console.log('again');
`;

test('where no more memory may be locked it is said in words, `auto` goes on, and a closed port gives it back', async () => {
  const prlimit = await findProgram('prlimit');
  const setpriv = await findProgram('setpriv');
  if (!available || prlimit === undefined || setpriv === undefined) return;
  // Root may lock all there is.
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all'];
  const wrapper = process.getuid?.() === 0 ? [setpriv, ...nobody] : [];
  const program = await start('node', MANY_PORTS, [prlimit, '--memlock=262144:262144', ...wrapper]);
  const { exit, stdout, stderr } = await program.ended;
  // Others may not be let into this folder.
  if (/EACCES|Cannot find module/.test(stderr)) return;
  assert.is(exit, 0, `${stdout}${stderr}`);
  const [limit, other, ...rest] = stdout.split('\n');
  assert.match(limit ?? '', /^[1-9]\d? no memory may be locked .*ulimit/);
  // Who did not ask for it gets another backend, and the reason.
  assert.match(other ?? '', /^net the fastest here .*uring: no memory may be locked/);
  assert.equal(rest, ['again', '']);
});

// ---------------------------------------------------------------- system calls

/** Calls into the kernel for a thousand messages of 50 connections with 16 each. */
const ENTERS_MOST = 30;

test('a thousand messages take a few calls into the kernel', async () => {
  let load: string;
  try {
    load = compile(pathToFileURL(resolve('bench/echo/load.c')));
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return;
  }
  if (!available) return;
  const statistics = join(folder, 'statistics.json');
  const server = startProgram(process.execPath, ['bench/echo/servers/overlapped-batch.mjs'], {
    BACKEND: 'uring',
    STATISTICS_FILE: statistics,
  });
  try {
    const port = await portOf(server);
    const counts = ['50', '16', '64', '1', '--warmup', '0.3'];
    const run = await startProgram(load, ['127.0.0.1', String(port), ...counts]).ended;
    assert.is(run.exit, 0, `${run.stdout}${run.stderr}`);
    let text = '';
    for (let i = 0; i < 1000 && text === ''; i++) {
      await sleep(20);
      text = await readFile(statistics, 'utf8').catch(() => '');
    }
    const { backend } = JSON.parse(text);
    const messages = Number(run.json?.allMessages);
    assert.ok(messages > 1000);
    const calls = ((backend.enters + backend.waits) * 1000) / messages;
    assert.ok(calls <= ENTERS_MOST, `${calls.toFixed(1)} calls for 1,000 messages`);
  } finally {
    server.child.kill('SIGKILL');
    await server.ended;
  }
});

test.run();
