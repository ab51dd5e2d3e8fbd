/** The public options and handlers. Classes stand in their own files. */
import type { MessageBatch } from './batch.ts';
import type { Connection } from './connection.ts';
import type { OverlappedError } from './errors.ts';
import type { Framing } from './framing.ts';
import type { Port } from './port.ts';
import type { PortOptions } from './port-options.ts';

/** Turns messages into objects and back (R29). `decode` gets borrowed bytes and must not keep them. */
export interface Codec<Message> {
  readonly name: string;
  encode(message: Message): Uint8Array;
  /** Throws on malformed bytes: the connection then ends with MESSAGE_MALFORMED. */
  decode(bytes: Uint8Array): Message;
}

/**
 * What a program does with its connections. All are optional and called one at
 * a time; none is called after `close`. An exception out of a handler is not
 * swallowed: it surfaces as the host's uncaught exception, and other
 * connections are not disturbed.
 */
export interface Handlers<Message = Uint8Array> {
  open?(connection: Connection<Message>): void;
  /** One message. A `Uint8Array` is borrowed: it ends with the call; copy what is kept. */
  message?(connection: Connection<Message>, message: Message): void;
  /** All messages of a turn, without an allocation: the fast way. Instead of `message`. */
  messages?(batch: MessageBatch<Message>): void;
  /** The peer ended its side; with `allowHalfOpen` this side may go on sending. */
  end?(connection: Connection<Message>): void;
  /** The send queue is empty enough again after `send` returned false. */
  drain?(connection: Connection<Message>): void;
  /** Something failed. The connection closes, except on a frame that `onOversize: 'discard'` skips. */
  error?(connection: Connection<Message>, error: OverlappedError): void;
  /** The last call for a connection; `error` is there unless both sides ended cleanly. */
  close?(connection: Connection<Message>, error: OverlappedError | undefined): void;
}

/** What connections of a listener, or one connected, have in common. */
export interface ConnectionOptions<Message = Uint8Array> extends Handlers<Message> {
  /** Default `raw()`: whatever arrives is a message. */
  readonly framing?: Framing;
  readonly codec?: Codec<Message>;
  /**
   * Receives kept pending (R9); the backend's limit caps it. Default 1; on
   * `iocp` 2, the second one while receives come back full.
   */
  readonly receiveDepth?: number;
  /** Sends in flight (R21); the backend's limit caps it. Default 1, or the backend's limit where it keeps order. */
  readonly sendDepth?: number;
  /** Put receives in order by their numbers (R5). Default true; costs nothing where one is pending. */
  readonly readOrder?: boolean;
  /** Put sends in order by their numbers (R5). Default true. */
  readonly writeOrder?: boolean;
  /**
   * Issue a new receive before the current one has been processed (R9). Default
   * false: it goes out behind the replies, when more may be there already.
   */
  readonly eagerRead?: boolean;
  /** `send` returns false above this many queued bytes. Default 1 MiB. */
  readonly highWaterMarkBytes?: number;
  /** `send` throws NO_BUFFERS above this many queued bytes. Default 16 MiB. */
  readonly maxQueuedBytes?: number;
  /**
   * Go on receiving while more than the high-water mark is queued. Default false
   * for a server (a peer that does not read its replies is not served further)
   * and true for a client (two sides that both wait would wait for ever).
   */
  readonly receiveWhileBlocked?: boolean;
  /** The peer's end does not end this side. Default false. */
  readonly allowHalfOpen?: boolean;
  /** No byte in either direction for so long ends the connection with TIMED_OUT. Default 0: never. */
  readonly idleTimeoutMs?: number;
  /** No whole message within so long of the opening ends it with TIMED_OUT. Default 0: never. */
  readonly firstMessageTimeoutMs?: number;
  /**
   * How long a close may stand still, with nothing sent and no end of the peer,
   * before it becomes an abort. Default 5,000; 0: for ever.
   */
  readonly closeTimeoutMs?: number;
  /** Default true. */
  readonly noDelay?: boolean;
  /** Default 0: off. */
  readonly keepAliveMs?: number;
}

