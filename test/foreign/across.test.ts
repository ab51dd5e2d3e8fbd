/** Our server in Node for Windows, in Wine, and a client that is a Linux program: one loopback. */
import { cp, rm } from 'node:fs/promises';
import { connect as connectSocket } from 'node:net';
import { dirname } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { within } from '../conformance/context.ts';
import type { Host, RunResult } from '../hosts/host.ts';
import { findPeer, PeerUnavailable } from '../peer/compile.ts';
import { type FramePlan, wireBytes } from '../peer/frames.ts';
import { type ClientBehaviour, Peer, type PeerOptions } from '../peer/process.ts';
import { environment } from '../support/environment.ts';

const HOST = 'windows-node22';
const BACKENDS = ['iocp', 'net'] as const;
const START_LIMIT_MS = 80_000;
const POLL_MS = 20;
const PLAN: FramePlan = { messages: 300, sizeBytes: [2, 9000], seed: 23 };
const SHORT: FramePlan = { messages: 20, sizeBytes: [2, 60], seed: 29 };
const ENDLESS: FramePlan = { messages: 10_000, sizeBytes: [20_000, 40_000], seed: 31 };
const NOTHING_LEFT = { operations: 0, handles: 0, lent: 0, buffers: 0, connections: 0 };

/** Lines of the server, in order; each is taken once. */
class Lines {
  readonly #lines: string[] = [];
  ended = false;

  push(text: string): void {
    this.#lines.push(text);
  }

  /** The first one that `pattern` matches, once it is there. */
  async take(pattern: RegExp): Promise<RegExpExecArray> {
    const endMs = Date.now() + START_LIMIT_MS;
    for (;;) {
      const index = this.#lines.findIndex((line) => pattern.test(line));
      if (index >= 0) return pattern.exec(this.#lines.splice(index, 1)[0] as string) as never;
      if (this.ended || Date.now() > endMs) {
        throw new Error(`no ${pattern}; the server said:\n${this.#lines.join('\n')}`);
      }
      await sleep(POLL_MS);
    }
  }
}

interface Needs {
  readonly host: Host;
  readonly wine: string;
  readonly peer: string;
  readonly bundle: string;
}

/** What the tests need, or why it is not here. */
async function prepare(): Promise<Needs | string> {
  // Only here: the module is of no use to other hosts.
  const { WINDOWS_HOSTS } = await import('../hosts/windows.ts');
  const host = WINDOWS_HOSTS.find(({ name }) => name === HOST);
  const wine = await host?.find();
  if (host === undefined || wine === undefined) return `no ${HOST} here: ${host?.install}`;
  try {
    const peer = await findPeer();
    await host.prepare?.(wine);
    // A copy of its own: that host may be running the suite's at the same time.
    const own = dirname(fileURLToPath(import.meta.url));
    const bundle = `${own}-across`;
    await cp(own, bundle, { recursive: true });
    return { host, wine, peer, bundle };
  } catch (error) {
    if (error instanceof PeerUnavailable) return error.message;
    return `${HOST} could not be prepared: ${error instanceof Error ? error.message : error}`;
  }
}

/** One behaviour, and how the server should see its connection end. */
interface Visit {
  readonly behaviour: ClientBehaviour;
  readonly options: PeerOptions;
  readonly close: RegExp;
}

function visits(backend: string): readonly Visit[] {
  // Where the host waits without a receive pending, Wine may take a reset for an end.
  const reset = backend === 'iocp' ? /^RESET$/ : /^(RESET|FRAME_TRUNCATED)$/;
  return [
    { behaviour: 'echo', options: { plan: PLAN, inFlight: 40 }, close: /^clean$/ },
    { behaviour: 'half-close', options: { plan: PLAN, inFlight: 300 }, close: /^clean$/ },
    {
      behaviour: 'echo',
      options: { plan: SHORT, chunkBytes: 1, pauseEvery: 16 },
      close: /^clean$/,
    },
    {
      behaviour: 'reset',
      options: { plan: PLAN, inFlight: 4, afterBytes: wireBytes(PLAN, 30) + 1 },
      close: reset,
    },
    {
      behaviour: 'garbage',
      options: { plan: SHORT, garbage: 'short' },
      close: /^FRAME_MALFORMED$/,
    },
    {
      behaviour: 'garbage',
      options: { plan: SHORT, garbage: 'truncated' },
      close: /^FRAME_TRUNCATED$/,
    },
    { behaviour: 'early-close', options: { plan: PLAN, afterBytes: 0 }, close: /^clean$/ },
  ];
}

/** The server's process, and the ways to visit it. */
class Server {
  readonly #lines = new Lines();
  readonly #abort = new AbortController();
  readonly #running: Promise<RunResult>;
  readonly #peer: string;
  readonly #bundle: string;

