/** The main job, with fewer packets: two processes, and none is left behind. */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findHost, HOST_NAMES, runCli, startCli } from './run-cli.ts';

const run = promisify(execFile);

for (const host of HOST_NAMES) {
  if ((await findHost(host)) === undefined) continue;
  test(`start in ${host}`, async () => {
    const { exit, stdout, stderr, json } = await runCli(
      ['start', '--messages', '1000', '--json'],
      host,
    );
    assert.is(exit, 0, stdout + stderr);
    const { held, load, server } = json as {
      held: boolean;
      load: Record<string, unknown>;
      server: Record<string, unknown>;
    };
    assert.is(held, true);
    assert.equal([load.sent, load.received, load.lost], [1000, 1000, 0]);
    assert.equal([server.messages, server.connections], [1000, 20]);
    assert.match(server.ended as string, /^event /);
  });
}

test('start as a person sees it', async () => {
  const { exit, stdout } = await runCli(['start', '--messages', '500', '--fragments', '3']);
  assert.is(exit, 0);
  assert.match(stdout, /^echo server on 127\.0\.0\.1:\d+, a process of its own\n/);
  assert.match(stdout, /sequence mismatches +0\n +content mismatches +0\n/);
  assert.match(stdout, /lost +0\n/);
  assert.match(stdout, /every message came back once, in order and unchanged\n/);
  assert.match(stdout, /the server ended in order by its event/);
});

async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-o', 'pid=', '--ppid', String(pid)]).catch(() => ({
    stdout: '',
  }));
  return stdout
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(Number);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
  test(`${signal} leaves no server behind`, async () => {
    const running = await startCli(['start', '--messages', '100000000']);
    await running.output(/^echo server on/m);
    const [server] = await childrenOf(running.child.pid as number);
    assert.ok(server !== undefined && isAlive(server));
    running.child.kill(signal);
    const { exit } = await running.ended;
    assert.ok(exit !== 0);
    for (let tries = 0; isAlive(server) && tries < 600; tries++) await sleep(50);
    assert.is(isAlive(server), false);
  });
}

test('a server that dies is a failure, and nothing hangs', async () => {
  const running = await startCli(['start', '--messages', '100000000', '--json']);
  let server: number | undefined;
  while (server === undefined) [server] = await childrenOf(running.child.pid as number);
  await sleep(500);
  process.kill(server, 'SIGKILL');
  const { exit, json } = await running.ended;
  assert.is(exit, 1);
  assert.ok(json?.error !== undefined || json?.held === false);
});

test.run();
