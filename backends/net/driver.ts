/**
 * The contract on node:net and node:dgram, in whatever host offers them: Node,
 * Bun and Deno.
 */
import net from 'node:net';
import process from 'node:process';
import { setImmediate } from 'node:timers';
import { ERROR_INVALID_OPTION } from '#generated/layout';
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
import { failureOf } from '../stream/failure.ts';
import { Lookout, type LookoutOptions, lookOnUs } from '../stream/lookout.ts';
import { Reporter } from '../stream/reporter.ts';
import { StreamConnection } from './connection.ts';
import { NetContext } from './context.ts';
import { DatagramSocket } from './datagram.ts';
import { StreamListener } from './listener.ts';
import { SocketConnection } from './socket-connection.ts';
import { isBun } from './system.ts';

export interface NetOptions extends LookoutOptions {
  /** Sends that may be under way on one connection. Default 16. */
  readonly sendDepth?: number;
  /**
   * Drive accepted connections on Node's handles, without a net.Socket, in versions of Node
   * in which that is known to work. Less memory and time a connection. Default true.
   */
  readonly bareHandles?: boolean;
}

export class NetDriver extends SocketDriver<NetContext> implements Driver {
  readonly limits: Limits;
  readonly #addresses: AddressRecords;

  constructor(host: BackendHost, options: NetOptions = {}) {
    // After the host's poll phase, so that one turn takes all sockets that were readable.
    const hurry = (pass: () => void): void => process.nextTick(pass);
    const lookout = new Lookout(lookOnUs('net', options));
    const reporter = new Reporter(host, setImmediate, hurry, lookout);
    super(reporter, new NetContext(host, reporter, lookout, options.bareHandles ?? true));
    this.limits = {
      receiveDepth: 1,
      sendDepth: options.sendDepth ?? 16,
      maxTransferBytes: 0x7fff_ffff,
      selectsBuffers: true,
    };
    this.#addresses = new AddressRecords(host.core.u8);
  }

  attach(ready: () => void): void {
    this.reporter.attach(ready);
  }

  wake(): void {
    this.reporter.ask();
  }

  flush(): void {
    const context = this.context;
    const { dirty, dirtyCount } = context;
    if (dirtyCount === 0) return;
    this.reporter.enter();
    for (let index = 0; index < dirtyCount; index++) (dirty[index] as StreamConnection).flush();
    context.dirtyCount = 0;
    this.reporter.leave();
  }

  // ---------------------------------------------------------------- opening

  listen(token: number, endpoint: Endpoint, options: ListenerOptions): void {
    if (!this.validEndpoint(token, endpoint)) return;
    this.reporter.enter();
    const listener = new StreamListener(this.context, token, endpoint, options);
    this.begin(token, listener);
    this.context.begun.add(listener);
    listener.start();
    this.reporter.leave();
  }

  accept(token: number, listener: number): void {
    const entry = this.entry(token, listener, StreamListener);
    if (entry === undefined) return;
    this.begin(token, entry);
    entry.accept(token);
  }

  connect(token: number, endpoint: Endpoint, options: StreamOptions): void {
    if (!this.validEndpoint(token, endpoint)) return;
    this.reporter.enter();
    const path = 'path' in endpoint ? endpoint.path : undefined;
    const connection = new SocketConnection(this.context, path);
    this.begin(token, connection);
    try {
      const target = 'path' in endpoint ? { path: endpoint.path } : endpoint;
      const tcp =
        path === undefined
          ? {
              noDelay: options.noDelay,
              keepAlive: options.keepAliveMs > 0,
              keepAliveInitialDelay: options.keepAliveMs,
            }
          : {};
      // Bun copies what it read to the buffer of `onread`; taking its chunk is one copy less.
      const reading = isBun
        ? {}
        : { onread: { buffer: this.context.scratchRange, callback: connection.onRead } };
      const socket = net.connect({ ...target, ...tcp, ...reading, allowHalfOpen: true });
      connection.adopt(socket, isBun);
      connection.connecting(token);
      this.context.begun.add(connection);
    } catch (error) {
      const { result, systemError } = failureOf(error);
      this.reporter.finish(token, result || ERROR_INVALID_OPTION, systemError);
    }
    this.reporter.leave();
  }

  bind(token: number, endpoint: Endpoint, options: DatagramOptions): void {
    if (!this.validEndpoint(token, endpoint)) return;
    this.reporter.enter();
    const socket = new DatagramSocket(this.context, this.#addresses, token);
    this.begin(token, socket);
    this.context.begun.add(socket);
    void socket.bind(endpoint, options);
    this.reporter.leave();
  }

  // ---------------------------------------------------------------- handles by kind

  protected connection(token: number, handle: number): StreamConnection | undefined {
    return this.entry(token, handle, StreamConnection);
  }

  protected datagramSocket(token: number, handle: number): DatagramSocket | undefined {
    return this.entry(token, handle, DatagramSocket);
  }
}
