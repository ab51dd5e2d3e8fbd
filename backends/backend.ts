/**
 * The contract between the loop and a backend: a token-based proactor.
 *
 * The loop submits operations, each with a token; the backend performs them and
 * reports completions through `BackendHost.complete`. The rules, which
 * `test/conformance` checks on every backend:
 *
 * 1. Submitting returns nothing and never completes inline: the completion comes
 *    after the submitting call, and after `flush`, has returned.
 * 2. Every token gets exactly one final completion, also after `cancel` and
 *    `close`. A completion flagged COMPLETION_MORE is not final.
 * 3. `result` >= 0 is bytes or a handle; 0 on a stream receive that lends is the peer's end;
 *    negative is an ERROR_* of the closed set, with the system's own number in
 *    `systemError`. A reset is never reported as an end.
 * 4. Submitting lends a range of linear memory; the final completion gives it
 *    back. A backend reads a lent send range and writes a lent receive range
 *    only in between. Nobody else touches it.
 * 5. `cancel(token)` has no completion of its own. It is a request: the target
 *    completes with ERROR_CANCELED, or success wins the race.
 * 6. `close` cancels what is pending on the handle; its own completion comes
 *    last, after which the handle's number may be used again.
 * 7. A backend never throws from an operation: a failure is a completion.
 */
import type { Core } from '../src/core/core.ts';

/** Whether a backend can run on this host, in words for a person. */
export type Probe =
  | { readonly available: true; readonly detail?: string }
  | { readonly available: false; readonly reason: string };

/** Where to listen or connect: a TCP or UDP address, or a Unix socket or named pipe. */
export type Endpoint = { readonly host: string; readonly port: number } | { readonly path: string };

/** A bound or peer address as the host prints it. */
export interface SocketAddress {
  readonly address: string;
  readonly port: number;
  readonly family: 'IPv4' | 'IPv6' | 'path';
}

export interface StreamOptions {
  /** Disable Nagle's algorithm. */
  readonly noDelay: boolean;
  /** Keep-alive probes start after this many idle milliseconds; 0 is off. */
  readonly keepAliveMs: number;
}

export interface ListenerOptions extends StreamOptions {
  /** Length of the system's queue of connections not yet accepted. */
  readonly backlog: number;
  /** Several sockets may listen on the same port (SO_REUSEPORT). */
  readonly reusePort: boolean;
  readonly ipv6Only: boolean;
  /**
   * Of a backend that hands over (`BackendModule.handsOver`): accepted sockets are
   * given to this function instead of being opened. It answers whether somebody
   * has taken the socket; one that nobody takes the listener keeps, accepts no more
   * ahead, and gives it again at `Driver.offer`.
   */
  readonly handOver?: (accepted: AcceptedSocket) => boolean;
  /** The other side of it, in another thread: nothing is listened on, connections come by `Driver.adopt`. */
  readonly adopts?: AdoptOptions;
}

/**
 * A connection that a listener in one thread accepted for a driver in another.
 * Can be cloned. It belongs to whoever has it, who opens or closes it.
 */
export interface AcceptedSocket {
  /** The system's own number of the socket, good in all threads of the process. */
  readonly socket: number;
  readonly family: 4 | 6;
  readonly remote: SocketAddress | undefined;
}

export interface AdoptOptions {
  /** Where the connections were accepted. */
  readonly address: SocketAddress;
  /** One that was adopted is closed, or could not be opened. Called once for each. */
  closed(): void;
}

export interface DatagramOptions {
  readonly reuseAddress: boolean;
  readonly broadcast: boolean;
  readonly ipv6Only: boolean;
  /** Connected datagram sockets send to and hear from this peer only. */
  readonly peer?: Endpoint;
}

