/** `overlapped bench micro` as a process. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkResult } from '../../bench/report/check.ts';
import { findHost, runCli } from '../cli/run-cli.ts';
import { chromium } from '../hosts/chromium.ts';

const FILTER = ['--quick', '--filter', 'pool/unshared/256'];

test('help, a list, and mistakes', async () => {
  assert.match((await runCli(['bench', '--help'])).stdout, /^ {2}micro /m);
  const help = await runCli(['bench', 'micro', '--help']);
  assert.is(help.exit, 0);
  assert.match(help.stdout, /--hosts all\|A,B/);
  assert.match((await runCli(['bench', 'micro', '--list'])).stdout, /decode\/line\/64\/whole/);
  for (const argv of [
    ['bench'],
    ['bench', 'nano'],
    ['bench', 'micro', '--hosts', 'nowhere'],
    ['bench', 'micro', '--filter', 'no such case'],
    ['bench', 'micro', '--rounds', '3'],
  ]) {
    assert.is((await runCli(argv)).exit, 2, argv.join(' '));
  }
});

test('a short run in each host that is here: a table, a result, and a page', async () => {
  const hosts = ['node'];
  for (const name of ['bun', 'deno'] as const) {
    if ((await findHost(name)) !== undefined) hosts.push(name);
  }
  if ((await chromium.find()) !== undefined) hosts.push('chromium');
  const folder = await mkdtemp(join(tmpdir(), 'overlapped-test-'));
  try {
    const [json, page] = [join(folder, 'result.json'), join(folder, 'page.html')];
    const files = ['--json', json, '--report', page];
    const argv = ['bench', 'micro', ...FILTER, '--hosts', hosts.join(','), ...files];
    const { exit, stdout, stderr } = await runCli(argv);
    assert.is(exit, 0, stderr);
    assert.match(stdout, /^Pools$/m);
    const result = checkResult(JSON.parse(await readFile(json, 'utf8')));
    assert.is(result.kind, 'micro');
    assert.equal(
      result.hosts.map(({ name }) => name).filter((name) => name !== 'C compiler'),
      hosts,
    );
    for (const host of hosts) {
      assert.match(stdout, new RegExp(`Pool, 256 held, unshared memory +${host} +[\\d.]+ `));
    }
    const checksums = result.groups.flatMap(({ rows }) => rows.map(({ checksum }) => checksum));
    assert.ok(checksums.length >= 3 * hosts.length);
    assert.is(new Set(checksums).size, 1);
    assert.match(await readFile(page, 'utf8'), /Pool, 256 held/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('what is allocated is counted', async () => {
  const argv = ['bench', 'micro', '--allocation', '--messages', '1000000'];
  const { exit, stdout } = await runCli(argv);
  assert.match(stdout, /allocated by the heap profile +[\d,]+ bytes/);
  assert.is(exit, 0, stdout);
});

test.run();
