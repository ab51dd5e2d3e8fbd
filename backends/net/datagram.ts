/** A UDP socket of node:dgram. */
import dgram, { type RemoteInfo, type Socket } from 'node:dgram';
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
import type { NetContext } from './context.ts';

type LookupCallback = (error: Error | null, address: string, family: number) => void;

/** Addresses are numeric by the time a socket sees them: no resolver, no extra tick. */
function asIs(host: string, options: unknown, callback: LookupCallback): void {
  const done = typeof options === 'function' ? (options as LookupCallback) : callback;
  done(null, host, net.isIPv6(host) ? 6 : 4);
}

/** One sendTo; records are reused. */
class DatagramSend {
  token = NO_TOKEN;
  length = 0;
  owner: DatagramSocket | undefined;
  readonly done = (error: Error | null): void => {
    this.owner?.onSent(this, error);
  };
}

export class DatagramSocket implements Entry, OperationOwner {
  readonly #context: NetContext;
  readonly #addresses: AddressRecords;
  readonly #queue: DatagramQueue;
  readonly #pool: DatagramSend[] = [];
  readonly #sends = new Set<DatagramSend>();
  #socket: Socket | undefined;
  #bindToken: number;
  #closeToken = NO_TOKEN;
  #handle = NO_TOKEN;
  #closing = false;
  #ipv6 = false;
  #local: SocketAddress | undefined;
  #peer: SocketAddress | undefined;

  constructor(context: NetContext, addresses: AddressRecords, token: number) {
    this.#context = context;
    this.#addresses = addresses;
    this.#queue = new DatagramQueue(context.reporter, addresses, context.counts);
    this.#bindToken = token;
  }

  async bind(endpoint: Endpoint, options: DatagramOptions): Promise<void> {
    const { peer } = options;
    if ('path' in endpoint || (peer !== undefined && 'path' in peer)) {
      this.#failBind(ERROR_NOT_SUPPORTED, 0);
      return;
    }
    try {
      const local = await resolveHost(endpoint.host);
      const remote = peer === undefined ? undefined : await resolveHost(peer.host);
      if (this.#closing) return;
      this.#create(local, endpoint.port, options, remote, peer?.port ?? 0);
    } catch (error) {
      const { result, systemError } = failureOf(error);
      this.#failBind(result, systemError);
    }
  }

  #create(
    host: string,
    port: number,
    options: DatagramOptions,
    remote: string | undefined,
    remotePort: number,
  ): void {
    this.#ipv6 = net.isIPv6(host);
    const socket = dgram.createSocket({
      type: this.#ipv6 ? 'udp6' : 'udp4',
      reuseAddr: options.reuseAddress,
      ipv6Only: options.ipv6Only,
      lookup: asIs as never,
    });
    this.#socket = socket;
    socket.on('error', this.#onError);
    socket.on('message', this.#onMessage);
    socket.on('close', this.#onClose);
    socket.bind({ address: host, port, exclusive: true }, () => {
      if (this.#closing) return;
      try {
        if (options.broadcast) socket.setBroadcast(true);
        if (remote === undefined) this.#ready();
        else {
          const family = net.isIPv6(remote) ? 'IPv6' : 'IPv4';
          this.#peer = { address: remote, port: remotePort, family };
          const target = this.#ipv6 && family === 'IPv4' ? `::ffff:${remote}` : remote;
          socket.connect(remotePort, target, ((error?: Error) => {
            if (error === undefined || error === null) this.#ready();
            else this.#onError(error);
          }) as () => void);
        }
      } catch (error) {
        this.#onError(error as Error);
      }
    });
  }

  #ready(): void {
    const token = this.#bindToken;
    if (token === NO_TOKEN || this.#closing) return;
    this.#bindToken = NO_TOKEN;
    const { address, port } = (this.#socket as Socket).address();
    this.#local = { address, port, family: this.#ipv6 ? 'IPv6' : 'IPv4' };
    this.#context.forget(this);
    this.#handle = this.#context.open(this);
    this.#context.reporter.finish(token, this.#handle);
  }

  #failBind(result: number, systemError: number): void {
    const token = this.#bindToken;
    if (token === NO_TOKEN) return;
    this.#bindToken = NO_TOKEN;
    this.#closing = true;
    this.#context.forget(this);
    this.#closeSocket();
    this.#context.reporter.finish(token, result, systemError);
  }

  receiveFrom(token: number, offset: number, length: number): void {
    this.#queue.receive(token, offset, length);
  }

  sendTo(token: number, offset: number, length: number): void {
    const socket = this.#socket as Socket;
    const { bytes } = this.#context;
    const record = this.#pool.pop() ?? new DatagramSend();
    record.token = token;
    record.length = length - ADDRESS_BYTES;
    record.owner = this;
    this.#sends.add(record);
    try {
      if (length < ADDRESS_BYTES) throw Object.assign(new Error(), { code: 'EINVAL' });
      const payload = bytes.subarray(offset + ADDRESS_BYTES, offset + length);
      if (this.#peer !== undefined) {
        if (this.#addresses.family(offset) !== 0) {
          throw Object.assign(new Error(), { code: 'EISCONN' });
        }
        socket.send(payload, record.done as () => void);
        return;
      }
      const target = this.#addresses.read(offset);
      if (target === undefined) throw Object.assign(new Error(), { code: 'EDESTADDRREQ' });
      const mapped = this.#ipv6 && target.family === 'IPv4';
      socket.send(
        payload,
        target.port,
        mapped ? `::ffff:${target.address}` : target.address,
        record.done as () => void,
      );
    } catch (error) {
      this.onSent(record, error as Error);
    }
  }

  onSent(record: DatagramSend, error: Error | null): void {
    if (!this.#sends.delete(record)) return;
    const { token, length } = record;
    this.#pool.push(record);
    const { reporter } = this.#context;
    if (error === null || error === undefined) {
      this.#context.count('datagramsSent');
      reporter.finish(token, length);
      return;
    }
    const { result, systemError } = failureOf(error);
    reporter.finish(token, this.#closing ? ERROR_CANCELED : result, systemError);
  }

  cancel(token: number): void {
    if (token === this.#bindToken) this.#failBind(ERROR_CANCELED, 0);
    else this.#queue.cancel(token);
  }

  close(token: number): void {
    this.#closeToken = token;
    this.abandon();
  }

  abandon(): void {
    this.#closing = true;
    this.#queue.cancelAll();
    this.#failBind(ERROR_CANCELED, 0);
    this.#closeSocket();
  }

  #closeSocket(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    try {
      socket.close();
    } catch {
      // Closed already.
      this.#context.reporter.defer({ run: this.#onClose });
    }
  }

  readonly #onMessage = (message: Uint8Array, from: RemoteInfo): void => {
    if (!this.#closing) this.#queue.offer(message, from.address, from.port, true);
  };

  readonly #onError = (error: Error): void => {
    const { result, systemError } = failureOf(error);
    if (this.#bindToken !== NO_TOKEN) {
      this.#failBind(result, systemError);
      return;
    }
    this.#context.count('datagramErrors');
    if (!this.#closing) this.#queue.fail(result || ERROR_INVALID_OPTION, systemError);
  };

  readonly #onClose = (): void => {
    for (const record of this.#sends) {
      this.#context.reporter.finish(record.token, ERROR_CANCELED);
      record.owner = undefined;
    }
    this.#sends.clear();
    const handle = this.#handle;
    if (handle === NO_TOKEN) return;
    this.#handle = NO_TOKEN;
    this.#context.closed(handle);
    if (this.#closeToken !== NO_TOKEN) this.#context.reporter.finish(this.#closeToken, 0);
  };

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