/** What a backend can have pending: the loop never submits more. */
export interface Limits {
  /** Receives pending on one connection. Above 1 only where the system completes them in submission order. */
  readonly receiveDepth: number;
  /** Sends pending on one connection. Above 1 only where each send is whole and order is kept. */
  readonly sendDepth: number;
  /** Largest single send or receive. */
  readonly maxTransferBytes: number;
  /**
   * Stream receives are armed once, without a range, and complete again and again
   * (COMPLETION_MORE) with buffers that the backend takes by `takeBuffer` when
   * bytes are there. When none is left the receive ends with ERROR_NO_BUFFERS and
   * the loop arms it again once buffers are back; bytes already read are kept.
   * False: each receive lends one range and completes once.
   */
  readonly selectsBuffers: boolean;
  /**
   * Receives of a stream may also be probes, with offset and length 0: they
   * complete with 0 once bytes, or the peer's end, are there to be received by
   * the next one, and lend nothing to a silent peer. `'always'`: every wait is
   * one. `'scarce'`: when few receive buffers are left. Default `'never'`.
   */
  readonly probes?: 'never' | 'scarce' | 'always';
  /**
   * Most receives pending on a connection that does not say how many: one, and
   * the others while receives come back full. Default 1.
   */
  readonly defaultReceiveDepth?: number;
}

/** Sizes of a port, for backends that need room in its linear memory. */
export interface PortSizes {
  readonly maxConnections: number;
  readonly maxOperations: number;
  /** Worker threads that may each open a `Dequeuer` on the driver. Left out: none. */
  readonly workers?: number;
}

/** What the loop offers to a backend. */
export interface BackendHost {
  readonly core: Core;
  readonly sizes: PortSizes;
  /**
   * Reports one completion; the loop handles it in a coming turn.
   * @param token as submitted
   * @param result bytes, a handle, 0, or a negative ERROR_*
   * @param flags COMPLETION_* bits
   * @param buffer slot of the receive buffer taken by `takeBuffer`, else NOTHING (with COMPLETION_BUFFER)
   * @param systemError the system's own positive error number, 0 if none
   */
  complete(
    token: number,
    result: number,
    flags?: number,
    buffer?: number,
    systemError?: number,
  ): void;
  /** Takes a receive buffer from the pool: its slot, or a negative number when none is left. */
  takeBuffer(): number;
  /** Offset in linear memory of a buffer's first byte. */
  bufferOffset(slot: number): number;
  /** Gives a buffer back that no completion carries. */
  returnBuffer(slot: number): void;
  /** Bytes in each receive buffer. */
  readonly bufferBytes: number;
  /**
   * For backends whose structures lie in linear memory, valid from `attach` on:
   * address of the first Operation record. The record of a token is the one at
   * its slot (`token % 2^20`); while the operation is pending, what of it the
   * operating system needs belongs to the backend.
   */
  readonly operations: number;
  readonly operationCapacity: number;
  /**
   * The same: address of the CompletionQueue that `complete` writes to, for
   * native code that reports a batch at once. It then calls `ready`.
   */
  readonly completions: number;
  /**
   * The same: address of the Port record, for native code that takes receive
   * buffers from its pool.
   */
  readonly port: number;
}

/** What `dispose` could not take back: all zero after an orderly end. */
export interface Leftovers {
  /** Operations without a final completion. */
  readonly operations: number;
  /** Sockets still open. */
  readonly handles: number;
}

/** Counters of a backend, by its own names: for statistics and tests. */
export type BackendCounters = Readonly<Record<string, number>>;

/** A backend at work. All methods are called from one thread and never throw. */
export interface Driver {
  readonly limits: Limits;

  /**
   * The host-loop driver: from now on the backend calls `ready` in a later pass of
   * the host's event loop whenever completions have been reported, once a batch.
   */
  attach(ready: () => void): void;
  /** The worker driver: blocks until completions are there or the time is over. Returns false where the host cannot block. */
  wait(timeoutMs: number): boolean;
  /** Whether `wait` blocks on this host. Left out: it does not. */
  readonly blocks?: boolean;
  /** Makes `ready` come, or the next `wait` return at once. Of this thread only: see `waker`. */
  wake(): void;
  /**
   * What another thread of the process gives to `BackendModule.openWaker`, to end
   * waits of this one: a number of the system's, valid until `dispose`. Left out,
   * or undefined, where nobody can.
   */
  readonly waker?: number | undefined;
  /** All operations of a turn have been submitted: perform what was batched. */
  flush(): void;
  /**
   * Takes `count` entries of the submission ring at `address` itself, in order,
   * instead of by a call for each of them. Left out by backends without
   * structures of their own.
   */
  submit?(address: number, count: number): void;

