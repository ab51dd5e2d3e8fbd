/** A listening socket of Bun. */
import { ERROR_ADDRESS_IN_USE, ERROR_CANCELED, ERROR_INVALID_OPTION } from '#generated/layout';
import type { Endpoint, ListenerOptions, SocketAddress } from '../backend.ts';
import { AcceptQueue } from '../stream/accept-queue.ts';
import type { Entry } from '../stream/driver.ts';
import { failureOf } from '../stream/failure.ts';
import { NO_TOKEN, type OperationOwner } from '../stream/reporter.ts';
import { removeStaleSocket } from '../stream/stale-socket.ts';
import type { BunListener, BunSocket } from './bun-api.ts';
import { BunConnection } from './connection.ts';
import type { BunContext } from './context.ts';
import { socketHandlers } from './handlers.ts';

export class BunStreamListener implements Entry, OperationOwner {
  readonly accepts: AcceptQueue<BunConnection>;
  readonly #context: BunContext;
  readonly #endpoint: Endpoint;
  readonly #options: ListenerOptions;
  readonly #path: string | undefined;
  #listenToken: number;
  #listener: BunListener | undefined;
  #handle = NO_TOKEN;
  #closing = false;
  #replaced = false;
  #address: SocketAddress | undefined;

  constructor(context: BunContext, token: number, endpoint: Endpoint, options: ListenerOptions) {
    this.#context = context;
    this.#endpoint = endpoint;
    this.#options = options;
    this.#path = 'path' in endpoint ? endpoint.path : undefined;
    this.#listenToken = token;
    context.begun.add(this);
    this.accepts = new AcceptQueue(context.reporter, options.backlog, {
      open: (connection) => {
        connection.handle = context.openStream(connection);
        return connection.handle;
      },
      refuse: (connection) => {
        context.count('acceptsReset');
        connection.abandon(true);
      },
    });
  }

  /** Bun listens, or fails, within the call. */
  start(): void {
    const { reusePort, ipv6Only, backlog } = this.#options;
    const common = {
      allowHalfOpen: true,
      backlog,
      socket: socketHandlers((socket) => this.#onAccepted(socket)),
    };
    try {
      this.#listener = this.#context.bun.listen<BunConnection | undefined>(
        'path' in this.#endpoint
          ? { ...common, unix: this.#endpoint.path }
          : {
              ...common,
              hostname: this.#endpoint.host,
              port: this.#endpoint.port,
              reusePort,
              ipv6Only,
              exclusive: !reusePort,
            },
      );
    } catch (error) {
      this.#onError(error);
      return;
    }
    const token = this.#listenToken;
    this.#listenToken = NO_TOKEN;
    this.#address = this.#readAddress(this.#listener);
    this.#context.begun.delete(this);
    this.#handle = this.#context.open(this);
    this.#context.reporter.finish(token, this.#handle);
  }

  #onError(error: unknown): void {
    const { result, systemError } = failureOf(error);
    if (result === ERROR_ADDRESS_IN_USE && this.#path !== undefined && !this.#replaced) {
      this.#replaced = true;
      void this.#replaceStale(this.#path, systemError);
    } else this.#failListen(result || ERROR_INVALID_OPTION, systemError);
  }

  /** The path is taken: perhaps by a file that a process left when it died. */
  async #replaceStale(path: string, systemError: number): Promise<void> {
    const removed = await removeStaleSocket(path);
    if (this.#listenToken === NO_TOKEN) return;
    if (!removed) {
      this.#failListen(ERROR_ADDRESS_IN_USE, systemError);
      return;
    }
    this.#context.count('staleSocketsReplaced');
    this.start();
  }

  #failListen(result: number, systemError: number): void {
    const token = this.#listenToken;
    if (token === NO_TOKEN) return;
    this.#listenToken = NO_TOKEN;
    this.#context.begun.delete(this);
    this.#context.reporter.finish(token, result, systemError);
  }

  #onAccepted(socket: BunSocket<BunConnection | undefined>): void {
    const connection = new BunConnection(this.#context, this.#path, this.#options);
    socket.data = connection;
    connection.onOpen(socket);
    this.#context.count('accepted');
    if (this.#closing) connection.abandon(true);
    else if (!this.accepts.offer(connection)) this.#context.count('acceptsHeld');
  }

  accept(token: number): void {
    this.accepts.arm(token);
  }

  cancel(token: number): void {
    if (token === this.#listenToken) this.abandon();
    else if (token === this.accepts.token) this.accepts.cancel();
  }

  close(token: number): void {
    const handle = this.#handle;
    this.#stop();
    this.#handle = NO_TOKEN;
    this.#context.closed(handle);
    this.#context.reporter.finish(token, 0);
  }

  abandon(): void {
    this.#failListen(ERROR_CANCELED, 0);
    this.#stop();
    if (this.#handle === NO_TOKEN) return;
    this.#context.closed(this.#handle);
    this.#handle = NO_TOKEN;
  }

  #stop(): void {
    this.#closing = true;
    this.accepts.cancel();
    this.accepts.refuseHeld();
    this.#listener?.stop(false);
  }

  #readAddress(listener: BunListener): SocketAddress {
    if (this.#path !== undefined) return { address: this.#path, port: 0, family: 'path' };
    const bound: { address?: string; port?: number } = {};
    // The listener's own `hostname` is what was asked for, perhaps a name.
    listener.getsockname?.(bound);
    const { address = listener.hostname, port = listener.port } = bound;
    return { address, port, family: address.includes(':') ? 'IPv6' : 'IPv4' };
  }

  localAddress(): SocketAddress | undefined {
    return this.#address;
  }

  remoteAddress(): undefined {
    return undefined;
  }

  configure(): void {
    // Accepted connections got the listener's options; later ones are set on each.
  }

  setReferenced(referenced: boolean): void {
    if (referenced) this.#listener?.ref();
    else this.#listener?.unref();
  }
}
