/** Chromium without a window: a page of ours loads the program in a worker and posts its lines back. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import process from 'node:process';
import { buffer } from 'node:stream/consumers';
import { Kernels } from '../native.ts';
import type { Report, Settings } from '../protocol.ts';
import { bundleFolder, findProgram, type Host, OutputReader, PROGRAM } from './host.ts';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const HEADERS = {
  // Cross-origin isolation, without which there is no shared memory, and only a coarse clock.
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cache-control': 'no-store',
};

const HTML = `<!doctype html>
<title>overlapped: micro benchmarks</title>
<script type="module">
  const worker = new Worker('/start.js', { type: 'module' });
  // A module that cannot be loaded says no more than that.
  worker.onerror = async (event) => {
    const body = 'the page could not load the program: ' + (event.message ?? 'no reason is told');
    await fetch('/failed', { method: 'POST', body });
    await fetch('/ended', { method: 'POST' });
  };
</script>
`;

function startScript(settings: Settings): string {
  return `
import { runInPage } from '/${PROGRAM}';
try {
  await runInPage(${JSON.stringify(settings)});
} catch (error) {
  await fetch('/failed', { method: 'POST', body: String(error?.stack ?? error) });
}
await fetch('/ended', { method: 'POST' });
`;
}

/** What the page asks for: its files, the program in C, and an ear for its lines. */
class PageServer {
  readonly #settings: Settings;
  readonly #output: OutputReader;
  readonly #kernels: Kernels | undefined;
  readonly ended: Promise<void>;
  #end: () => void = () => {};

  constructor(settings: Settings, output: OutputReader) {
    this.#settings = settings;
    this.#output = output;
    this.#kernels = settings.native === undefined ? undefined : new Kernels(settings.native);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
    const send = (status: number, type: string, body: string | Buffer = '') => {
      response.writeHead(status, { ...HEADERS, 'content-type': type }).end(body);
    };
    if (request.method !== 'POST') {
      if (pathname === '/') return send(200, 'text/html', HTML);
      if (pathname === '/start.js') {
        return send(200, 'text/javascript', startScript(this.#settings));
      }
      const path = join(bundleFolder(), basename(pathname));
      const script = pathname.endsWith('.js') && (await readFile(path).catch(() => false));
      if (script === false || typeof script === 'boolean') return send(404, 'text/plain');
      return send(200, 'text/javascript', script);
    }
    const body = await buffer(request);
    if (pathname === '/line') this.#output.line(`@${body}`);
    else if (pathname === '/failed') this.#output.line(`${body}`);
    else if (pathname === '/ended') this.#end();
    else {
      try {
        const result = await this.#ask(pathname, searchParams, body);
        return send(200, 'application/json', JSON.stringify(result));
      } catch (error) {
        return send(500, 'text/plain', String(error));
      }
    }
    send(204, 'text/plain');
  }

  async #ask(path: string, query: URLSearchParams, input: Buffer): Promise<object> {
    const kernels = this.#kernels;
    if (kernels === undefined) throw new Error('there is no program in C');
    if (path === '/run') return await kernels.run(Number(query.get('passes')));
    if (path !== '/open') throw new Error(`nothing is at ${path}`);
    const numbers = (query.get('numbers') ?? '').split(',').map(Number);
    return await kernels.open({ kernel: query.get('kernel') ?? '', numbers, input });
  }

  close(): void {
    this.#kernels?.close();
  }
}

async function run(
  program: string,
  settings: Settings,
  report: (line: Report) => void,
  signal: AbortSignal,
): Promise<void> {
  const output = new OutputReader(report);
  const page = new PageServer(settings, output);
  const server = createServer((request, response) => {
    page.answer(request, response).catch((error) => response.destroy(error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const profile = await mkdtemp(join(tmpdir(), 'overlapped-chromium-'));
  const url = `http://127.0.0.1:${port}/`;
  const child = spawn(program, [...FLAGS, `--user-data-dir=${profile}`, url], {
    stdio: 'ignore',
    // A group of its own, so that its helpers end with it.
    detached: true,
  });
  const end = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
  };
  process.on('exit', end);
  signal.addEventListener('abort', end);
  try {
    const exited = once(child, 'exit').then(([code, killedBy]) => String(code ?? killedBy));
    const exit = await Promise.race([page.ended.then(() => 'its page'), exited]);
    end();
    await exited;
    output.check('chromium', exit);
  } finally {
    end();
    process.off('exit', end);
    signal.removeEventListener('abort', end);
    server.closeAllConnections();
    server.close();
    page.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

export const chromiumHost: Host = {
  name: 'chromium',
  install: 'install Chromium or Google Chrome (Debian: apt-get install chromium)',
  async find() {
    const program = await findProgram('chromium', 'chromium-browser', 'google-chrome');
    if (program === undefined) return undefined;
    return {
      program,
      native: true,
      run: (settings, report, signal) => run(program, settings, report, signal),
    };
  },
};
