/** The contract on Bun's own sockets. */
import { AddressRecords } from '../../src/core/address.ts';
import type {
  BackendHost,
  DatagramOptions,
  Driver,
  Endpoint,
  Limits,
  ListenerOptions,
  StreamOptions,
} from '../backend.ts';
import { SocketDriver } from '../stream/driver.ts';
import { Lookout, type LookoutOptions, lookOnUs } from '../stream/lookout.ts';
import { Reporter } from '../stream/reporter.ts';
import type { BunApi } from './bun-api.ts';
import { BunConnection } from './connection.ts';
import { BunContext } from './context.ts';
import { BunDatagramSocket } from './datagram.ts';
import { socketHandlers } from './handlers.ts';
import { BunStreamListener } from './listener.ts';
import { Pacer } from './pacer.ts';

export interface BunOptions extends LookoutOptions {
  /** Sends that may be under way on one connection. Default 16. */
  readonly sendDepth?: number;
}

export class BunDriver extends SocketDriver<BunContext> implements Driver {
  readonly limits: Limits;
  readonly #addresses: AddressRecords;
  readonly #handlers = socketHandlers();

  constructor(bun: BunApi, host: BackendHost, options: BunOptions = {}) {
    const pacer = new Pacer();
    const lookout = new Lookout(lookOnUs('bun', options));
    const reporter = new Reporter(host, pacer.schedule, pacer.hurry, lookout);
    super(reporter, new BunContext(bun, host, reporter, pacer, lookout));
    this.limits = {
      receiveDepth: 1,
      sendDepth: options.sendDepth ?? 16,
      maxTransferBytes: 0x7fff_ffff,
      selectsBuffers: true,
    };
    this.#addresses = new AddressRecords(host.core.u8);
  }

  attach(ready: () => void): void {
    const reporter = this.reporter;
    const { pacer } = this.context;
    reporter.attach(() => {
      if (pacer.postpones()) reporter.ask();
      else ready();
    });
  }

  wake(): void {
    this.reporter.wake();
  }

  flush(): void {
    const { dirty } = this.context;
    if (dirty.length === 0) return;
    this.reporter.enter();
    this.context.pacer.sent(dirty.length);
    for (const connection of dirty) connection.flush();
    dirty.length = 0;
    this.reporter.leave();
  }

  // ---------------------------------------------------------------- opening

  listen(token: number, endpoint: Endpoint, options: ListenerOptions): void {
    if (!this.validEndpoint(token, endpoint)) return;
    this.reporter.enter();
    const listener = new BunStreamListener(this.context, token, endpoint, options);
    this.begin(token, listener);
    listener.start();
    this.reporter.leave();
  }

  accept(token: number, listener: number): void {
    const entry = this.entry(token, listener, BunStreamListener);
    if (entry === undefined) return;
    this.begin(token, entry);
    entry.accept(token);
  }

  connect(token: number, endpoint: Endpoint, options: StreamOptions): void {
    if (!this.validEndpoint(token, endpoint)) return;
    this.reporter.enter();
    const path = 'path' in endpoint ? endpoint.path : undefined;
    const connection = new BunConnection(this.context, path, options);
    this.begin(token, connection);
    connection.connecting(token);
    const target =
      'path' in endpoint
        ? { unix: endpoint.path }
        : { hostname: endpoint.host, port: endpoint.port };
    try {
      this.context.bun
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
    this.reporter.leave();
  }

  bind(token: number, endpoint: Endpoint, options: DatagramOptions): void {
    if (!this.validEndpoint(token, endpoint)) return;
    this.reporter.enter();
    const socket = new BunDatagramSocket(this.context, this.#addresses, token);
    this.begin(token, socket);
    void socket.bind(endpoint, options);
    this.reporter.leave();
  }

  // ---------------------------------------------------------------- handles by kind

  protected connection(token: number, handle: number): BunConnection | undefined {
    const { handles, closing } = this.context;
    const entry = handles.get(handle);
    if (entry instanceof BunConnection && (closing.size === 0 || !closing.has(handle))) {
      return entry;
    }
    return this.entry(token, handle, BunConnection);
  }

  protected datagramSocket(token: number, handle: number): BunDatagramSocket | undefined {
    return this.entry(token, handle, BunDatagramSocket);
  }

  /** Connects cannot be called off: one under way is a socket that may still open. */
  protected override unfinished(): number {
    return super.unfinished() + this.context.begun.size;
  }
}
