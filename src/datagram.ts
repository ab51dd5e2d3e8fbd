/** Datagram sockets (R18). */
import * as layout from '#generated/layout';
import type { DatagramOptions, SocketAddress } from '../backends/backend.ts';
import type { IpAddress } from './core/address.ts';
import { DEPTH_MAX } from './core/regions.ts';
import { type Deferred, deferred } from './deferred.ts';
import { endpointOf } from './endpoint.ts';
import type { Entity } from './entity.ts';
import { OverlappedError } from './errors.ts';
import { raw } from './framing.ts';
import { MessageQueue } from './message-queue.ts';
import { booleanOption, functionOptions, integerOption, knownOptions } from './options.ts';
import type { Port } from './port.ts';
import type { PortBackend } from './port-opening.ts';
import type { PortOptions } from './port-options.ts';
import { acquirePort, canceled, PORT_OPTION_NAMES } from './ports.ts';
import { type Profile, profileValues } from './profile.ts';
import { closeOnAbort, createRecord, handleOf, openingToken } from './record.ts';
import { type ConnectionStatistics, connectionStatistics } from './stats.ts';

const OPTION_NAMES = new Set([
  ...PORT_OPTION_NAMES,
  'host',
  'port',
  'peer',
  'receiveDepth',
  'sendDepth',
  'message',
  'error',
  'drain',
  'close',
  'highWaterMarkBytes',
  'maxQueuedBytes',
  'reuseAddress',
  'broadcast',
  'ipv6Only',
  'on',
  'signal',
]);
/** Largest payload that UDP over IPv4 can carry. */
const PAYLOAD_MAX_BYTES = 65_507;

/** After receives that failed again and again the next ones go out after this. */
const RECEIVE_RETRY_MS = 100;

/** Where the system names no sender. */
const NOWHERE: IpAddress = { address: '', port: 0, family: 'IPv4' };

/** One datagram, owned. */
export interface Datagram {
  readonly message: Uint8Array;
  readonly from: IpAddress;
}

export interface DatagramSocketOptions extends Omit<PortOptions, 'shared'> {
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** 0 (default): the system chooses. */
  readonly port?: number;
  /** Send to and hear from this peer only. */
  readonly peer?: { readonly host: string; readonly port: number };
  /** Receives kept pending. Default 8. */
  readonly receiveDepth?: number;
  readonly sendDepth?: number;
  readonly highWaterMarkBytes?: number;
  readonly maxQueuedBytes?: number;
  readonly reuseAddress?: boolean;
  readonly broadcast?: boolean;
  readonly ipv6Only?: boolean;
  /** One datagram; `bytes` is borrowed. Without it, iterate over the socket. */
  message?(socket: DatagramSocket, bytes: Uint8Array, from: IpAddress): void;
  /** A datagram could not be sent or received; the socket goes on. */
  error?(socket: DatagramSocket, error: OverlappedError): void;
  drain?(socket: DatagramSocket): void;
  close?(socket: DatagramSocket): void;
  readonly on?: Port;
  /** Aborting it closes the socket. */
  readonly signal?: AbortSignal;
}

export class DatagramSocket implements Entity {
  readonly port: Port;
  readonly batchGroup = undefined;
  readonly hasTimeLimit = false;
  readonly #slot: number;
  readonly #profile: Profile;
  readonly #options: DatagramSocketOptions;
  readonly #opening: Deferred<DatagramSocket>;
  readonly #closed = deferred();
  readonly #queue: MessageQueue<Datagram> | undefined;
  readonly #connected: boolean;
  #address: SocketAddress | undefined;
  #drained: Deferred<void> | undefined;
  #blocked = false;
  #ended = false;
  #gone = false;
  #retrying = false;
  #lastStatistics: ConnectionStatistics | undefined;

