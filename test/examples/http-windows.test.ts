/** The HTTP example on completion ports, in Node for Windows in Wine, asked by curl and Chromium from Linux. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FLAGS } from '../hosts/chromium.ts';
import { findProgram, killTree, start } from '../hosts/process.ts';
import type { FileProgram } from '../windows/file-program.ts';
import { findWine, Wine } from '../windows/wine.ts';
import { testWith } from './run-example.ts';

const run = promisify(execFile);
const HOST = 'windows-node20';

interface Hello {
  readonly url: string;
  readonly port: number;
  readonly server: FileProgram;
}

/** Runs the example, whose end is no part of the test: no signal reaches it in Wine. */
async function withServer(wine: string, work: (hello: Hello) => Promise<void>): Promise<void> {
  const installed = await Wine.open(wine);
  try {
    const info = await (await installed.cli(HOST, ['info', '--json'])).ended;
    assert.is((info.json?.default as { name: string } | undefined)?.name, 'iocp', info.stderr);
    const script = join(installed.folder, 'http-hello.mjs');
    const esbuild = (await findProgram('esbuild')) as string;
    await run(esbuild, [
      join('examples', 'http-hello.ts'),
      `--outfile=${script}`,
      '--log-level=warning',
    ]);
    const server = await installed.start(HOST, script, []);
    const [, url, port] = await server.output(/^(http:\/\/127\.0\.0\.1:(\d+)\/)$/m);
    await work({ url: url as string, port: Number(port), server });
    // It is still there, and has said nothing but what it should.
    assert.is(server.child.exitCode, null);
    server.child.kill('SIGKILL');
    assert.is((await server.ended).stderr, '');
  } finally {
    await installed.close();
  }
}

async function testInWine(
  needs: readonly string[],
  install: string,
  name: string,
  work: (hello: Hello, programs: readonly string[]) => Promise<void>,
): Promise<void> {
  const wine = await findWine();
  if (wine === undefined) {
    const what = `${name}: Wine is not installed (apt-get install wine wine64)`;
    if (process.env.CI === 'true' && process.platform === 'linux') {
      test(name, () => {
        throw new Error(what);
      });
    } else test.skip(what);
    return;
  }
  await testWith(needs, install, name, (programs) =>
    withServer(wine, (hello) => work(hello, programs)),
  );
}

await testInWine(
  ['curl'],
  'apt-get install curl',
  'curl, on completion ports: pages, HEAD, 404, one connection for two pages',
  async ({ url }, [curl]) => {
    const get = async (...argv: string[]) =>
      (await run(curl as string, ['--silent', '--show-error', '--max-time', '60', ...argv])).stdout;
    assert.is(await get(`${url}hello`), 'Hello!');
    assert.match(await get(url), /Hello, browser!/);
    const code = ['--output', '/dev/null', '--write-out', '%{http_code} %{num_connects}\n'];
    assert.is(await get(...code, `${url}nowhere`), '404 1\n');
    assert.match(await get('--head', `${url}hello`), /^HTTP\/1\.1 200 OK\r\n/);
    const twice = [...code, `${url}hello`, ...code, `${url}`];
    assert.is(await get(...twice), '200 1\n200 0\n');
    assert.is(await get('-H', 'Connection: close', ...twice), '200 1\n200 1\n');
    assert.is(await get(...code, '--data', 'body', `${url}hello`), '501 1\n');
  },
);

await testInWine(
  [],
  '',
  'resets behind requests, on completion ports, harm nobody',
  async ({ port, url }) => {
    const request = 'GET /hello HTTP/1.1\r\nHost: a\r\n\r\n';
    for (let round = 0; round < 60; round++) {
      const socket = createConnection(port, '127.0.0.1').on('error', () => {});
      await new Promise<void>((resolve) =>
        socket.write(request.repeat(1 + round), () => resolve()),
      );
      if (round % 3 === 0) socket.resetAndDestroy();
      else setTimeout(() => socket.resetAndDestroy(), round % 3);
      await once(socket, 'close');
    }
    const answer = await fetch(`${url}hello`, { headers: { connection: 'close' } });
    assert.is(await answer.text(), 'Hello!');
  },
);

await testInWine(
  ['chromium'],
  'apt-get install chromium',
  'Chromium, on completion ports: a page makes 50 requests, one after the other',
  async ({ url, server }, [chromium]) => {
    const profile = await mkdtemp(join(tmpdir(), 'overlapped-chromium-'));
    const abort = new AbortController();
    const argv = [...FLAGS, `--user-data-dir=${profile}`, `${url}loop`];
    const browser = start(chromium as string, argv, abort.signal);
    browser.stdout?.resume();
    browser.stderr?.resume();
    const closed = once(browser, 'close');
    try {
      const [line] = await server.output(/^200 GET \/report\?good=\d+$/m);
      assert.is(line, '200 GET /report?good=50');
    } finally {
      killTree(browser);
      await closed;
      await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    }
  },
);

test.run();
