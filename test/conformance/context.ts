/** What a case of the conformance suite works with: two ports on one backend, and helpers to wait. */

import type { BackendSelection } from '../../backends/backend.ts';
import {
  type Connection,
  type ConnectOptions,
  connect,
  type ListenOptions,
  listen,
  OverlappedError,
  openPort,
  type Port,
  type PortOptions,
  type Server,
} from '../../src/index.ts';
import { environment } from '../support/environment.ts';

/** What a backend can be asked for; a case that needs more is left out. */
export interface Capabilities {
  /** Where listeners listen. */
  readonly endpoint: 'tcp' | 'path';
  readonly datagrams: boolean;
  /** An abort reaches the peer as one. Unix sockets know only ends. */
  readonly resets: boolean;
  readonly ipv6: boolean;
  /** A host that never answers a connect, where there is one without leaving the computer. */
  readonly blackhole?: string;
  /** Connections break by themselves: only the cases that expect it are run. */
  readonly breaks?: boolean;
  /** Cases, by name, that cannot be shown there; the reason stands where they are named. */
  readonly leavesOut?: readonly string[];
}

/** Everything awaited in a case ends within this, on a slow computer too. */
const LIMIT_MS = Number(environment('CONFORMANCE_LIMIT_MS') ?? 60_000);

/** Small pools, so that cases meet their limits; small buffers, so that frames span them. */
const PORT_OPTIONS: PortOptions = {
  maxConnections: 512,
  receiveBufferBytes: 4096,
  receiveBuffers: 512,
  arenaBytes: 2 ** 25,
};

/** Rejects when `what` does not come. */
export async function within<Value>(what: string, promise: Promise<Value>): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came of: ${what}`)), LIMIT_MS);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** A pass of the host's event loop. */
export function pass(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Waits until `condition` holds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const endMs = Date.now() + LIMIT_MS;
  while (!condition()) {
    if (Date.now() > endMs) throw new Error(`nothing came of: ${what}`);
    await pass();
  }
}

/** Resolved from outside. */
export class Signal<Value = void> {
  readonly promise: Promise<Value>;
  resolve!: (value: Value) => void;

  constructor() {
    this.promise = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }
}

/** The code of the OverlappedError that `promise` rejects with; 'nothing' when it does not. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await within('a rejection', promise);
    return 'nothing';
  } catch (error) {
    if (error instanceof OverlappedError) return error.code;
    throw error;
  }
}

/** The code that a call throws. */
export function thrownCode(call: () => unknown): string {
  try {
    call();
    return 'nothing';
  } catch (error) {
    if (error instanceof OverlappedError) return error.code;
    throw error;
  }
}

let paths = 0;

/** Two ports, opened for one case and closed after it. */
export class Context {
  readonly server: Port;
  readonly client: Port;
  readonly capabilities: Capabilities;
  readonly selection: BackendSelection<unknown>;

  private constructor(
    server: Port,
    client: Port,
    capabilities: Capabilities,
    selection: BackendSelection<unknown>,
  ) {
    this.server = server;
    this.client = client;
    this.capabilities = capabilities;
    this.selection = selection;
  }

  static async open(
    selection: BackendSelection<unknown>,
    capabilities: Capabilities,
  ): Promise<Context> {
    const backend = selection as BackendSelection<never>;
    const server = await openPort({ ...PORT_OPTIONS, backend });
    const client = await openPort({ ...PORT_OPTIONS, backend });
    return new Context(server, client, capabilities, selection);
  }

  /** A new place to listen at. */
  endpoint(): { host: string } | { path: string } {
    if (this.capabilities.endpoint === 'tcp') return { host: '127.0.0.1' };
    paths += 1;
    const pid = typeof process === 'undefined' ? 0 : process.pid;
    const isWindows = typeof process !== 'undefined' && process.platform === 'win32';
    const name = `overlapped-conformance-${pid}-${paths}`;
    return { path: isWindows ? `\\\\.\\pipe\\${name}` : `/tmp/${name}` };
  }

  listen<Message = Uint8Array>(options: ListenOptions<Message> = {}): Promise<Server<Message>> {
    const where = 'path' in options || 'port' in options ? {} : this.endpoint();
    return within('listen', listen({ ...where, ...options, on: this.server }));
  }

  /** Where a server can be reached. */
  reach(server: Pick<Server, 'address'>): { host: string; port: number } | { path: string } {
    const { address, port, family } = server.address;
    return family === 'path' ? { path: address } : { host: address, port };
  }

  connect<Message = Uint8Array>(
    server: Pick<Server, 'address'>,
    options: ConnectOptions<Message> = {},
  ): Promise<Connection<Message>> {
    return within('connect', connect({ ...this.reach(server), ...options, on: this.client }));
  }

  /** A listener and one connection to it, both ends known. */
  async pair<Message = Uint8Array>(
    serverOptions: ListenOptions<Message> = {},
    clientOptions: ConnectOptions<Message> = {},
  ): Promise<{
    server: Server<Message>;
    accepted: Connection<Message>;
    connection: Connection<Message>;
  }> {
    const opened = new Signal<Connection<Message>>();
    const server = await this.listen<Message>({
      ...serverOptions,
      open(connection) {
        opened.resolve(connection);
        serverOptions.open?.(connection);
      },
    });
    const connection = await this.connect<Message>(server, clientOptions);
    return { server, accepted: await within('accept', opened.promise), connection };
  }
}

/** Hands what surfaces as the host's uncaught exceptions to `take`, in any host; returns the function that ends it. */
function interceptExceptions(take: (error: unknown) => void): () => void {
  if (typeof process !== 'undefined' && typeof process.on === 'function') {
    process.on('uncaughtException', take);
    return () => process.off('uncaughtException', take);
  }
  const onError = (event: Event) => {
    event.preventDefault();
    take((event as ErrorEvent).error);
  };
  globalThis.addEventListener('error', onError);
  return () => globalThis.removeEventListener('error', onError);
}

/** What surfaces as uncaught exceptions while `work` runs. */
export async function takingExceptions(work: () => Promise<void>): Promise<unknown[]> {
  const taken: unknown[] = [];
  const end = interceptExceptions((error) => taken.push(error));
  try {
    await work();
    await pass();
  } finally {
    end();
  }
  return taken;
}

/** Fails with the first uncaught exception, at once. */
export async function failingOnExceptions(work: () => Promise<void>): Promise<void> {
  let end = () => {};
  const surfaced = new Promise<never>((_, reject) => {
    end = interceptExceptions(reject);
  });
  try {
    await Promise.race([work(), surfaced]);
  } finally {
    end();
  }
}

/** Bytes without a pattern of their own, the same for the same seed. */
export function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/** Letters only: nothing in them ends a line. */
export function letters(length: number, seed: number): Uint8Array {
  return noise(length, seed).map((byte) => 97 + (byte % 26));
}

export function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.slice());
}
