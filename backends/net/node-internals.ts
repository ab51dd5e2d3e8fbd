/**
 * What lies under a net.Socket in Node: the handle of libuv's stream.
 *
 * Accepted connections are driven on it directly. A net.Socket with its two stream
 * states is most of what an idle connection costs, and about a quarter of what a
 * small message costs. None of this is public, so nothing is assumed: a net.Socket
 * is built around a handle of ours, once, and shows how it reads, writes and ends.
 * Where anything differs from what is known, `findInternals` finds nothing and
 * net.Socket is used as it is.
 */
import { Buffer } from 'node:buffer';
import net from 'node:net';
import process from 'node:process';
import { isBun } from './system.ts';

/** A write or shutdown. */
export interface Request {
  /** A function, called on the request with the status: 0 or a negative system number. */
  oncomplete: unknown;
  /** Negative while the system has not taken the request over. */
  getAsyncId(): number;
}

export interface HandleAddress {
  address?: string;
  port?: number;
  family?: string | number;
}

/** A TCP or pipe handle. Calls return 0 or a negative system number. */
export interface StreamHandle {
  onread: unknown;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: Request, bytes: Uint8Array): number;
  writev(request: Request, chunks: Uint8Array[], allBuffers: true): number;
  shutdown(request: Request): number;
  close(closed: () => void): void;
  ref(): void;
  unref(): void;
  /** TCP only, from here on. */
  reset?(closed: () => void): number;
  getpeername?(out: HandleAddress): number;
  getsockname?(out: HandleAddress): number;
  setNoDelay?(enable: boolean): number;
  setKeepAlive?(enable: boolean, seconds: number): number;
}

const STREAM_METHODS = [
  'useUserBuffer',
  'readStart',
  'readStop',
  'writeBuffer',
  'writev',
  'shutdown',
  'close',
  'ref',
  'unref',
] as const;
const TCP_METHODS = ['reset', 'getpeername', 'getsockname', 'setNoDelay', 'setKeepAlive'] as const;

export interface Internals {
  /** Node's function that a handle calls when it has read. */
  readonly onread: (this: unknown) => void;
  /** Where `onread` finds the stream that a handle belongs to. */
  readonly owner: symbol;
  /** What `onread` asks of the stream, besides public names. */
  readonly updateTimer: symbol;
  readonly buffer: symbol;
  readonly bufferCallback: symbol;
  readonly bufferGenerator: symbol;
  readonly WriteRequest: new () => Request;
  readonly ShutdownRequest: new () => Request;
}

/** All that `onread` may ask of its stream: what HandleConnection answers. */
const ASKED = new Set([
  'kUpdateTimer',
  'destroyed',
  'kBuffer',
  'kBufferCb',
  'kBufferGen',
  'push',
  'destroy',
  '_readableState',
  'kMaybeDestroy',
  'on',
  'read',
]);

/** Stands for a handle, and keeps what a net.Socket gives it. */
class TrialHandle {
  onread: unknown;
  reading = false;
  ownBuffer: unknown;
  request: object | undefined;

  useUserBuffer(buffer: unknown): void {
    this.ownBuffer = buffer;
  }
  readStart(): number {
    return 0;
  }
  readStop(): number {
    return 0;
  }
  writeBuffer(request: object): number {
    this.request = request;
    return 0;
  }
  shutdown(request: object): number {
    this.request = request;
    return 0;
  }
  close(): void {}
}

function tryOut(act: (socket: net.Socket) => void): { socket: net.Socket; handle: TrialHandle } {
  const handle = new TrialHandle();
  // The constructor takes more than its types say.
  const options: object = {
    handle,
    allowHalfOpen: true,
    pauseOnCreate: true,
    onread: { buffer: new Uint8Array(1), callback: () => true },
  };
  const socket = new net.Socket(options);
  socket.on('error', () => {});
  act(socket);
  return { socket, handle };
}

function symbolOf(holder: object, description: string): symbol {
  const found = Object.getOwnPropertySymbols(holder).find(
    (symbol) => symbol.description === description,
  );
  if (found === undefined) throw new Error(`no ${description}`);
  return found;
}

function requestClass(request: object | undefined): new () => Request {
  const found = request?.constructor as (new () => Request) | undefined;
  // The number tells whether the system has taken a request over: a fresh one has none.
  if (typeof found !== 'function' || new found().getAsyncId() >= 0) {
    throw new Error('no request class');
  }
  return found;
}

/** Whether `onread` asks nothing of its stream that is not known. */
function asksWhatIsKnown(onread: unknown): onread is Internals['onread'] {
  if (typeof onread !== 'function') return false;
  const source = Function.prototype.toString.call(onread);
  const asked = [...source.matchAll(/\bstream(?:\?)?(?:\.|\[)\s*([\w$]+)/g)].map(
    ([, name]) => name,
  );
  const callsBack = source.includes('stream[kBufferCb](nread, ');
  return callsBack && asked.every((name) => ASKED.has(name as string));
}

function find(): Internals | undefined {
  // On Windows a write is never taken at once, and nobody has tried it there.
  if (isBun || process.versions.deno !== undefined || process.platform === 'win32')
    return undefined;
  try {
    const writing = tryOut((socket) => socket.write(Buffer.of(0)));
    const ending = tryOut((socket) => socket.end());
    const { socket, handle } = writing;
    if (!asksWhatIsKnown(handle.onread) || handle.ownBuffer === undefined) return undefined;
    const internals: Internals = {
      onread: handle.onread,
      owner: symbolOf(handle, 'owner_symbol'),
      updateTimer: symbolOf(net.Socket.prototype, 'kUpdateTimer'),
      buffer: symbolOf(socket, 'kBuffer'),
      bufferCallback: symbolOf(socket, 'kBufferCb'),
      bufferGenerator: symbolOf(socket, 'kBufferGen'),
      WriteRequest: requestClass(handle.request),
      ShutdownRequest: requestClass(ending.handle.request),
    };
    socket.destroy();
    ending.socket.destroy();
    return internals;
  } catch {
    return undefined;
  }
}

let found: Internals | false | undefined;

/** What this host's net.Socket is made of, if it is what is known. */
export function findInternals(): Internals | undefined {
  found ??= find() ?? false;
  return found === false ? undefined : found;
}

/** Whether a handle has all that is called on it. */
export function isStreamHandle(handle: unknown, tcp: boolean): handle is StreamHandle {
  if (typeof handle !== 'object' || handle === null) return false;
  const methods: readonly string[] = tcp ? [...STREAM_METHODS, ...TCP_METHODS] : STREAM_METHODS;
  return methods.every((name) => typeof (handle as Record<string, unknown>)[name] === 'function');
}
