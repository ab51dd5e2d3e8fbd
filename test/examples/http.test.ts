/** The HTTP example against curl, a raw socket and a real browser (R25). */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FLAGS } from '../hosts/chromium.ts';
import { killTree, start } from '../hosts/process.ts';
import { startExample, testWith } from './run-example.ts';

const run = promisify(execFile);

interface Hello {
  readonly url: string;
  readonly port: number;
  output(pattern: RegExp): Promise<RegExpExecArray>;
}

async function withServer(work: (hello: Hello) => Promise<void>): Promise<void> {
  const server = await startExample('http-hello');
  try {
    const [, url, port] = await server.output(/^(http:\/\/127\.0\.0\.1:(\d+)\/)$/m);
    await work({ url: url as string, port: Number(port), output: server.output });
  } finally {
    server.child.kill('SIGTERM');
  }
  const { exit, stderr } = await server.ended;
  assert.is(stderr, '');
  assert.is(exit, 0);
}

/** Sends `text` as it is and returns all that comes until the server ends the connection. */
async function exchange(port: number, text: string): Promise<string> {
  const socket = createConnection(port, '127.0.0.1').setEncoding('latin1');
  socket.write(text);
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  await once(socket, 'end');
  socket.end();
  return answer;
}

const statuses = (answer: string) =>
  [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));

await testWith(['curl'], 'apt-get install curl', 'curl: pages, HEAD, 404', async ([curl]) => {
  await withServer(async ({ url }) => {
    const get = async (...argv: string[]) =>
      (await run(curl as string, ['--silent', '--show-error', '--max-time', '60', ...argv])).stdout;
    assert.is(await get(`${url}hello`), 'Hello!');
    assert.match(await get(url), /Hello, browser!/);
    const code = ['--output', '/dev/null', '--write-out', '%{http_code} %{num_connects}\n'];
    assert.is(await get(...code, `${url}nowhere`), '404 1\n');
    assert.is(await get(...code, '--http1.0', `${url}hello`), '200 1\n');
    const head = await get('--head', `${url}hello`);
    assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(head, /Content-Length: 6\r\n/);
    // Two pages over one connection, then one each where the client ends it.
    const twice = [...code, `${url}hello`, ...code, `${url}`];
    assert.is(await get(...twice), '200 1\n200 0\n');
    assert.is(await get('-H', 'Connection: close', ...twice), '200 1\n200 1\n');
    assert.is(await get(...code, '--data', 'body', `${url}hello`), '501 1\n');
  });
});

test('requests in one packet are answered in order, and the end after the last', async () => {
  await withServer(async ({ port }) => {
    const answer = await exchange(
      port,
      [
        '\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n',
        'HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n',
        'DELETE /hello HTTP/1.1\r\nHost: a\r\n\r\n',
        'GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
        'GET /hello HTTP/1.1\r\nHost: a\r\n\r\n',
      ].join(''),
    );
    assert.equal(statuses(answer), [200, 200, 405, 404]);
    assert.match(answer, /\r\n\r\nHello!HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nHTTP\/1\.1 405/);
  });
});

test('what is no request is told so and ends its connection only', async () => {
  await withServer(async ({ port }) => {
    for (const wrong of [
      'hello\r\n\r\n',
      'GET hello HTTP/1.1\r\nHost: a\r\n\r\n',
      'GET /hello HTTP/1.1\r\n\r\n',
      'GET /hello HTTP/2.0\r\nHost: a\r\n\r\n',
      'GET /hello HTTP/1.1\r\nHost: a\r\n no name\r\n\r\n',
    ]) {
      assert.equal(statuses(await exchange(port, wrong)), [400], JSON.stringify(wrong));
    }
    const good = 'GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    assert.equal(statuses(await exchange(port, good)), [200]);
  });
});

test('silent connections, early ends, resets and endless heads harm nobody', async () => {
  await withServer(async ({ port }) => {
    const sockets = Array.from({ length: 20 }, () => createConnection(port, '127.0.0.1'));
    for (const socket of sockets) socket.on('error', () => {});
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    for (const [index, socket] of sockets.entries()) {
      if (index % 4 === 1) socket.write('GET /hello HT');
      if (index % 4 === 2)
        socket.write('GET /hello HTTP/1.1\r\nHost: a\r\n\r\n', () => socket.destroy());
      if (index % 4 === 3) socket.write('GET /hello HTTP/1.1\r\n', () => socket.resetAndDestroy());
    }
    const endless = createConnection(port, '127.0.0.1').on('error', () => {});
    endless.write('x'.repeat(20_000));
    await once(endless.resume(), 'close');
    const good = 'GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    assert.equal(statuses(await exchange(port, good)), [200]);
    for (const socket of sockets) socket.destroy();
  });
});

test('resets behind requests harm nobody', async () => {
  await withServer(async ({ port }) => {
    const request = 'GET /hello HTTP/1.1\r\nHost: a\r\n\r\n';
    for (let round = 0; round < 90; round++) {
      const socket = createConnection(port, '127.0.0.1').on('error', () => {});
      await new Promise<void>((resolve) =>
        socket.write(request.repeat(1 + round), () => resolve()),
      );
      if (round % 3 === 0) socket.resetAndDestroy();
      else setTimeout(() => socket.resetAndDestroy(), round % 3);
      await once(socket, 'close');
    }
    const good = 'GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    assert.equal(statuses(await exchange(port, good)), [200]);
  });
});

await testWith(
  ['chromium'],
  'apt-get install chromium',
  'Chromium: a page makes 50 requests, one after the other',
  async ([chromium]) => {
    await withServer(async ({ url, output }) => {
      const profile = await mkdtemp(join(tmpdir(), 'overlapped-chromium-'));
      const abort = new AbortController();
      const argv = [...FLAGS, `--user-data-dir=${profile}`, `${url}loop`];
      const browser = start(chromium as string, argv, abort.signal);
      browser.stdout?.resume();
      browser.stderr?.resume();
      const closed = once(browser, 'close');
      try {
        const [line] = await output(/^200 GET \/report\?good=\d+$/m);
        assert.is(line, '200 GET /report?good=50');
      } finally {
        killTree(browser);
        await closed;
        await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
      }
    });
  },
);

test.run();
