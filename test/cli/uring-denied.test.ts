/** Where the kernel refuses io_uring, `auto` takes another backend and says why. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { probe } from '../../backends/uring/index.ts';
import { environment } from '../support/environment.ts';
import { findHost, HOST_NAMES, HOSTS, startProgram } from './run-cli.ts';

interface Report {
  readonly name: string;
  readonly available: boolean;
  readonly reason?: string;
}

/** What a kernel says, and a word of how it is told to a person. */
const REFUSALS = [
  [1, /forbidden.*seccomp/],
  [38, /has no io_uring/],
  [12, /locked/],
  [22, /too old/],
] as const;

const test = suite('uring denied');
const isLinux = process.platform === 'linux';
const { available } = await probe();
let folder = '';
let deny = '';

test.before(async () => {
  if (!isLinux) return;
  folder = await mkdtemp(join(tmpdir(), 'overlapped-deny-'));
  const program = join(folder, 'deny');
  try {
    await promisify(execFile)('gcc', [
      '-O1',
      '-Wall',
      '-Werror',
      '-o',
      program,
      'test/native/deny.c',
    ]);
    deny = program;
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOENT' || environment('CI') === 'true')
      throw error;
    console.log('not tried: gcc is not installed');
  }
});

test.after(async () => {
  if (folder !== '') await rm(folder, { recursive: true, force: true });
});

async function info(host: (typeof HOST_NAMES)[number], errno: number) {
  const program = (await findHost(host)) as string;
  const argv = [String(errno), program, ...HOSTS[host].slice(1), 'dist/cli.js', 'info', '--json'];
  const { exit, json, stderr } = await startProgram(deny, argv).ended;
  assert.is(exit, 0, stderr);
  return json as { backends: Report[]; default: unknown };
}

for (const host of HOST_NAMES) {
  for (const [errno, words] of REFUSALS) {
    test(`${host}: error ${errno} is said in words, and another backend is taken`, async () => {
      if (deny === '' || (await findHost(host)) === undefined) return;
      const { backends, default: chosen } = await info(host, errno);
      const uring = backends.find(({ name }) => name === 'uring');
      assert.is(uring?.available, false);
      assert.match(uring?.reason ?? '', words);
      const text = JSON.stringify(chosen);
      assert.match(text, host === 'bun' ? /bun/ : /net/);
    });
  }
}

test('allowed, it is what auto takes', async () => {
  if (deny === '' || !available) return;
  const program = process.execPath;
  const { json } = await startProgram(program, ['dist/cli.js', 'info', '--json']).ended;
  assert.match(JSON.stringify(json), /"name":"uring","available":true/);
});

test.run();
