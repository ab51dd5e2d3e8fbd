/**
 * The end of a process while a thread waits for packets, or while nothing keeps
 * the process alive: at once, with its own exit code. (Node joins its threads as
 * it exits, so one that waits without a limit would keep it for ever.)
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EXIT_CASES } from '../support/exit-cases.ts';
import { type FileOutcome, startFileProgram } from './file-program.ts';
import { type Installed, install } from './package-copy.ts';

const test = suite<{ installed: Installed }>('the end of a process');
test.before(async (context) => {
  context.installed = await install();
});
test.after(({ installed }) => installed.remove());

/** What all programs begin with: two open ends of a connection, and a port that has nothing to do. (By its path: Bun takes the
 * name for the repository's, in whose folder this is.) */
const BEGIN = `
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, line, listen, openPort } from './node_modules/overlapped/dist/index.js';
const port = await openPort({ backend: 'iocp' });
const server = await listen({ on: port, port: 0, host: '127.0.0.1', framing: line(), message() {} });
const waits = () => port.statistics().backend.waits;
const asleep = async () => {
  const before = waits();
  for (let i = 0; i < 100 && waits() === before; i++) await sleep(10);
  // Until the thread is in the kernel.
  await sleep(100);
};
const client = await connect({ on: port, host: '127.0.0.1', port: server.address.port, framing: line() });
console.log('open');
`;

async function run({ folder }: Installed, name: string, end: string): Promise<FileOutcome> {
  const path = join(folder, `${name}.mjs`);
  await writeFile(path, `${BEGIN}${end}\n`);
  const program = await startFileProgram(process.execPath, [path]);
  return program.ended;
}

for (const [index, { title, end, exit, stdout, stderr }] of EXIT_CASES.entries()) {
  test(title, async ({ installed }) => {
    const outcome = await run(installed, `case-${index}`, end);
    assert.is(outcome.exit, exit, `${outcome.stdout}${outcome.stderr}`);
    assert.is(outcome.stdout, stdout);
    assert.match(outcome.stderr, stderr);
  });
}

test.run();
