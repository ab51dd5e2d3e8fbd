/** A listening socket of node:net. */
import net, { type Server, type Socket } from 'node:net';
import { ERROR_ADDRESS_IN_USE, ERROR_CANCELED, ERROR_INVALID_OPTION } from '#generated/layout';
import type { Endpoint, ListenerOptions, SocketAddress, StreamOptions } from '../backend.ts';
import { AcceptQueue } from '../stream/accept-queue.ts';
import type { Entry } from '../stream/driver.ts';
import { failureOf } from '../stream/failure.ts';
import { NO_TOKEN, type OperationOwner } from '../stream/reporter.ts';
import { removeStaleSocket } from '../stream/stale-socket.ts';
import type { StreamConnection } from './connection.ts';
import type { NetContext } from './context.ts';
import { HandleConnection } from './handle-connection.ts';
import { findInternals, isStreamHandle } from './node-internals.ts';
import { closeDescriptor, needsDescriptor, reusingDescriptor } from './reuse-port.ts';
import { SocketConnection } from './socket-connection.ts';
import { detachableHandle, type HandleHolder } from './system.ts';

/** node:net's constructor takes more than its types say. */
interface WrapOptions extends net.SocketConstructorOpts {
  readonly handle: unknown;
  readonly pauseOnCreate: boolean;
  readonly onread: { readonly buffer: Uint8Array; callback(length: number): boolean };
}

/** The handle under a server, which calls back for each connection. */
interface ListeningHandle {
  onconnection?: (this: unknown, status: number, handle: unknown) => void;
}

export class StreamListener implements Entry, OperationOwner {
  readonly accepts: AcceptQueue<StreamConnection>;
  readonly #context: NetContext;
  readonly #endpoint: Endpoint;
  readonly #options: ListenerOptions;
  readonly #path: string | undefined;
  #server: Server | undefined;
  #listenToken: number;
  #handle = NO_TOKEN;
  #closing = false;
  #address: SocketAddress | undefined;
  #replaced = false;

