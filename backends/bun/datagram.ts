/** A UDP socket of Bun. */
import net from 'node:net';
import {
  ADDRESS_BYTES,
  ERROR_CANCELED,
  ERROR_INVALID_OPTION,
  ERROR_NOT_SUPPORTED,
} from '#generated/layout';
import type { AddressRecords } from '../../src/core/address.ts';
import type { DatagramOptions, Endpoint, SocketAddress } from '../backend.ts';
import { DatagramQueue } from '../stream/datagram-queue.ts';
import type { Entry } from '../stream/driver.ts';
import { failureOf } from '../stream/failure.ts';
import { NO_TOKEN, type OperationOwner } from '../stream/reporter.ts';
import { resolveHost } from '../stream/resolve.ts';
import type { BunUdpSocket } from './bun-api.ts';
import type { BunContext } from './context.ts';

interface PendingSend {
  readonly token: number;
  readonly offset: number;
  readonly length: number;
}

export class BunDatagramSocket implements Entry, OperationOwner {
  readonly #context: BunContext;
  readonly #addresses: AddressRecords;
  readonly #queue: DatagramQueue;
  /** Sends that the system had no room for. */
  readonly #waiting: PendingSend[] = [];
  #socket: BunUdpSocket | undefined;
  #bindToken: number;
  #handle = NO_TOKEN;
  #closing = false;
  #ipv6 = false;
  #local: SocketAddress | undefined;
  #peer: SocketAddress | undefined;

  constructor(context: BunContext, addresses: AddressRecords, token: number) {
    this.#context = context;
    this.#addresses = addresses;
    this.#queue = new DatagramQueue(context.reporter, addresses, context.counts);
    this.#bindToken = token;
    context.begun.add(this);
  }

  async bind(endpoint: Endpoint, options: DatagramOptions): Promise<void> {
    const { peer } = options;
    if ('path' in endpoint || (peer !== undefined && 'path' in peer)) {
      this.#failBind(ERROR_NOT_SUPPORTED, 0);
      return;
    }
    try {
      const hostname = await resolveHost(endpoint.host);
      const remote = peer === undefined ? undefined : await resolveHost(peer.host);
      if (this.#closing) {
        this.#context.begun.delete(this);
        return;
      }
      this.#ipv6 = net.isIPv6(hostname);
      const socket = await this.#context.bun.udpSocket({
        hostname,
        port: endpoint.port,
        reuseAddr: options.reuseAddress,
        ipv6Only: options.ipv6Only,
        ...(remote === undefined
          ? {}
          : { connect: { hostname: this.#mapped(remote), port: peer?.port ?? 0 } }),
        socket: {
          data: (_socket, payload, port, address) => {
            if (!this.#closing) this.#queue.offer(payload, address, port, false);
          },
          drain: () => this.#drain(),
          error: (...details) => this.#onError(details.find((detail) => detail instanceof Error)),
        },
      });
      this.#onBound(socket, options, remote, peer?.port ?? 0);
    } catch (error) {
      const { result, systemError } = failureOf(error);
      this.#failBind(result || ERROR_INVALID_OPTION, systemError);
    }
  }

  #onBound(
    socket: BunUdpSocket,
    options: DatagramOptions,
    remote: string | undefined,
    remotePort: number,
  ): void {
    this.#context.begun.delete(this);
    if (this.#closing) {
      socket.close();
      return;
    }
    this.#socket = socket;
    if (options.broadcast) socket.setBroadcast(true);
    const { address, port } = socket.address;
    this.#local = { address, port, family: this.#ipv6 ? 'IPv6' : 'IPv4' };
    if (remote !== undefined) {
      const family = net.isIPv6(remote) ? 'IPv6' : 'IPv4';
      this.#peer = { address: remote, port: remotePort, family };
    }
    const token = this.#bindToken;
    this.#bindToken = NO_TOKEN;
    this.#handle = this.#context.open(this);
    this.#context.reporter.finish(token, this.#handle);
  }

  #failBind(result: number, systemError: number): void {
    const token = this.#bindToken;
    if (token === NO_TOKEN) return;
    this.#bindToken = NO_TOKEN;
    this.#closing = true;
    this.#context.begun.delete(this);
    this.#context.reporter.finish(token, result, systemError);
  }

  /** An IPv6 socket reaches IPv4 addresses as mapped ones. */
  #mapped(address: string): string {
    return this.#ipv6 && net.isIPv4(address) ? `::ffff:${address}` : address;
  }

  receiveFrom(token: number, offset: number, length: number): void {
    this.#queue.receive(token, offset, length);
  }

  sendTo(token: number, offset: number, length: number): void {
    const send = { token, offset, length };
    if (this.#waiting.length > 0 || !this.#trySend(send)) this.#waiting.push(send);
  }

  #drain(): void {
    while (this.#waiting.length > 0 && this.#trySend(this.#waiting[0] as PendingSend)) {
      this.#waiting.shift();
    }
  }

  /** False: the system has no room now. A failure completes the send. */
  #trySend({ token, offset, length }: PendingSend): boolean {
    const { memory, reporter } = this.#context;
    try {
      if (length < ADDRESS_BYTES) throw Object.assign(new Error(), { code: 'EINVAL' });
      if (!this.#send(offset, memory.subarray(offset + ADDRESS_BYTES, offset + length))) {
        return false;
      }
      this.#context.count('datagramsSent');
      reporter.finish(token, length - ADDRESS_BYTES);
    } catch (error) {
      const { result, systemError } = failureOf(error);
      reporter.finish(token, result, systemError);
    }
    return true;
  }

  #send(offset: number, payload: Uint8Array): boolean {
    const socket = this.#socket as BunUdpSocket;
    if (this.#peer !== undefined) {
      if (this.#addresses.family(offset) !== 0) {
        throw Object.assign(new Error(), { code: 'EISCONN' });
      }
      return socket.send(payload);
    }
    const target = this.#addresses.read(offset);
    if (target === undefined) throw Object.assign(new Error(), { code: 'EDESTADDRREQ' });
    return socket.send(payload, target.port, this.#mapped(target.address));
  }

  cancel(token: number): void {
    if (token === this.#bindToken) {
      this.#failBind(ERROR_CANCELED, 0);
      return;
    }
    const at = this.#waiting.findIndex((send) => send.token === token);
    if (at >= 0) {
      this.#waiting.splice(at, 1);
      this.#context.reporter.finish(token, ERROR_CANCELED);
    } else this.#queue.cancel(token);
  }

  close(token: number): void {
    this.abandon();
    this.#context.reporter.finish(token, 0);
  }

  abandon(): void {
    this.#closing = true;
    this.#queue.cancelAll();
    for (const { token } of this.#waiting.splice(0)) {
      this.#context.reporter.finish(token, ERROR_CANCELED);
    }
    this.#failBind(ERROR_CANCELED, 0);
    if (this.#socket?.closed === false) this.#socket.close();
    if (this.#handle === NO_TOKEN) return;
    this.#context.closed(this.#handle);
    this.#handle = NO_TOKEN;
  }

  #onError(error: unknown): void {
    this.#context.count('datagramErrors');
    const { result, systemError } = failureOf(error);
    if (!this.#closing) this.#queue.fail(result || ERROR_INVALID_OPTION, systemError);
  }

  localAddress(): SocketAddress | undefined {
    return this.#local;
  }

  remoteAddress(): SocketAddress | undefined {
    return this.#peer;
  }

  configure(): void {
    // Nothing of a stream's options applies to datagrams.
  }

  setReferenced(referenced: boolean): void {
    if (referenced) this.#socket?.ref();
    else this.#socket?.unref();
  }
}
