/**
 * The end of a process whose workers share a completion port: at once, with its
 * own exit code, whether they sleep, and a thread waits for them, or are at work.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startFileProgram } from './file-program.ts';
import { type Installed, install } from './package-copy.ts';

const test = suite<{ installed: Installed }>('the end of a process with workers');
test.before(async (context) => {
  context.installed = await install();
});
test.after(({ installed }) => installed.remove());

const HANDLERS = `
export function message(connection, bytes) {
  if (bytes.length === 1) for (;;);
  connection.send(bytes);
}
`;

/** What all programs begin with: a server whose workers have served a client, and sleep by now. */
const BEGIN = `
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, line, listen } from './node_modules/overlapped/dist/index.js';
const server = await listen({
  backend: 'iocp',
  port: 0,
  host: '127.0.0.1',
  workers: 2,
  scheduling: 'shared',
  handlers: new URL('./handlers.mjs', import.meta.url),
  framing: line(),
});
let answers = 0;
const client = await connect({
  backend: 'net',
  host: '127.0.0.1',
  port: server.address.port,
  framing: line(),
  message() { answers++; },
});
for (let i = 0; i < 50; i++) client.send('hello');
while (answers < 50) await sleep(1);
await sleep(100);
console.log('served');
`;

const CASES = [
  { title: 'process.exit while all workers sleep', end: 'process.exit(7);', exit: 7 },
  {
    title: 'process.exit while workers are at work',
    end: `for (let i = 0; i < 5000; i++) client.send('hello');
await sleep(1);
process.exit(7);`,
    exit: 7,
  },
  {
    title: 'process.exit while a handler does not return',
    end: `client.send('x');
await sleep(50);
process.exit(7);`,
    exit: 7,
  },
  {
    title: 'the end of all work',
    end: 'client.end(); const left = await server.close(); process.exitCode = Object.values(left).some((n) => n !== 0) ? 1 : 5;',
    exit: 5,
  },
];

for (const [index, { title, end, exit }] of CASES.entries()) {
  test(title, async ({ installed: { folder } }) => {
    await writeFile(join(folder, 'handlers.mjs'), HANDLERS);
    const path = join(folder, `workers-${index}.mjs`);
    await writeFile(path, `${BEGIN}${end}\n`);
    const program = await startFileProgram(process.execPath, [path]);
    const outcome = await program.ended;
    assert.is(outcome.exit, exit, `${outcome.stdout}${outcome.stderr}`);
    assert.match(outcome.stdout, /served/);
  });
}

test.run();
