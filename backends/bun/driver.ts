/** The contract on Bun's own sockets. */
import { clearTimeout, setTimeout } from 'node:timers';
import { ERROR_CLOSED, ERROR_INVALID_OPTION } from '#generated/layout';
import { AddressRecords } from '../../src/core/address.ts';
import type {
  BackendCounters,
  BackendHost,
  DatagramOptions,
  Driver,
  Endpoint,
  Leftovers,
  Limits,
  ListenerOptions,
  SocketAddress,
  StreamOptions,
} from '../backend.ts';
import { isValidEndpoint } from '../stream/endpoint.ts';
import { systemErrno } from '../stream/failure.ts';
import { type OperationOwner, Reporter } from '../stream/reporter.ts';
import type { BunApi } from './bun-api.ts';
import { BunConnection } from './connection.ts';
import { BunContext } from './context.ts';
import { BunDatagramSocket } from './datagram.ts';
import { socketHandlers } from './handlers.ts';
import { BunStreamListener } from './listener.ts';
import { Pacer } from './pacer.ts';

/** How long `dispose` waits for the host to report that the sockets are closed. */
const DISPOSE_WAIT_MS = 3000;

export interface BunOptions {
  /** Sends that may be under way on one connection. Default 16. */
  readonly sendDepth?: number;
}

export class BunDriver implements Driver {
  readonly limits: Limits;
  readonly #reporter: Reporter;
  readonly #context: BunContext;
  readonly #addresses: AddressRecords;
  readonly #handlers = socketHandlers();

  constructor(bun: BunApi, host: BackendHost, options: BunOptions = {}) {
    this.limits = {
      receiveDepth: 1,
      sendDepth: options.sendDepth ?? 16,
      maxTransferBytes: 0x7fff_ffff,
      selectsBuffers: true,
    };
    const pacer = new Pacer();
    this.#reporter = new Reporter(host, pacer.schedule);
    this.#context = new BunContext(bun, host, this.#reporter, pacer);
    this.#addresses = new AddressRecords(host.core.u8);
  }

  attach(ready: () => void): void {
    const reporter = this.#reporter;
    const { pacer } = this.#context;
    reporter.attach(() => {
      if (pacer.postpones()) reporter.ask();
      else ready();
    });
  }

  wait(): boolean {
    return false;
  }

  wake(): void {
    this.#reporter.wake();
  }

  flush(): void {
    const { dirty } = this.#context;
    if (dirty.length === 0) return;
    this.#reporter.enter();
    this.#context.pacer.sent(dirty.length);
    for (const connection of dirty) connection.flush();
    dirty.length = 0;
    this.#reporter.leave();
  }

  // ---------------------------------------------------------------- opening

