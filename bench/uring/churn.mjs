/**
 * Connections opened, used and closed, one after the other and many at a time: at the end no
 * descriptor, buffer, operation or memory may be left.
 *
 *   node --expose-gc bench/uring/churn.mjs [--connections 1000000] [--warmup 40000]
 *       [--at-once 50] [--backend uring]
 *
 * Client and server are in this one process, each on a port of its own. Every fourth connection
 * is reset by the client, every fourth by the server's doing; the others end cleanly. Addresses
 * in 127.0.0.0/8 take turns, or the lingering ends of old connections would use up the system's
 * ports. Exit 1 if anything is left.
 */
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { connect, line, listen, openPort } from '../../dist/index.js';

/** The host's own memory comes and goes; a leak of 100 bytes a connection is above this from 100,000 on. */
const MEMORY_MOST_BYTES = 8 << 20;
const ADDRESSES = 200;

const { values: options } = parseArgs({
  options: {
    connections: { type: 'string', default: '1000000' },
    warmup: { type: 'string', default: '40000' },
    'at-once': { type: 'string', default: '50' },
    backend: { type: 'string', default: 'uring' },
  },
});
const first = Number(options.warmup);
const total = first + Number(options.connections);
const atOnce = Number(options['at-once']);
if (!(total > first && atOnce > 0)) throw new Error('--connections, --at-once: above 0');

const descriptors = () => readdirSync('/proc/self/fd').length;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function resident() {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  return process.memoryUsage.rss();
}

const before = descriptors();
const ports = [
  await openPort({ backend: options.backend }),
  await openPort({ backend: options.backend }),
];
const server = await listen({
  on: ports[0],
  host: '0.0.0.0',
  port: 0,
  backlog: 4096,
  framing: line(),
  message(connection, bytes) {
    connection.send(bytes);
    if (bytes.length % 4 === 3) connection.end();
  },
  error() {},
});

let opened = 0;
let wrong = 0;

async function one(number) {
  const text = 'x'.repeat(1 + (number % 64));
  let answered;
  const answer = new Promise((resolve) => {
    answered = resolve;
  });
  const connection = await connect({
    on: ports[1],
    host: `127.0.0.${1 + (number % ADDRESSES)}`,
    port: server.address.port,
    framing: line(),
    message: (_connection, bytes) => answered(bytes.length),
    close: () => answered(-1),
    error() {},
  });
  connection.send(text);
  if ((await answer) !== text.length) wrong++;
  if (text.length % 4 === 0) connection.abort();
  else if (text.length % 4 !== 3) connection.close();
  await connection.closed.catch(() => {});
}

async function lane(until) {
  while (opened < until) await one(opened++);
}

const run = (until) => Promise.all(Array.from({ length: atOnce }, () => lane(until)));

// What is allocated once is there after some of them, and compilers are done.
await run(first);
await sleep(200);
const least = resident();
const started = performance.now();
await run(total);
const seconds = (performance.now() - started) / 1000;
await sleep(500);
const growth = resident() - least;

const problems = [];
const expect = (name, value, most) => {
  console.log(`${name.padEnd(36)} ${value}`);
  if (value > most) problems.push(name);
};
console.log(`${total - first} connections, ${Math.round((total - first) / seconds)} a second`);
expect('answers that were wrong', wrong, 0);
expect('memory grown after the warm-up, KiB', Math.round(growth / 1024), MEMORY_MOST_BYTES / 1024);
for (const [index, port] of ports.entries()) {
  const { connections, operationsInFlight, buffersInUse, backend } = port.statistics();
  const name = index === 0 ? 'server' : 'client';
  const listeners = index === 0 ? 1 : 0;
  expect(`${name}: connections and listeners`, connections, listeners);
  expect(`${name}: operations in flight`, operationsInFlight, listeners);
  expect(`${name}: buffers in use`, buffersInUse, 0);
  if (backend.socketsOpen !== undefined) expect(`${name}: sockets`, backend.socketsOpen, listeners);
  if (backend.stale !== undefined)
    console.log(`${name}: stale completions`.padEnd(37), backend.stale);
}
for (const port of ports) {
  for (const [name, count] of Object.entries(await port.close())) {
    if (count !== 0) problems.push(`left over by a port: ${count} ${name}`);
  }
}
await sleep(50);
// The host's event loop opens a few with its first watch, and keeps them.
expect('descriptors more than at the start', descriptors() - before, 2);
if (problems.length > 0) {
  console.log(`LEFT: ${problems.join('; ')}`);
  process.exitCode = 1;
}
