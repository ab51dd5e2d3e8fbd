/**
 * An echo server that also keeps a timer of 10 ms, and writes how late that was, as a line of
 * JSON, to the file that the variable LATENESS_FILE names, once its last connection has closed.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { lengthField, listen } from '../../dist/index.js';

const PERIOD_MS = 10;
const lateness = [];
let open = 0;
let due = 0;
let timer;

function next() {
  due = performance.now() + PERIOD_MS;
  timer = setTimeout(() => {
    lateness.push(Math.max(0, performance.now() - due));
    next();
  }, PERIOD_MS);
}

function report() {
  clearTimeout(timer);
  lateness.sort((a, b) => a - b);
  const at = (part) => lateness[Math.min(lateness.length - 1, Math.floor(part * lateness.length))];
  const file = process.env.LATENESS_FILE;
  const text = { count: lateness.length, median: at(0.5), p99: at(0.99), greatest: at(1) };
  // Whole at once: somebody looks for it.
  writeFileSync(`${file}.new`, JSON.stringify(text));
  renameSync(`${file}.new`, file);
}

const server = await listen({
  backend: process.env.BACKEND,
  framing: lengthField({ size: 2, endian: 'little', includesHeader: true }),
  open() {
    if (open++ === 0) next();
  },
  close() {
    if (--open === 0) report();
  },
  messages(batch) {
    for (let i = 0; i < batch.length; i++) batch.echo(i);
  },
  error(_connection, error) {
    console.error(error);
  },
});
console.log(`listening ${server.address.port}`);
