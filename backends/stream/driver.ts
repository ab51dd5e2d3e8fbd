/**
 * What the backends on a host's own socket objects have in common: everything
 * that looks a handle up, and the end of it all.
 */
import { setTimeout } from 'node:timers';
import { ERROR_CLOSED, ERROR_INVALID_OPTION } from '#generated/layout';
import type {
  BackendCounters,
  Endpoint,
  Leftovers,
  SocketAddress,
  StreamOptions,
} from '../backend.ts';
import { now, setTimer } from '../clock.ts';
import { isValidEndpoint } from './endpoint.ts';
import { systemErrno } from './failure.ts';
import type { HandleTable } from './handles.ts';
import type { Lookout } from './lookout.ts';
import type { OperationOwner, Reporter } from './reporter.ts';

/** How long `dispose` waits for the host to report that the sockets are closed. */
const DISPOSE_WAIT_MS = 3000;

/** What stands behind a handle: a connection, a listener or a datagram socket. */
export interface Entry {
  close(token: number, reset: boolean): void;
  /** Cancels everything and closes, without a token. */
  abandon(reset: boolean): void;
  localAddress(): SocketAddress | undefined;
  remoteAddress(): SocketAddress | undefined;
  configure(options: StreamOptions): void;
  setReferenced(referenced: boolean): void;
}

/** Connects, listens and binds that have no handle yet. */
export interface Begun {
  abandon(reset: boolean): void;
}

/** A connected stream. */
export interface StreamSocket extends OperationOwner {
  receive(token: number): void;
  send(token: number, offset: number, length: number): void;
  shutdown(token: number): void;
}

/** A bound datagram socket. */
export interface DatagramEndpoint extends OperationOwner {
  receiveFrom(token: number, offset: number, length: number): void;
  sendTo(token: number, offset: number, length: number): void;
}

/** What the sockets of one driver share, as far as this file looks at it. */
export interface DriverContext {
  readonly handles: HandleTable<Entry>;
  readonly begun: ReadonlySet<Begun>;
  /** Handles whose close is under way. */
  readonly closing: Set<number>;
  readonly lookout: Lookout;
  counters(): BackendCounters;
}

export abstract class SocketDriver<Context extends DriverContext> {
  protected readonly reporter: Reporter;
  protected readonly context: Context;

  constructor(reporter: Reporter, context: Context) {
    this.reporter = reporter;
    this.context = context;
  }

  /** These hosts cannot block. */
  wait(): boolean {
    return false;
  }

  // ---------------------------------------------------------------- streams

  receive(token: number, handle: number): void {
    const connection = this.connection(token, handle);
    if (connection === undefined) return;
    this.reporter.enter();
    this.begin(token, connection);
    connection.receive(token);
    this.reporter.leave();
  }

  send(token: number, handle: number, offset: number, length: number): void {
    const connection = this.connection(token, handle);
    if (connection === undefined) return;
    this.reporter.enter();
    this.begin(token, connection);
    connection.send(token, offset, length);
    this.reporter.leave();
  }

  shutdown(token: number, handle: number): void {
    const connection = this.connection(token, handle);
    if (connection === undefined) return;
    this.reporter.enter();
    this.begin(token, connection);
    connection.shutdown(token);
    this.reporter.leave();
  }

  // ---------------------------------------------------------------- datagrams

  receiveFrom(token: number, handle: number, offset: number, length: number): void {
    const socket = this.datagramSocket(token, handle);
    if (socket === undefined) return;
    this.begin(token, socket);
    socket.receiveFrom(token, offset, length);
  }

  sendTo(token: number, handle: number, offset: number, length: number): void {
    const socket = this.datagramSocket(token, handle);
    if (socket === undefined) return;
    this.reporter.enter();
    this.begin(token, socket);
    socket.sendTo(token, offset, length);
    this.reporter.leave();
  }

  // ---------------------------------------------------------------- any handle

  cancel(token: number): void {
    this.reporter.cancel(token);
  }

  close(token: number, handle: number, reset: boolean): void {
    const entry = this.context.handles.get(handle);
    if (entry === undefined) {
      this.reporter.settle(token, ERROR_CLOSED);
      return;
    }
    this.reporter.enter();
    this.begin(token, IGNORES_CANCEL);
    if (!this.context.closing.has(handle)) {
      this.context.closing.add(handle);
      entry.close(token, reset);
    } else this.reporter.finish(token, ERROR_CLOSED);
    this.reporter.leave();
  }

  post(token: number): void {
    this.reporter.settle(token, 0);
  }

  localAddress(handle: number): SocketAddress | undefined {
    return this.context.handles.get(handle)?.localAddress();
  }

  remoteAddress(handle: number): SocketAddress | undefined {
    return this.context.handles.get(handle)?.remoteAddress();
  }

  configure(handle: number, options: StreamOptions): void {
    this.context.handles.get(handle)?.configure(options);
  }

  setReferenced(handle: number, referenced: boolean): void {
    this.context.handles.get(handle)?.setReferenced(referenced);
  }

  systemErrorName(systemError: number): string | undefined {
    return systemErrno.nameOf(systemError);
  }

  readonly now = now;
  readonly setTimer = setTimer;

  counters(): BackendCounters {
    return this.context.counters();
  }

  async dispose(): Promise<Leftovers> {
    const { handles, begun, lookout } = this.context;
    lookout.stop();
    this.reporter.enter();
    for (const entry of [...begun]) entry.abandon(true);
    for (const entry of handles.list()) entry.abandon(true);
    this.reporter.leave();
    const deadline = performance.now() + DISPOSE_WAIT_MS;
    while (!this.reporter.idle || this.unfinished() > 0) {
      if (performance.now() > deadline) break;
      await new Promise<void>((resolve) => setTimeout(resolve, 1));
    }
    return { operations: this.reporter.pending, handles: this.unfinished() };
  }

  /** Sockets that are not closed yet. */
  protected unfinished(): number {
    return this.context.handles.open;
  }

  protected validEndpoint(token: number, endpoint: Endpoint): boolean {
    if (isValidEndpoint(endpoint)) return true;
    this.reporter.settle(token, ERROR_INVALID_OPTION);
    return false;
  }

  /** The open connection behind a handle; undefined where the operation has failed. */
  protected abstract connection(token: number, handle: number): StreamSocket | undefined;

  /** The same, for datagrams. */
  protected abstract datagramSocket(token: number, handle: number): DatagramEndpoint | undefined;

  protected begin(token: number, owner: OperationOwner): void {
    this.reporter.begin(token, owner);
  }

  /** What stands behind a handle, if it is of that kind and not closing; else the operation fails. */
  protected entry<Kind>(
    token: number,
    handle: number,
    // `never`: any constructor of the kind, whatever it takes.
    kind: abstract new (...args: never[]) => Kind,
  ): Kind | undefined {
    const entry = this.context.handles.get(handle);
    if (entry instanceof kind && !this.context.closing.has(handle)) return entry;
    this.reporter.settle(
      token,
      entry === undefined || entry instanceof kind ? ERROR_CLOSED : ERROR_INVALID_OPTION,
    );
    return undefined;
  }
}

/** A close is not taken back. */
const IGNORES_CANCEL: OperationOwner = { cancel() {} };