  listen(token: number, endpoint: Endpoint, options: ListenerOptions): void {
    if (!this.#validEndpoint(token, endpoint)) return;
    this.#reporter.enter();
    const listener = new BunStreamListener(this.#context, token, endpoint, options);
    this.#begin(token, listener);
    listener.start();
    this.#reporter.leave();
  }

  accept(token: number, listener: number): void {
    const entry = this.#entry(token, listener, BunStreamListener);
    if (entry === undefined) return;
    this.#begin(token, entry);
    entry.accept(token);
  }

  connect(token: number, endpoint: Endpoint, options: StreamOptions): void {
    if (!this.#validEndpoint(token, endpoint)) return;
    this.#reporter.enter();
    const path = 'path' in endpoint ? endpoint.path : undefined;
    const connection = new BunConnection(this.#context, path, options);
    this.#begin(token, connection);
    connection.connecting(token);
    const target =
      'path' in endpoint
        ? { unix: endpoint.path }
        : { hostname: endpoint.host, port: endpoint.port };
    try {
      this.#context.bun
        .connect<BunConnection | undefined>({
          ...target,
          allowHalfOpen: true,
          data: connection,
          socket: this.#handlers,
        })
        .catch((error: unknown) => connection.onConnectError(error));
    } catch (error) {
      connection.onConnectError(error);
    }
    this.#reporter.leave();
  }

  bind(token: number, endpoint: Endpoint, options: DatagramOptions): void {
    if (!this.#validEndpoint(token, endpoint)) return;
    this.#reporter.enter();
    const socket = new BunDatagramSocket(this.#context, this.#addresses, token);
    this.#begin(token, socket);
    void socket.bind(endpoint, options);
    this.#reporter.leave();
  }

  // ---------------------------------------------------------------- streams

  receive(token: number, handle: number): void {
    const connection = this.#connection(token, handle);
    if (connection === undefined) return;
    this.#reporter.enter();
    this.#begin(token, connection);
    connection.receive(token);
    this.#reporter.leave();
  }

  send(token: number, handle: number, offset: number, length: number): void {
    const connection = this.#connection(token, handle);
    if (connection === undefined) return;
    this.#reporter.enter();
    this.#begin(token, connection);
    connection.send(token, offset, length);
    this.#reporter.leave();
  }

  shutdown(token: number, handle: number): void {
    const connection = this.#connection(token, handle);
    if (connection === undefined) return;
    this.#reporter.enter();
    this.#begin(token, connection);
    connection.shutdown(token);
    this.#reporter.leave();
  }

  // ---------------------------------------------------------------- datagrams

  receiveFrom(token: number, handle: number, offset: number, length: number): void {
    const socket = this.#entry(token, handle, BunDatagramSocket);
    if (socket === undefined) return;
    this.#begin(token, socket);
    socket.receiveFrom(token, offset, length);
  }

  sendTo(token: number, handle: number, offset: number, length: number): void {
    const socket = this.#entry(token, handle, BunDatagramSocket);
    if (socket === undefined) return;
    this.#reporter.enter();
    this.#begin(token, socket);
    socket.sendTo(token, offset, length);
    this.#reporter.leave();
  }

  // ---------------------------------------------------------------- any handle

  cancel(token: number): void {
    this.#reporter.cancel(token);
  }

  close(token: number, handle: number, reset: boolean): void {
    const entry = this.#context.handles.get(handle);
    if (entry === undefined) {
      this.#reporter.settle(token, ERROR_CLOSED);
      return;
    }
    this.#reporter.enter();
    this.#begin(token, IGNORES_CANCEL);
    if (!this.#context.closing.has(handle)) {
      this.#context.closing.add(handle);
      entry.close(token, reset);
    } else this.#reporter.finish(token, ERROR_CLOSED);
    this.#reporter.leave();
  }

  post(token: number): void {
    this.#reporter.settle(token, 0);
  }

  localAddress(handle: number): SocketAddress | undefined {
    return this.#context.handles.get(handle)?.localAddress();
  }

  remoteAddress(handle: number): SocketAddress | undefined {
    return this.#context.handles.get(handle)?.remoteAddress();
  }

  configure(handle: number, options: StreamOptions): void {
    this.#context.handles.get(handle)?.configure(options);
  }

  setReferenced(handle: number, referenced: boolean): void {
    this.#context.handles.get(handle)?.setReferenced(referenced);
  }

  systemErrorName(systemError: number): string | undefined {
    return systemErrno.nameOf(systemError);
  }

  now(): number {
    return performance.now();
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  }

  counters(): BackendCounters {
    return this.#context.counters();
  }

  async dispose(): Promise<Leftovers> {
    const { handles, begun } = this.#context;
    this.#reporter.enter();
    for (const entry of [...begun]) entry.abandon(true);
    for (const entry of handles.list()) entry.abandon(true);
    this.#reporter.leave();
    const deadline = performance.now() + DISPOSE_WAIT_MS;
    while (!this.#reporter.idle || handles.open > 0 || begun.size > 0) {
      if (performance.now() > deadline) break;
      await new Promise<void>((resolve) => setTimeout(resolve, 1));
    }
    return { operations: this.#reporter.pending, handles: handles.open + begun.size };
  }

  #validEndpoint(token: number, endpoint: Endpoint): boolean {
    if (isValidEndpoint(endpoint)) return true;
    this.#reporter.settle(token, ERROR_INVALID_OPTION);
    return false;
  }

  #begin(token: number, owner: OperationOwner): void {
    this.#reporter.begin(token, owner);
  }

  #connection(token: number, handle: number): BunConnection | undefined {
    const { handles, closing } = this.#context;
    const entry = handles.get(handle);
    if (entry instanceof BunConnection && (closing.size === 0 || !closing.has(handle))) {
      return entry;
    }
    return this.#entry(token, handle, BunConnection);
  }

  /** What stands behind a handle, if it is of that kind and not closing; else the operation fails. */
  #entry<Kind>(
    token: number,
    handle: number,
    // `never`: any constructor of the kind, whatever it takes.
    kind: new (...args: never[]) => Kind,
  ): Kind | undefined {
    const entry = this.#context.handles.get(handle);
    if (entry instanceof kind && !this.#context.closing.has(handle)) return entry;
    this.#reporter.settle(
      token,
      entry === undefined || entry instanceof kind ? ERROR_CLOSED : ERROR_INVALID_OPTION,
    );
    return undefined;
  }
}

/** A close is not taken back. */
const IGNORES_CANCEL: OperationOwner = { cancel() {} };