  constructor({ host, wine, peer, bundle }: Needs) {
    this.#peer = peer;
    this.#bundle = bundle;
    this.#running = host.run(wine, {
      folder: bundle,
      entry: 'across-server.worker.js',
      line: (text) => this.#lines.push(text),
      signal: this.#abort.signal,
    });
    const over = () => {
      this.#lines.ended = true;
    };
    void this.#running.then(over, over);
  }

  async port(name: string): Promise<number> {
    return Number((await this.#lines.take(new RegExp(`^listening ${name} (\\d+)$`)))[1]);
  }

  /** Every behaviour, one after the other; then one that reads nothing beside one that does. */
  async visit(backend: string): Promise<void> {
    const place = { host: '127.0.0.1', port: await this.port(backend) };
    const closed = async () => {
      const line = await this.#lines.take(new RegExp(`^closed ${backend} (.*)$`));
      return line[1] as string;
    };
    const client = (behaviour: ClientBehaviour, options: PeerOptions) =>
      Peer.start(this.#peer, 'client', place, behaviour, options);
    for (const { behaviour, options, close } of visits(backend)) {
      await using visitor = await client(behaviour, options);
      await visitor.success();
      assert.match(await closed(), close, behaviour);
    }
    await using lazy = await client('stop-reading', { plan: ENDLESS, bufferBytes: 65_536 });
    await lazy.line(/^blocked$/);
    await using busy = await client('echo', { plan: PLAN });
    await busy.success();
    assert.is(await closed(), 'clean', 'the other one');
    await lazy.openGate();
    await lazy.success();
    assert.is(await closed(), 'clean', 'the one that read nothing');
  }

  /** Ends it in order; gives what its ports left. */
  async end(): Promise<unknown[]> {
    try {
      const socket = connectSocket(await this.port('control'), '127.0.0.1');
      // It is reset: that is the answer.
      socket.on('error', () => {});
      const left: unknown[] = [];
      for (const backend of BACKENDS) {
        const line = await this.#lines.take(new RegExp(`^left ${backend} (.*)$`));
        left.push(JSON.parse(line[1] as string));
      }
      socket.destroy();
      assert.is((await within('the end of the server', this.#running)).exit, 0);
      return left;
    } finally {
      this.#abort.abort();
      await this.#running.catch(() => {});
      await rm(this.#bundle, { recursive: true, force: true });
    }
  }
}

/** Before the tests: what is fetched for the first time takes longer than a test may. */
async function register(): Promise<void> {
  const title = 'a Linux client and a server in Node for Windows';
  const needs = await prepare();
  if (typeof needs !== 'string') {
    const server = new Server(needs);
    for (const backend of BACKENDS) test(`${title}, on ${backend}`, () => server.visit(backend));
    test(`${title}: nothing is left`, async () => {
      assert.equal(await server.end(), [NOTHING_LEFT, NOTHING_LEFT]);
    });
  } else if (environment('CI') !== 'true') test.skip(`${title}: ${needs}`);
  else {
    test(title, () => {
      throw new Error(needs);
    });
  }
}

if (process.platform === 'linux' && !('Bun' in globalThis) && !('Deno' in globalThis)) {
  await register();
}
test.run();
