/** `overlapped bench echo` as it is built: what it prints, writes and ends with. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkResult } from '../../bench/report/check.ts';
import type { BenchmarkResult } from '../../bench/report/model.ts';
import { type Outcome, runCli } from '../cli/run-cli.ts';

let folder = '';
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'overlapped-bench-echo-'));
});
test.after(async () => {
  await rm(folder, { recursive: true });
});

const SHORT = ['--rounds', '2', '--seconds', '0.05', '--warmup', '0.02'];
const bench = (...args: string[]): Promise<Outcome> => runCli(['bench', 'echo', ...args]);

async function readResult(file: string): Promise<BenchmarkResult> {
  return checkResult(JSON.parse(await readFile(file, 'utf8')));
}

test('the table, the file for machines and the page', async () => {
  const json = join(folder, 'echo.json');
  const report = join(folder, 'echo.html');
  const servers = 'node-net-cork,overlapped-net-batch';
  const choice = ['--quick', ...SHORT, '--servers', servers, '--workloads', '2x3,2x2x70000'];
  const { exit, stdout, stderr } = await bench(...choice, '--json', json, '--report', report);
  assert.is(exit, 0, stderr);
  assert.match(stdout, /## 2 connections × 2 in flight, 70,000 B/);
  assert.match(stdout, /overlapped net, batch \/ node:net, framed by hand \(cork\)/);
  const result = await readResult(json);
  assert.is(result.kind, 'echo');
  assert.equal(
    result.groups.map(({ id }) => id),
    ['2x3', '2x2x70000'],
  );
  for (const { rows } of result.groups) {
    assert.equal(
      rows.map(({ name }) => name),
      ['node:net, framed by hand (cork)', 'overlapped net, batch'],
    );
    for (const { figures, failed } of rows) {
      assert.is(failed, undefined);
      assert.is(figures.rate?.samples, 2);
      assert.ok(Number(figures.rate?.median) > 0);
      assert.ok(Number(figures.p99?.median) >= Number(figures.p50?.median));
    }
  }
  assert.is(result.ratios.filter(({ measure }) => measure === 'rate').length, 2);
  assert.ok(result.notes.some(({ subject }) => subject === 'load'));
  assert.match(await readFile(report, 'utf8'), /<html[\s\S]*node:net, framed by hand/);
});

test('without a compiler the load is JavaScript, and the result says so', async () => {
  const json = join(folder, 'javascript.json');
  const { exit, stderr } = await runCli(
    [
      ...['bench', 'echo', '--quick', ...SHORT, '--workloads', '2x3', '--json', json],
      ...['--servers', 'node-net-cork,ws,c-epoll'],
    ],
    'node',
    { CC: 'a-compiler-that-is-not-there', ...(await freshCache()) },
  );
  assert.is(exit, 0, stderr);
  const { notes, groups, machine } = await readResult(json);
  const noteOf = (subject: string) => notes.find((note) => note.subject === subject);
  assert.match(noteOf('load')?.text ?? '', /the one in JavaScript \(no C compiler/);
  assert.match(noteOf('ws')?.text ?? '', /needs the load generator in C/);
  assert.match(noteOf('C, epoll, raw')?.text ?? '', /no C compiler/);
  assert.ok(machine.remarks?.includes('load in JavaScript'));
  assert.equal(
    groups[0]?.rows.map(({ name }) => name),
    ['node:net, framed by hand (cork)'],
  );
});

test('a server that drops a byte fails the run, in the result and in the exit code', async () => {
  const file = join(folder, 'dropping.mjs');
  const json = join(folder, 'dropping.json');
  await writeFile(
    file,
    `import { createServer } from 'node:net';
    let chunks = 0;
    const server = createServer((socket) => {
      socket.on('data', (chunk) => socket.write(++chunks === 20 ? chunk.subarray(1) : chunk));
      socket.on('error', () => {});
    });
    server.listen(0, '127.0.0.1', () => console.log('listening ' + server.address().port));`,
  );
  const servers = ['--servers', `${file},node-net-raw`, '--workloads', '2x3'];
  const { exit, stdout } = await bench('--quick', ...SHORT, ...servers, '--json', json);
  assert.is(exit, 1);
  assert.match(stdout, /FAILED: dropping\.mjs, 2x3: round 1: load: connection \d+: message/);
  const { groups, notes } = await readResult(json);
  const [dropping, honest] = groups[0]?.rows ?? [];
  assert.match(dropping?.failed ?? 'it passed', /byte \d+ is \d+ instead of \d+/);
  assert.equal(dropping?.figures, {});
  assert.is(honest?.failed, undefined);
  assert.is(notes.filter(({ kind }) => kind === 'failed').length, 2);
});

test('growth: curves over the points that were asked for', async () => {
  const json = join(folder, 'growth.json');
  const choice = ['--growth', '--quick', '--axes', 'size', '--servers', 'overlapped-net-batch'];
  const { exit, stdout, stderr } = await bench(...choice, ...SHORT, '--json', json);
  assert.is(exit, 0, stderr);
  assert.match(stdout, /## Message size: server CPU time a message/);
  const { kind, curves } = await readResult(json);
  assert.is(kind, 'growth');
  const data = curves.find(({ id }) => id === 'size-data');
  assert.equal(
    data?.series[0]?.points.map(([x]) => x),
    [64, 16_384, 2 ** 20],
  );
});

test('wrong options end with 2 and name what there is', async () => {
  const wrong: [string[], RegExp][] = [
    [['--servers', 'none'], /no server none; there are c-epoll/],
    [['--workloads', '5'], /a workload is CONNECTIONSxIN_FLIGHT/],
    [['--growth', '--axes', 'heat'], /no axis heat; there are connections/],
    [['--rounds', '0'], /--rounds: '0' is not allowed/],
    [['--load', 'rust'], /allowed: c, javascript/],
    [['--json'], /--json: no value is not allowed/],
    [['--heat'], /unknown option --heat/],
  ];
  for (const [args, message] of wrong) {
    const { exit, stderr } = await bench(...args);
    assert.is(exit, 2, args.join(' '));
    assert.match(stderr, message);
  }
});

test('the list names every server, and why one cannot run', async () => {
  const { exit, stdout } = await bench('--list');
  assert.is(exit, 0);
  assert.match(stdout, /^c-epoll +/m);
  assert.match(stdout, /^overlapped-iocp-batch +(left out: .+|overlapped iocp, batch)$/m);
});

const isWineHere = process.platform === 'linux';

(isWineHere ? test : test.skip)('the servers in Wine are listed by the same command', async () => {
  const { exit, stdout } = await bench('--wine', '--list');
  assert.is(exit, 0);
  assert.match(stdout, /^overlapped-iocp-batch@bun +overlapped iocp, batch, in Bun$/m);
  assert.is((await bench('--list', '--wine')).exit, 2);
});

(isWineHere ? test : test.skip)('a mistake in the options for Wine is told in a line', async () => {
  for (const mistake of [['--json'], ['--rounds'], ['--no-such'], ['stray']]) {
    const { exit, stderr } = await bench('--wine', ...mistake);
    assert.is(exit, 2, stderr);
    assert.match(stderr, /^bench\/echo\/wine: [^\n]+\n$/);
  }
});

/** Programs compiled before must not be found: a temporary folder of its own. */
async function freshCache(): Promise<NodeJS.ProcessEnv> {
  return { OVERLAPPED_BENCH_CACHE: await mkdtemp(join(folder, 'cache-')) };
}

test.run();