  constructor(context: NetContext, token: number, endpoint: Endpoint, options: ListenerOptions) {
    this.#context = context;
    this.#endpoint = endpoint;
    this.#options = options;
    this.#path = 'path' in endpoint ? endpoint.path : undefined;
    this.#listenToken = token;
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

  /** Begins to listen; `#onListening` or `#onError` follows. */
  start(): void {
    if (this.#options.reusePort && this.#path === undefined && needsDescriptor()) {
      void this.#startReusing(this.#endpoint as { host: string; port: number });
    } else this.#start();
  }

  /** Where the host's `listen` does not know of shared ports. */
  async #startReusing({ host, port }: { host: string; port: number }): Promise<void> {
    try {
      const fd = await reusingDescriptor(host, port, this.#options.ipv6Only);
      if (this.#closing) await closeDescriptor(fd);
      else this.#start(fd);
    } catch (error) {
      this.#onError(error as Error);
    }
  }

  #start(fd?: number): void {
    const { noDelay, keepAliveMs, backlog, reusePort, ipv6Only } = this.#options;
    const server = net.createServer({
      allowHalfOpen: true,
      pauseOnConnect: true,
      ...(this.#path === undefined
        ? { noDelay, keepAlive: keepAliveMs > 0, keepAliveInitialDelay: keepAliveMs }
        : {}),
    });
    this.#server = server;
    server.on('connection', this.#onConnection);
    server.on('error', (error) => {
      if (server === this.#server) this.#onError(error);
    });
    server.on('listening', () => {
      if (server === this.#server) this.#onListening();
    });
    const { port, host, path } = this.#endpoint as { port: number; host: string; path: string };
    const common = { backlog, exclusive: true };
    try {
      server.listen(
        fd !== undefined
          ? { ...common, fd }
          : this.#path === undefined
            ? { ...common, host, port, ipv6Only, reusePort }
            : { ...common, path },
      );
    } catch (error) {
      this.#failListen(failureOf(error).result || ERROR_INVALID_OPTION, 0);
    }
  }

  accept(token: number): void {
    this.accepts.arm(token);
  }

  cancel(token: number): void {
    if (token === this.#listenToken) {
      this.abandon();
    } else if (token === this.accepts.token) this.accepts.cancel();
  }

  close(token: number): void {
    this.#shutServer();
    const handle = this.#handle;
    this.#handle = NO_TOKEN;
    this.#context.closed(handle);
    this.#context.reporter.finish(token, 0);
  }

  abandon(): void {
    this.#shutServer();
    this.#failListen(ERROR_CANCELED, 0);
    if (this.#handle === NO_TOKEN) return;
    this.#context.closed(this.#handle);
    this.#handle = NO_TOKEN;
  }

  /** The system's socket is closed at once; connections go on without their listener. */
  #shutServer(): void {
    this.#closing = true;
    this.accepts.cancel();
    this.accepts.refuseHeld();
    try {
      this.#server?.close();
    } catch {
      // It was not listening (yet): there is nothing to close.
    }
  }

  #onListening(): void {
    if (this.#closing) {
      this.#server?.close();
      return;
    }
    const token = this.#listenToken;
    if (token === NO_TOKEN) return;
    this.#listenToken = NO_TOKEN;
    this.#address = this.#readAddress();
    this.#context.forget(this);
    if (this.#context.bareHandles) this.#acceptBareHandles();
    this.#handle = this.#context.open(this);
    this.#context.reporter.finish(token, this.#handle);
  }

  #onError(error: Error): void {
    if (this.#listenToken === NO_TOKEN) {
      // A failed accept, such as too many open files: it does not end the listener.
      this.#context.count('acceptErrors');
      return;
    }
    const { result, systemError } = failureOf(error);
    if (result === ERROR_ADDRESS_IN_USE && this.#path !== undefined && !this.#replaced) {
      this.#replaced = true;
      void this.#replaceStale(this.#path, systemError);
    } else this.#failListen(result, systemError);
  }

  /** The path is taken: perhaps by a file that a process left when it died. */
  async #replaceStale(path: string, systemError: number): Promise<void> {
    const removed = await removeStaleSocket(path);
    if (this.#listenToken === NO_TOKEN || this.#closing) return;
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
    this.#closing = true;
    this.#context.forget(this);
    this.#context.reporter.finish(token, result, systemError);
  }

  /** Takes the server's handles before it makes sockets of them, where the host is known well enough. */
  #acceptBareHandles(): void {
    const internals = findInternals();
    const listening = (this.#server as { _handle?: ListeningHandle | null } | undefined)?._handle;
    if (internals === undefined || typeof listening?.onconnection !== 'function') return;
    HandleConnection.prepare(internals);
    const { onconnection } = listening;
    const tcp = this.#path === undefined;
    const accepted = (status: number, handle: unknown): void => {
      if (status === 0 && isStreamHandle(handle, tcp)) {
        const connection = new HandleConnection(this.#context, this.#path, internals, handle);
        if (tcp) this.#configure(connection);
        this.#context.count('bareHandles');
        this.#offer(connection);
      } else onconnection.call(listening, status, handle);
    };
    listening.onconnection = accepted;
  }

  /** What node:net does for an accepted socket. */
  #configure(connection: HandleConnection): void {
    const { noDelay, keepAliveMs } = this.#options;
    if (noDelay || keepAliveMs > 0) connection.configure({ noDelay, keepAliveMs });
  }

  readonly #onConnection = (accepted: Socket): void => {
    const connection = new SocketConnection(this.#context, this.#path);
    const handle = detachableHandle(accepted);
    if (handle === undefined) connection.adopt(accepted, true);
    else {
      // The socket that node made reads into a fresh allocation each time. One built
      // around the same handle with `onread` reads into our scratch range instead.
      (accepted as unknown as HandleHolder)._handle = null;
      const options: WrapOptions = {
        handle,
        allowHalfOpen: true,
        pauseOnCreate: true,
        onread: { buffer: this.#context.scratchRange, callback: connection.onRead },
      };
      connection.adopt(new net.Socket(options), false);
    }
    connection.remember();
    this.#offer(connection);
  };

  #offer(connection: StreamConnection): void {
    this.#context.count('accepted');
    if (this.#closing) connection.abandon(true);
    else if (!this.accepts.offer(connection)) this.#context.count('acceptsHeld');
  }

  #readAddress(): SocketAddress | undefined {
    if (this.#path !== undefined) return { address: this.#path, port: 0, family: 'path' };
    const address = this.#server?.address();
    if (address === null || address === undefined || typeof address === 'string') return undefined;
    const family = String(address.family).endsWith('6') ? 'IPv6' : 'IPv4';
    return { address: address.address, port: address.port, family };
  }

  localAddress(): SocketAddress | undefined {
    return this.#address;
  }

  remoteAddress(): undefined {
    return undefined;
  }

  configure(_options: StreamOptions): void {
    // Accepted connections got the listener's options; later ones are set on each.
  }

  setReferenced(referenced: boolean): void {
    if (referenced) this.#server?.ref();
    else this.#server?.unref();
  }
}
