/** `overlapped stress` as a process, in every host. */
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findHost, HOST_NAMES, runCli } from './run-cli.ts';

interface Run {
  readonly lock: boolean;
  readonly corrupt: number;
  readonly whole: number;
  readonly broken: number;
}

for (const host of HOST_NAMES) {
  if ((await findHost(host)) === undefined) continue;

  test(`recv and senders in ${host}`, async () => {
    const recv = ['--experiment', 'recv', '--slices', '3000', '--seed', '7', '--protocol', 'tcp'];
    const { exit, json, stderr } = await runCli(['stress', '--json', ...recv], host);
    assert.is(exit, 0, stderr);
    assert.equal([json?.experiment, json?.held, json?.seed], ['recv', true, 7]);
    const [off, on] = (json?.runs ?? []) as Run[];
    assert.equal([off?.lock, on?.lock, on?.corrupt], [false, true, 0]);
    assert.ok((off?.corrupt ?? 0) > 0);

    const senders = ['--experiment', 'senders', '--packets', '2000', '--lock', 'on'];
    const sent = await runCli(['stress', '--json', ...senders], host);
    assert.is(sent.exit, 0, sent.stderr);
    const runs = (sent.json?.runs ?? []) as Run[];
    assert.equal(
      runs.map(({ lock, whole, broken }) => [lock, whole, broken]),
      [[true, 2000, 0]],
    );
  });
}

test('a table for people, and progress beside it', async () => {
  const argv = ['stress', '--experiment', 'locks', '--workers', '1,2', '--connections', '1,100'];
  const { exit, stdout, stderr } = await runCli([...argv, '--cell-ms', '120']);
  assert.is(exit, 0, stderr);
  assert.match(stdout, /workers +connections +lock socket +lock stripes:16 +lock all/);
  assert.match(stdout, /^ +2 +100 +[\d.]+ +[\d.]+ +[\d.]+$/m);
  assert.match(stdout, /^Recommended: --lock (?:socket|stripes:16|all)\.$/m);
  assert.match(stderr, /\d+ of 12 cells measured/);
});

test('order: a line for each combination, with its effect', async () => {
  const argv = ['stress', '--experiment', 'order', '--packets', '10000', '--seed', '9'];
  const { exit, stdout, stderr } = await runCli(argv);
  assert.is(exit, 0, stdout + stderr);
  assert.match(stdout, /^ +all on +10,000 +10,000 +0 +0 +0 +0 .* clean +yes$/m);
  assert.match(stdout, /^ +pool order off, whole echo .* sequence mismatches only +yes$/m);
  assert.match(stdout, /^ +write order off .* mixed writes +yes$/m);
  assert.match(stdout, /as expected \(--seed 9\)/);
});

test('close: what happened, and that nothing is left', async () => {
  const argv = ['stress', '--json', '--experiment', 'close', '--seconds', '1', '--threads', '2'];
  const { exit, json, stderr } = await runCli([...argv, '--clients', '8', '--backend', 'net']);
  assert.is(exit, 0, stderr);
  assert.ok(json?.held);
  assert.is(json?.opens, json?.closes);
  assert.equal(json?.left, {
    operations: 0,
    handles: 0,
    lent: 0,
    buffers: 0,
    connections: 0,
    terminated: 0,
  });
});

test('one that does not end in time is told to, and is not well', async () => {
  const argv = ['stress', '--json', '--experiment', 'recv', '--slices', '100000000'];
  const limit = ['--seconds', '1', '--protocol', 'udp'];
  const { exit, json, stderr } = await runCli([...argv, ...limit]);
  assert.is(exit, 1);
  assert.is(json?.held, false, stderr);
});

test('mistakes', async () => {
  for (const [argv, text] of [
    [[], '--experiment: is missing; there are order, recv'],
    [['--experiment', 'chaos'], "--experiment: 'chaos' is not one; there are order, recv"],
    [['--experiment', 'locks', '--workers', '1,0'], '--workers'],
    [['--experiment', 'senders', '--size', '100-20'], '--size'],
    [['--experiment', 'recv', '--backend', 'net'], '--backend'],
  ] as const) {
    const { exit, stderr } = await runCli(['stress', ...argv]);
    assert.is(exit, 2, stderr);
    assert.match(stderr, text);
  }
  if (process.platform !== 'win32') {
    const windows = await runCli(['stress', '--experiment', 'recv', '--backend', 'iocp']);
    assert.is(windows.exit, 3);
    assert.match(windows.stderr, 'NOT_SUPPORTED');
  }
});

test.run();
