/** Headless Chromium driven over a pipe (the DevTools protocol): opens a page and looks at it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { Readable, Writable } from 'node:stream';
import { FLAGS } from '../hosts/chromium.ts';
import { findProgram, killTree } from '../hosts/process.ts';

/** How the reader sees the page. */
export interface View {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly scheme: 'light' | 'dark';
  readonly media: 'screen' | 'print';
  /** A phone's: the page's own viewport, touch, scroll bars that take no room. */
  readonly mobile?: boolean;
}

interface Reply {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

interface Waiting {
  readonly resolve: (result: Readonly<Record<string, unknown>>) => void;
  readonly reject: (error: Error) => void;
}

const REPLY_LIMIT_MS = 60_000;

export class ReportBrowser {
  /** What the page complained about since it was opened: errors, refusals, exceptions. */
  complaints: string[] = [];
  /** Addresses that the page asked for since it was opened. */
  requests: string[] = [];

  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #exited: Promise<unknown>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #kill: () => void;
  #lastId = 0;
  #session = '';
  #loaded = () => {};

  private constructor(child: ChildProcess, profile: string) {
    this.#child = child;
    this.#profile = profile;
    this.#exited = once(child, 'exit').then(() => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the browser ended'));
    });
    this.#kill = () => killTree(child);
    process.on('exit', this.#kill);
    let rest = '';
    (child.stdio[4] as Readable).setEncoding('utf8').on('data', (chunk: string) => {
      const messages = (rest + chunk).split('\0');
      rest = messages.pop() ?? '';
      for (const message of messages) this.#take(JSON.parse(message) as Reply);
    });
    (child.stdio[3] as Writable).on('error', () => {});
  }

  /** Undefined where there is no Chromium. */
  static async start(): Promise<ReportBrowser | undefined> {
    const program = await findProgram('chromium', 'chromium-browser', 'google-chrome');
    if (program === undefined || process.platform === 'win32') return undefined;
    const profile = await mkdtemp(join(tmpdir(), 'overlapped-report-'));
    const argv = [...FLAGS, '--remote-debugging-pipe', `--user-data-dir=${profile}`, 'about:blank'];
    const child = spawn(program, argv, {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const browser = new ReportBrowser(child, profile);
    const { targetId } = await browser.#call('Target.createTarget', { url: 'about:blank' });
    const attached = await browser.#call('Target.attachToTarget', { targetId, flatten: true });
    browser.#session = attached.sessionId as string;
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) {
      await browser.#call(`${domain}.enable`);
    }
    return browser;
  }

  #take({ id, method, params, result, error }: Reply): void {
    if (id !== undefined) {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result ?? {});
      else waiting?.reject(new Error(error.message));
    } else if (method === 'Page.loadEventFired') this.#loaded();
    else if (method === 'Network.requestWillBeSent')
      this.requests.push((params as { request: { url: string } }).request.url);
    else if (method === 'Log.entryAdded' || method === 'Runtime.exceptionThrown')
      this.complaints.push(JSON.stringify(params));
    else if (method === 'Runtime.consoleAPICalled') this.complaints.push(JSON.stringify(params));
  }

  async #call(method: string, params: object = {}): Promise<Readonly<Record<string, unknown>>> {
    const id = ++this.#lastId;
    const session = this.#session === '' ? {} : { sessionId: this.#session };
    let timer: NodeJS.Timeout | undefined;
    const reply = new Promise<Readonly<Record<string, unknown>>>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      timer = setTimeout(() => reject(new Error(`no answer to ${method}`)), REPLY_LIMIT_MS);
    });
    const message = JSON.stringify({ id, method, params, ...session });
    (this.#child.stdio[3] as Writable).write(`${message}\0`);
    return reply.finally(() => clearTimeout(timer));
  }

  async open(url: string, view: View): Promise<void> {
    await this.view(view);
    this.complaints = [];
    this.requests = [];
    const loaded = new Promise<void>((resolve) => {
      this.#loaded = resolve;
    });
    const { errorText } = await this.#call('Page.navigate', { url });
    if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
    await loaded;
  }

  /** The open page in another light or on another screen. */
  async view({ widthPx, heightPx, scheme, media, mobile = false }: View): Promise<void> {
    const features = [{ name: 'prefers-color-scheme', value: scheme }];
    await this.#call('Emulation.setEmulatedMedia', { media, features });
    const metrics = { width: widthPx, height: heightPx, deviceScaleFactor: 1, mobile };
    await this.#call('Emulation.setDeviceMetricsOverride', metrics);
  }

  /** The value of an expression in the page; it must be plain data. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.#call('Runtime.evaluate', {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: T }).value;
  }

  /** Of what is in sight, or of the whole page; returns the bytes of a PNG. */
  async screenshot(file?: string, whole = false): Promise<Buffer> {
    const { data } = await this.#call('Page.captureScreenshot', {
      captureBeyondViewport: whole,
    });
    const png = Buffer.from(data as string, 'base64');
    if (file !== undefined) await writeFile(file, png);
    return png;
  }

  /** As A4 paper; returns the bytes. */
  async pdf(file?: string): Promise<Buffer> {
    const paper = { paperWidth: 8.27, paperHeight: 11.69, preferCSSPageSize: true };
    const { data } = await this.#call('Page.printToPDF', paper);
    const pdf = Buffer.from(data as string, 'base64');
    if (file !== undefined) await writeFile(file, pdf);
    return pdf;
  }

  async close(): Promise<void> {
    this.#kill();
    process.off('exit', this.#kill);
    await this.#exited;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