export interface ListenOptions<Message = Uint8Array>
  extends ConnectionOptions<Message>,
    Omit<PortOptions, 'shared'> {
  /** 0 (default): handlers run in this thread. More: see `WorkerListenOptions`. */
  readonly workers?: 0;
  /** TCP port; 0 (default) lets the system choose. */
  readonly port?: number;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** A Unix socket or named pipe instead of host and port. */
  readonly path?: string;
  readonly backlog?: number;
  readonly reusePort?: boolean;
  readonly ipv6Only?: boolean;
  /** Connections of this listener open at once; further ones wait in the system's queue. Default: the port's limit. */
  readonly maxListenerConnections?: number;
  /** Run on this port instead of a shared one. */
  readonly on?: Port;
  /** Aborting it closes the server. */
  readonly signal?: AbortSignal;
}

/** Everything that `listen` takes, except what cannot cross to another thread. */
type ThreadlessOptions = keyof Handlers | 'codec' | 'on' | 'workers' | 'reusePort';

/**
 * `listen` with I/O worker threads (Node, Bun and Deno). The handlers are a
 * module, because functions cannot cross threads: each worker loads it.
 */
export interface WorkerListenOptions extends Omit<ListenOptions<never>, ThreadlessOptions> {
  /** How many threads, 1 to 256; `'auto'`: one per processor (R24). */
  readonly workers: number | 'auto';
  /**
   * The module of the handlers, by its absolute URL: `new URL('./handlers.js',
   * import.meta.url)`. Its exports, or its default export, are `Handlers`, and
   * `codec` if there is one. The default export may also be a function that
   * makes them, or a promise of them, from a `WorkerContext`.
   */
  readonly handlers: URL | string;
  /**
   * `'pinned'` (default): a port for each worker; a connection stays with the
   * worker that got it. The fast way. On Linux the system gives new connections
   * to the workers; on Windows (`iocp`) the thread that listens does, to the one
   * with the fewest. Elsewhere NOT_SUPPORTED. `'shared'`: one port, whose
   * completions any worker takes; a connection's messages stay in order, one at
   * a time, whichever worker handles them.
   */
  readonly scheduling?: 'pinned' | 'shared';
  /**
   * Shared only: how many connections have a lock in common (R6): each its own
   * (`'socket'`, default), as many locks as told, or one for all.
   */
  readonly lock?: 'socket' | 'all' | { readonly stripes: number };
  /** For the handlers' `WorkerContext`: anything that can be cloned. */
  readonly workerData?: unknown;
  /**
   * Pinned only. `'loop'`: the worker's event loop runs, as everywhere.
   * `'blocking'` (`uring`): the worker waits in the kernel, and its event loop
   * gets a turn between two waits. Less work where there is nothing but I/O;
   * timers and whatever else a handler waits for may be 10 ms late. Default:
   * `'loop'`, where the backend can have that in a worker.
   */
  readonly driver?: 'loop' | 'blocking';
  /** A worker that died is replaced, in its place, after a pause that grows while it keeps dying. Default false. */
  readonly restart?: boolean;
  /** How long a worker may take to load the module and to listen. Default 30,000. */
  readonly startTimeoutMs?: number;
  /**
   * Called when a worker has died: of an exception out of a handler, of
   * `process.exit`, or because it could not be started again. Its connections
   * were reset; those of others go on. Without it the error is an uncaught
   * exception of this thread.
   */
  onWorkerError?(error: OverlappedError, worker: number): void;
}

export interface ConnectOptions<Message = Uint8Array>
  extends ConnectionOptions<Message>,
    Omit<PortOptions, 'shared'> {
  readonly port?: number;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  readonly path?: string;
  /** Default 30,000; 0: the system's own. */
  readonly connectTimeoutMs?: number;
  readonly on?: Port;
  /** Aborting it cancels the connect, or aborts the connection. */
  readonly signal?: AbortSignal;
}
