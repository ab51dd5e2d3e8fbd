/**
 * The foreign peer as a process. It writes to a file that is read again and again: on a pipe
 * some hosts (Node for Windows in Wine) cannot listen.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FramePlan } from './frames.ts';

/** The peer's own time limit, and how much longer a test waits for its word. */
const LIMIT_MS = 60_000;
const GRACE_MS = 5_000;
/** Not writable for so long counts as held back: a stall of the whole machine is shorter. */
const QUIET_MS = 1000;
const POLL_MS = 10;

export type ClientBehaviour =
  | 'echo'
  | 'half-close'
  | 'reset'
  | 'early-close'
  | 'stop-reading'
  | 'garbage'
  | 'listen';
export type ServerBehaviour =
  | 'echo'
  | 'reset-after'
  | 'close-after'
  | 'half-close-first'
  | 'never-read'
  | 'never-accept';

/** As peer.c explains them. */
export interface PeerOptions {
  readonly plan?: FramePlan;
  readonly inFlight?: number;
  readonly afterBytes?: number;
  readonly chunkBytes?: number;
  readonly pauseEvery?: number;
  readonly bufferBytes?: number;
  readonly garbage?: 'short' | 'huge' | 'noise' | 'truncated';
  readonly end?: 'clean' | 'reset' | 'any';
  readonly connections?: number;
  readonly backlog?: number;
}

/** The last line: what both modes say, then what each does. */
export interface PeerResult {
  readonly ok: boolean;
  readonly messages: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly end: string;
  /** The system's own number. */
  readonly error: number;
  readonly blocked?: boolean;
  readonly accepted?: number;
  readonly clean?: number;
  readonly resets?: number;
}

function words(options: PeerOptions, gate: string): string[] {
  const { plan, inFlight, afterBytes, chunkBytes, pauseEvery, bufferBytes } = options;
  const given = {
    '--messages': plan?.messages,
    '--size': plan?.sizeBytes.join('-'),
    '--seed': plan?.seed,
    '--in-flight': inFlight,
    '--after': afterBytes,
    '--chunk': chunkBytes,
    '--pause-every': pauseEvery,
    '--buffer-bytes': bufferBytes,
    '--garbage': options.garbage,
    '--end': options.end,
    '--connections': options.connections,
    '--backlog': options.backlog,
    '--quiet-ms': QUIET_MS,
    '--limit-ms': LIMIT_MS,
    '--gate': gate,
  };
  return Object.entries(given).flatMap(([name, value]) =>
    value === undefined ? [] : [name, String(value)],
  );
}

/** A peer that runs, or has run. Dispose of it: that ends it and removes its files. */
export class Peer {
  readonly #folder: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #exit: number | string | undefined;

  private constructor(folder: string, program: string, argv: readonly string[]) {
    this.#folder = folder;
    this.#child = spawn(program, [...argv, '--out', this.#path('out')], { stdio: 'ignore' });
    this.#exited = once(this.#child, 'exit').then(
      ([code, signal]) => {
        this.#exit = code ?? signal;
      },
      (error: unknown) => {
        this.#exit = String(error);
      },
    );
  }

  /** Starts it with plain words; a file called `gate` in its folder opens its gate. */
  static async start(
    program: string,
    mode: 'client' | 'server',
    place: { readonly host: string; readonly port: number },
    behaviour: ClientBehaviour | ServerBehaviour,
    options: PeerOptions = {},
  ): Promise<Peer> {
    const folder = await mkdtemp(join(tmpdir(), 'overlapped-peer-run-'));
    const argv = [mode, place.host, String(place.port), '--behaviour', behaviour];
    return new Peer(folder, program, [...argv, ...words(options, join(folder, 'gate'))]);
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  async #lines(): Promise<string[]> {
    const text = await readFile(this.#path('out'), 'utf8').catch(() => '');
    // The last piece has no end yet.
    return text.split(/\r?\n/).slice(0, -1);
  }

  /** The first line that `pattern` matches, as soon as it is written. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    const endMs = Date.now() + LIMIT_MS + GRACE_MS;
    for (;;) {
      const isOver = this.#exit !== undefined || Date.now() > endMs;
      // Read after that was seen: what it wrote last is there then.
      const lines = await this.#lines();
      for (const line of lines) {
        const match = pattern.exec(line);
        if (match !== null) return match;
      }
      if (isOver) {
        const said = lines.join('\n') || 'nothing';
        throw new Error(`no ${pattern} from the peer; exit ${this.#exit}; it said:\n${said}`);
      }
      await sleep(POLL_MS);
    }
  }

  /** Where a server listens. */
  async listening(): Promise<{ host: string; port: number }> {
    const [, host, port] = await this.line(/^listening on (.*):(\d+)$/);
    return { host: host as string, port: Number(port) };
  }

  /** What waits for the gate goes on. */
  async openGate(): Promise<void> {
    await writeFile(this.#path('gate'), '');
  }

  /** Its last line, once it has said it. */
  async result(): Promise<PeerResult> {
    const [line] = await this.line(/^\{.*\}$/);
    return JSON.parse(line) as PeerResult;
  }

  /**
   * Its last line.
   * @throws Error unless it found every byte right and the end that it wanted
   */
  async success(): Promise<PeerResult> {
    const result = await this.result();
    if (!result.ok) throw new Error(`the peer is not content: ${JSON.stringify(result)}`);
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#exit === undefined) this.#child.kill('SIGKILL');
    // A host that tells nothing of the exit must not hold the test.
    await Promise.race([this.#exited, sleep(GRACE_MS, undefined, { ref: false })]);
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }).catch(
      () => {},
    );
  }
}