  /** Completes with the listener's handle. */
  listen(token: number, endpoint: Endpoint, options: ListenerOptions): void;
  /** Stays armed: each connection completes with its handle and COMPLETION_MORE, until cancelled or closed. */
  accept(token: number, listener: number): void;
  /**
   * Takes a socket for a listener that `adopts`: it is opened as one that this
   * driver had accepted, and completes that listener's accept, now or once there
   * is one. If the listener is closing it is reset. When the call returns, the
   * socket is the driver's, and `BackendModule.reclaim` knows of it.
   */
  adopt?(listener: number, accepted: AcceptedSocket): void;
  /** Of a listener that hands over: somebody may take again what it has kept. */
  offer?(listener: number): void;
  /** Completes with the connection's handle. Cancelling it frees what was begun. */
  connect(token: number, endpoint: Endpoint, options: StreamOptions): void;
  /** Datagram socket; completes with its handle. */
  bind(token: number, endpoint: Endpoint, options: DatagramOptions): void;

  /** Lends `[offset, offset + length)`; with `limits.selectsBuffers`, and for a probe, both are 0. */
  receive(token: number, handle: number, offset: number, length: number): void;
  /** Lends `[offset, offset + length)`. May complete with fewer bytes where `sendDepth` is 1. */
  send(token: number, handle: number, offset: number, length: number): void;
  /** Lends `[offset, offset + length)`: an Address record comes first, the payload after it; completes with the payload's bytes, ERROR_FRAME_TOO_LONG if it did not fit. */
  receiveFrom(token: number, handle: number, offset: number, length: number): void;
  /** Lends `[offset, offset + length)`: an Address record (family 0: the connected peer), then the payload; completes with the payload's bytes. */
  sendTo(token: number, handle: number, offset: number, length: number): void;
  /** Ends the send side after what was sent before. */
  shutdown(token: number, handle: number): void;
  cancel(token: number): void;
  /** `reset`: abort the connection (RST) instead of ending it. Also closes listeners and datagram sockets. */
  close(token: number, handle: number, reset: boolean): void;
  /** Completes with 0 and nothing else. */
  post(token: number): void;

  localAddress(handle: number): SocketAddress | undefined;
  remoteAddress(handle: number): SocketAddress | undefined;
  configure(handle: number, options: StreamOptions): void;
  /** Keeps (or no longer keeps) the host's process alive while the handle is open. */
  setReferenced(handle: number, referenced: boolean): void;
  /** Name of a system error number, for people. */
  systemErrorName(systemError: number): string | undefined;

  /** Monotonic time in milliseconds; virtual in a simulator. */
  now(): number;
  /** Calls back once after `delayMs`; returns the function that calls it off. Does not keep the process alive. */
  setTimer(delayMs: number, callback: () => void): () => void;

  counters(): BackendCounters;
  /**
   * For `BackendModule.reclaim`: what another thread needs to know to give back
   * what the system still holds when this thread has died. Can be cloned.
   */
  readonly remains?: unknown;
  /**
   * For `BackendModule.openDequeuer`: what the workers of a shared port need to
   * take completions from the system themselves. Can be cloned; valid from
   * `attach` on. Left out where this thread alone can.
   */
  readonly dequeuing?: unknown;
  /**
   * A worker asks for this thread (see `Dequeuer`): takes what was left to it, and
   * waits for the system where no worker looks. A turn follows.
   */
  attend?(): void;
  /** The thread that had dequeuer number `worker` is gone: takes what it had not dealt with. A turn follows. */
  endDequeuer?(worker: number): void;
  /** Closes what is open, waits until the system has given everything back, and says what it left. */
  dispose(): Promise<Leftovers>;
}