  /** @internal */
  constructor(
    port: Port,
    slot: number,
    profile: Profile,
    options: DatagramSocketOptions,
    opening: Deferred<DatagramSocket>,
  ) {
    this.port = port;
    this.#slot = slot;
    this.#profile = profile;
    this.#options = options;
    this.#opening = opening;
    this.#connected = options.peer !== undefined;
    if (options.message === undefined) {
      // A consumer that lags loses nothing that was received: the system drops what comes then.
      this.#queue = new MessageQueue(profile.values.highWaterMarkBytes, {
        hold: () => this.#hold('connectionHold'),
        resume: () => this.#hold('connectionResume'),
      });
    }
    port.entities[slot] = this;
  }

  get address(): SocketAddress {
    return this.#address as SocketAddress;
  }

  get backend(): PortBackend {
    return this.port.backend;
  }

  /**
   * Queues one datagram; the bytes are copied.
   * @param to an IP address and port; left out on a socket with a peer
   * @returns false if the caller should wait for `drained()`
   * @throws OverlappedError CLOSED, NO_BUFFERS, FRAME_TOO_LONG above 65,507 bytes, INVALID_OPTION
   */
  send(bytes: Uint8Array, to?: { readonly host: string; readonly port: number }): boolean {
    if (this.#ended) throw new OverlappedError('CLOSED', 'the socket is closed');
    if (!this.#connected && to === undefined) {
      throw new OverlappedError('INVALID_OPTION', 'to is missing; a socket without peer needs it');
    }
    if (bytes.length > PAYLOAD_MAX_BYTES) {
      throw new OverlappedError(
        'FRAME_TOO_LONG',
        `a datagram of ${bytes.length} bytes; ${PAYLOAD_MAX_BYTES} is the most`,
      );
    }
    const { core, regions, addresses } = this.port;
    const { scratch } = regions;
    if (to !== undefined && !addresses.write(scratch, to.host, to.port)) {
      throw new OverlappedError(
        'INVALID_OPTION',
        `to.host is ${JSON.stringify(to.host)}; allowed is an IP address`,
      );
    }
    const at = core.exports.datagramRoom(regions.worker, this.#slot, bytes.length);
    if (at < 0) throw this.port.errorOf(at, 'send');
    if (to === undefined) core.u8.fill(0, at, at + layout.ADDRESS_BYTES);
    else core.u8.copyWithin(at, scratch, scratch + layout.ADDRESS_BYTES);
    core.u8.set(bytes, at + layout.ADDRESS_BYTES);
    const result = core.exports.datagramQueued(regions.worker, this.#slot);
    this.port.scheduleFlush();
    this.#blocked = result === 0;
    return result === 1;
  }

  drained(): Promise<void> {
    if (this.#gone) return Promise.reject(new OverlappedError('CLOSED', 'the socket is closed'));
    if (!this.#blocked) return Promise.resolve();
    this.#drained ??= deferred();
    return this.#drained.promise;
  }

  /** Sends what is queued, then closes. */
  close(): Promise<void> {
    if (!this.#ended) {
      this.#ended = true;
      this.port.core.exports.connectionClose(this.port.regions.worker, this.#slot);
      this.port.scheduleFlush();
    }
    return this.#closed.promise;
  }

  /** Closes without sending what is queued. */
  abort(): void {
    if (this.#gone) return;
    this.#ended = true;
    const { exports } = this.port.core;
    exports.connectionAbort(this.port.regions.worker, this.#slot, layout.ERROR_ABORTED);
    this.port.scheduleFlush();
  }

  shutDown(): Promise<void> {
    return this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Datagrams, owned. @throws OverlappedError INVALID_OPTION if a `message` handler takes them */
  [Symbol.asyncIterator](): AsyncIterableIterator<Datagram> {
    if (this.#queue === undefined) {
      throw new OverlappedError('INVALID_OPTION', 'the datagrams go to the message handler');
    }
    return this.#queue.iterate(() => void this.close());
  }

  statistics(): ConnectionStatistics {
    return (
      this.#lastStatistics ?? connectionStatistics(this.port.core, this.port.recordOf(this.#slot))
    );
  }

  unref(): void {
    if (!this.#gone) this.port.driver.setReferenced(this.#handle, false);
  }

  ref(): void {
    if (!this.#gone) this.port.driver.setReferenced(this.#handle, true);
  }

  get #handle(): number {
    return handleOf(this.port, this.#slot);
  }

  #hold(name: 'connectionHold' | 'connectionResume'): void {
    if (this.#gone) return;
    this.port.core.exports[name](this.port.regions.worker, this.#slot);
    this.port.scheduleFlush();
  }

  /** Receives that keep failing have stopped: they go on after a while. */
  #retryReceives(): void {
    const { core, driver, regions } = this.port;
    const field = (this.port.recordOf(this.#slot) + layout.Connection.state) >>> 2;
    if (this.#retrying || ((core.u32[field] as number) & layout.STATE_PAUSED) === 0) return;
    this.#retrying = true;
    driver.setTimer(RECEIVE_RETRY_MS, () => {
      this.#retrying = false;
      if (this.#gone) return;
      core.exports.listenerResume(regions.worker, this.#slot);
      this.port.scheduleFlush();
    });
  }

  /** @internal */
  handle(kind: number, offset: number, length: number): void {
    try {
      this.#dispatch(kind, offset, length);
    } catch (exception) {
      this.port.surface(exception);
    }
  }

  #dispatch(kind: number, offset: number, length: number): void {
    const { core } = this.port;
    switch (kind) {
      case layout.EVENT_DATAGRAM: {
        if (this.#ended) return;
        const from = this.port.addresses.read(offset - layout.ADDRESS_BYTES) ?? NOWHERE;
        const bytes = this.port.payloads.borrow(offset, length);
        if (this.#queue === undefined) this.#options.message?.(this, bytes, from);
        else this.#queue.push({ message: bytes.slice(), from }, length);
        break;
      }
      case layout.EVENT_OPEN:
        this.#address = this.port.driver.localAddress(this.#handle);
        this.#opening.resolve(this);
        break;
      case layout.EVENT_DRAIN:
        this.#blocked = false;
        this.#drained?.resolve();
        this.#drained = undefined;
        this.#options.drain?.(this);
        break;
      case layout.EVENT_ERROR:
      case layout.EVENT_DATAGRAM_ERROR: {
        const error = this.port.countError(this.port.errorOf(offset | 0, 'datagram', length));
        this.#retryReceives();
        this.#options.error?.(this, error);
        break;
      }
      case layout.EVENT_CLOSE: {
        const error = this.port.errorOf(offset | 0, 'bind', length);
        this.#lastStatistics = connectionStatistics(core, this.port.recordOf(this.#slot));
        this.#gone = true;
        this.#ended = true;
        this.port.entities[this.#slot] = undefined;
        this.port.profiles.release(this.#profile);
        this.#opening.reject(error);
        this.#drained?.reject(new OverlappedError('CLOSED', 'the socket is closed'));
        this.#queue?.end(undefined);
        this.#closed.resolve();
        if (this.#address !== undefined) this.#options.close?.(this);
        break;
      }
    }
  }
}

/**
 * Opens a datagram socket.
 * @throws OverlappedError INVALID_OPTION, NOT_SUPPORTED, ADDRESS_IN_USE, ACCESS, UNREACHABLE, NO_BUFFERS
 */
export async function datagram(options: DatagramSocketOptions = {}): Promise<DatagramSocket> {
  knownOptions('datagram', options, OPTION_NAMES);
  functionOptions(options, ['message', 'error', 'drain', 'close']);
  const endpoint = endpointOf(options, 0);
  const bindOptions: DatagramOptions = {
    reuseAddress: booleanOption('reuseAddress', options.reuseAddress, false),
    broadcast: booleanOption('broadcast', options.broadcast, false),
    ipv6Only: booleanOption('ipv6Only', options.ipv6Only, false),
    ...(options.peer === undefined ? {} : { peer: endpointOf(options.peer, 1) }),
  };
  const { signal } = options;
  const port = await acquirePort(options);
  if (signal?.aborted) throw canceled(signal);
  // Datagrams have their own depths: each stands alone, so no backend's order limits them.
  const depths = { ...port.driver.limits, receiveDepth: DEPTH_MAX, sendDepth: DEPTH_MAX };
  const values = profileValues(
    {
      framing: raw(),
      receiveDepth: integerOption('receiveDepth', options.receiveDepth, 8, 1, DEPTH_MAX),
      ...(options.sendDepth === undefined ? {} : { sendDepth: options.sendDepth }),
      ...(options.highWaterMarkBytes === undefined
        ? {}
        : { highWaterMarkBytes: options.highWaterMarkBytes }),
      ...(options.maxQueuedBytes === undefined ? {} : { maxQueuedBytes: options.maxQueuedBytes }),
    },
    depths,
    port.receiveBufferBytes,
  );
  const { slot, profile } = createRecord(port, layout.CONNECTION_DATAGRAM, values, 'bind');
  const opening = deferred<DatagramSocket>();
  const socket = new DatagramSocket(port, slot, profile, options, opening);
  port.driver.bind(openingToken(port, layout.OPERATION_LISTEN, slot), endpoint, bindOptions);
  port.scheduleFlush();
  await opening.promise;
  closeOnAbort(signal, () => socket.close());
  return socket;
}
