/** The page that runs a test bundle in a browser, and the server behind it. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import process from 'node:process';
import type { RunOptions } from './host.ts';

/** Settings that tests read; a browser has no environment of its own. */
const PASSED_ON = ['PROPERTY_SEED', 'OVERLAPPED_TEST_VARIANTS', 'OVERLAPPED_TEST_LIMIT_MS'];

const HTML = `<!doctype html>
<title>overlapped: tests</title>
<script type="module">
  const worker = new Worker('/worker.js', { type: 'module' });
  worker.onerror = async (event) => {
    await fetch('/lines', { method: 'POST', body: 'the worker failed: ' + event.message });
    await fetch('/ended', { method: 'POST' });
  };
</script>
`;

/**
 * Tests run in a worker, because a page's main thread may not wait on a futex.
 * Lines go out synchronously before a test starts, so that a test which hangs
 * or crashes is known by name.
 */
function workerScript(entry: string): string {
  const settings = Object.fromEntries(
    PASSED_ON.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  return `
globalThis.OVERLAPPED_TEST_ENVIRONMENT = ${JSON.stringify(settings)};
let lines = [];
function flush() {
  if (lines.length === 0) return;
  const request = new XMLHttpRequest();
  request.open('POST', '/lines', false);
  request.send(lines.join('\\n'));
  lines = [];
}
for (const name of ['log', 'info', 'warn', 'error']) {
  console[name] = (...values) => {
    const text = values.map(String).join(' ');
    lines.push(text);
    if (text.includes('"type":"start"')) flush();
  };
}
try {
  await import(${JSON.stringify(`/${entry}`)});
} catch (error) {
  console.error('the bundle failed: ' + (error?.stack ?? error));
}
flush();
await fetch('/ended', { method: 'POST' });
`;
}

const HEADERS = {
  // Cross-origin isolation, without which there is no shared memory.
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cache-control': 'no-store',
};

export interface Page {
  readonly url: string;
  /** Resolves when the bundle has run or failed. */
  readonly ended: Promise<void>;
  close(): void;
}

export async function servePage({ folder, entry, line }: RunOptions): Promise<Page> {
  let end: () => void;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const server = createServer(async (request, response) => {
    const path = request.url ?? '/';
    if (request.method === 'POST') {
      let body = '';
      for await (const chunk of request.setEncoding('utf8')) body += chunk;
      response.writeHead(204, HEADERS).end();
      if (path === '/ended') end();
      else for (const text of body.split('\n')) line(text);
    } else if (path === '/') {
      response.writeHead(200, { ...HEADERS, 'content-type': 'text/html' }).end(HTML);
    } else if (path.endsWith('.js')) {
      const known = path === '/worker.js' ? workerScript(entry) : undefined;
      const script = known ?? (await readFile(join(folder, basename(path))).catch(() => undefined));
      response.writeHead(script === undefined ? 404 : 200, {
        ...HEADERS,
        'content-type': 'text/javascript',
      });
      response.end(script);
    } else {
      response.writeHead(404, HEADERS).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    ended,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