/** A backend with its options: what the `backend` option of the public API takes besides a name. */
export interface BackendSelection<Options = unknown> {
  readonly name: string;
  readonly options: Options;
  probe(): Probe | Promise<Probe>;
  create(host: BackendHost, options: Options): Driver | Promise<Driver>;
  /** Bytes of linear memory that `create` reserves (`core.reserve`). Default: none. */
  memoryBytes?(options: Options, sizes: PortSizes): number;
}

/** Ends waits of a driver in another thread. */
export interface Waker {
  /** Ends the `wait` that is, or else the next one; wakes may be taken together. Never throws. */
  wake(): void;
  /** Gives back what it holds; `wake` does nothing any more. */
  close(): void;
}

/** Takes completions of another thread's driver, in a worker of the same shared port. */
export interface Dequeuer {
  /**
   * Puts what the system has now into the port's completion queue, without
   * waiting, before any of it is handled: a batch at most. True: some of it is
   * the driver's, whose thread is to be told (`Driver.attend`).
   */
  dequeue(): boolean;
  /**
   * This thread is about to sleep until the port's completion queue has something,
   * and has announced that there. True: the driver's thread is to be told, since
   * nobody waits for the system.
   */
  rest(): boolean;
  counters(): BackendCounters;
  /** In order: nothing dequeued is left. */
  close(): void;
}

/** By the host's event loop (`attach`), or by waiting in the kernel (`wait`). */
export type WorkerDriver = 'loop' | 'blocking';

/** What every `backends/<name>/index.ts` exports, besides a function of its own name that makes a selection. */
export interface BackendModule<Options = unknown> {
  readonly name: string;
  probe(): Probe | Promise<Probe>;
  create(host: BackendHost, options: Options): Driver | Promise<Driver>;
  memoryBytes?(options: Options, sizes: PortSizes): number;
  /**
   * Whether ports of several threads can listen on one address (`reusePort`), and
   * the system spreads new connections between them. Left out: they cannot.
   */
  spreads?(): Probe | Promise<Probe>;
  /**
   * Whether a listener can give what it accepts to drivers of other threads
   * (`ListenerOptions.handOver`): what spreads connections where the system does
   * not. Left out: it cannot.
   */
  readonly handsOver?: boolean;
  /**
   * How a port of a worker thread can be driven on this host, the better way
   * first. Left out: by the host's event loop only.
   */
  workerDrivers?(): readonly WorkerDriver[];
  /**
   * In any thread of the process: what wakes the driver whose `waker` this is.
   * The driver must be open now; later it need not be. Left out where no driver
   * has one. Rejects, in words for a person, when the system has no more of what
   * it takes.
   */
  openWaker?(waker: number): Promise<Waker>;
  /**
   * In a worker of a shared port: takes part in dequeuing for the driver whose
   * `dequeuing` this is. `core` is on the driver's memory; `worker` is the
   * thread's number, from 0 on. Left out where no driver has it. Rejects, in words
   * for a person, where the system cannot be reached from this thread.
   */
  openDequeuer?(core: Core, dequeuing: unknown, worker: number): Promise<Dequeuer>;
  /**
   * Closes what a driver left open whose thread has died: without it the system
   * goes on with it. Called in another thread, after the death; `memory` is the
   * driver's, `remains` its own; `handedOver` are sockets that were on their way to
   * `Driver.adopt`, which may or may not have had them. Left out by backends whose
   * host does that.
   */
  reclaim?(
    memory: WebAssembly.Memory,
    remains: unknown,
    handedOver: readonly number[],
  ): void | Promise<void>;
}

/** An event of the operating system's own, known to other programs by its name (R13). */
export interface SystemEvent {
  /** Whether anybody has set it; it stays so. */
  readonly isSet: boolean;
  close(): void;
}

/** Named events of a system that has them. The functions throw OverlappedErrors. */
export interface SystemEvents {
  /** What it is, in words for a person. */
  readonly kind: string;
  /** Makes one, not set. ADDRESS_IN_USE where the name is taken, ACCESS, INVALID_OPTION. */
  create(name: string): SystemEvent;
  /** Sets one that somebody made. REFUSED where there is none of this name, ACCESS. */
  set(name: string): void;
}
