/** `listen`: a listener and its connections. */
import * as layout from '#generated/layout';
import type { Endpoint, SocketAddress } from '../backends/backend.ts';
import { Connection } from './connection.ts';
import { type Deferred, deferred } from './deferred.ts';
import { endpointOf } from './endpoint.ts';
import type { Entity } from './entity.ts';
import type { OverlappedError } from './errors.ts';
import { checkHandlers, type Group, groupOf } from './handlers.ts';
import { booleanOption, integerOption, invalidOption, knownOptions } from './options.ts';
import type { Port } from './port.ts';
import type { PortBackend } from './port-opening.ts';
import { acquirePort, CONNECTION_OPTION_NAMES, canceled, PORT_OPTION_NAMES } from './ports.ts';
import { type Profile, profileValues, streamOptions } from './profile.ts';
import { closeOnAbort, createRecord, handleOf, openingToken } from './record.ts';
import type { ListenOptions, WorkerListenOptions } from './types.ts';
import type { HandOverOptions } from './workers/io/listener.ts';
import type { WorkerServer } from './workers/io/worker-server.ts';

const OPTION_NAMES = new Set([
  ...CONNECTION_OPTION_NAMES,
  ...PORT_OPTION_NAMES,
  'workers',
  'port',
  'host',
  'path',
  'backlog',
  'reusePort',
  'ipv6Only',
  'maxListenerConnections',
  'on',
  'signal',
]);
/** After a failed accept (out of descriptors, for one) the listener tries again after this. */
const ACCEPT_RETRY_MS = 100;

export interface ServerStatistics {
  readonly connections: number;
  readonly accepted: number;
  /** Accepts that failed; the listener went on. */
  readonly acceptErrors: number;
}

/** A listening socket. */
export class Server<Message = Uint8Array> implements Entity {
  readonly port: Port;
  readonly batchGroup = undefined;
  readonly hasTimeLimit = false;
  readonly #slot: number;
  readonly #profile: Profile;
  readonly #group: Group<Message>;
  readonly #opening: Deferred<Server<Message>>;
  readonly #closed = deferred();
  readonly #connections = new Set<Connection<Message>>();
  #address: SocketAddress | undefined;
  #closing = false;
  #gone = false;
  #accepted = 0;
  #acceptErrors = 0;

  /** @internal */
  constructor(
    port: Port,
    slot: number,
    profile: Profile,
    options: ListenOptions<Message>,
    opening: Deferred<Server<Message>>,
  ) {
    this.port = port;
    this.#slot = slot;
    this.#profile = profile;
    this.#group = groupOf(options, profile, (gone) => this.#connections.delete(gone));
    this.#opening = opening;
    port.entities[slot] = this;
  }

  /** Where it listens, with the port that the system chose. */
  get address(): SocketAddress {
    return this.#address as SocketAddress;
  }

  get backend(): PortBackend {
    return this.port.backend;
  }

  /** Connections open now. */
  get connections(): number {
    return this.#connections.size;
  }

  /** The connections open now. */
  openConnections(): IterableIterator<Connection<Message>> {
    return this.#connections.values();
  }

  /**
   * A connection by its `id`.
   * @throws OverlappedError STALE_TOKEN if this server has none of that id any more
   */
  connection(id: number): Connection<Message> {
    const { port } = this;
    const slot = port.core.exports.poolCheck(port.regions.connections, id - port.idBase);
    const entity = slot < 0 ? undefined : port.entities[slot];
    if (entity instanceof Connection && entity.id === id && this.#connections.has(entity)) {
      return entity;
    }
    throw port.errorOf(layout.ERROR_STALE_TOKEN, 'connection');
  }

  statistics(): ServerStatistics {
    return {
      connections: this.#connections.size,
      accepted: this.#accepted,
      acceptErrors: this.#acceptErrors,
    };
  }

  /** Stops listening, closes its connections in order, and resolves once all are gone. */
  async close(): Promise<void> {
    if (!this.#closing && !this.#gone) {
      this.#closing = true;
      this.port.core.exports.connectionClose(this.port.regions.worker, this.#slot);
      this.port.scheduleFlush();
    }
    await this.#closed.promise;
    await Promise.all([...this.#connections].map((connection) => connection.close()));
  }

  shutDown(): Promise<void> {
    return this.close();
  }

  /** Stops listening and resets its connections. */
  abort(): void {
    if (!this.#gone) {
      this.#closing = true;
      const { exports } = this.port.core;
      exports.connectionAbort(this.port.regions.worker, this.#slot, layout.ERROR_ABORTED);
      this.port.scheduleFlush();
    }
    for (const connection of this.#connections) connection.abort();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Does not keep the host's process alive. */
  unref(): void {
    if (!this.#gone) this.port.driver.setReferenced(this.listenerHandle, false);
  }

  ref(): void {
    if (!this.#gone) this.port.driver.setReferenced(this.listenerHandle, true);
  }

  /** @internal What its connections have in common. */
  get profile(): Profile {
    return this.#profile;
  }

  /** @internal The backend's handle of the listener. */
  get listenerHandle(): number {
    return handleOf(this.port, this.#slot);
  }

  /** @internal A connection of this listener was accepted: its record is in `slot`. */
  adopt(slot: number): Connection<Message> {
    const { port } = this;
    this.#accepted++;
    const connection = new Connection<Message>({
      port,
      slot,
      token: port.core.f64[(port.recordOf(slot) + layout.Connection.token) >>> 3] as number,
      group: this.#group,
    });
    port.profiles.share(this.#profile);
    this.#connections.add(connection);
    return connection;
  }

  /** @internal */
  handle(kind: number, offset: number, length: number): void {
    switch (kind) {
      case layout.EVENT_OPEN:
        this.#address = this.port.driver.localAddress(this.listenerHandle);
        this.#opening.resolve(this);
        break;
      case layout.EVENT_ERROR:
        this.#acceptFailed(this.port.errorOf(offset | 0, 'accept', length));
        break;
      case layout.EVENT_CLOSE:
        this.#gone = true;
        this.port.entities[this.#slot] = undefined;
        this.port.profiles.release(this.#profile);
        this.#opening.reject(this.port.errorOf(offset | 0, 'listen', length));
        this.#closed.resolve();
        break;
    }
  }

  #acceptFailed(error: OverlappedError): void {
    this.#acceptErrors++;
    this.port.countError(error);
    this.port.driver.setTimer(ACCEPT_RETRY_MS, () => {
      if (this.#gone || this.#closing) return;
      this.port.core.exports.listenerResume(this.port.regions.worker, this.#slot);
      this.port.scheduleFlush();
    });
  }
}

/**
 * Listens for connections that speak framed messages, in worker threads.
 * @throws OverlappedError see `listenWithWorkers`
 */
export function listen(options: WorkerListenOptions): Promise<WorkerServer>;
/**
 * Listens for connections that speak framed messages.
 * @throws OverlappedError INVALID_OPTION, NOT_SUPPORTED, ADDRESS_IN_USE, ACCESS,
 *   UNREACHABLE (no such address here), NO_BUFFERS, CANCELED by the signal
 */
export function listen<Message = Uint8Array>(
  options: ListenOptions<Message>,
): Promise<Server<Message>>;
export async function listen<Message>(
  options: ListenOptions<Message> | WorkerListenOptions,
): Promise<Server<Message> | WorkerServer> {
  if (!isThreadless(options)) {
    const { listenWithWorkers } = await import('./workers/io/listen.ts');
    return listenWithWorkers(options, (own, handOver) => listenHere(own, handOver));
  }
  return listenHere(options);
}

function isThreadless<Message>(
  options: ListenOptions<Message> | WorkerListenOptions,
): options is ListenOptions<Message> {
  if (options.workers !== undefined && options.workers !== 0) return false;
  if ('handlers' in options) {
    throw invalidOption('workers', options.workers, "a number above 0, or 'auto', with handlers");
  }
  return true;
}

/** @internal `listen` without workers. */
export async function listenHere<Message>(
  options: ListenOptions<Message>,
  handOver: HandOverOptions = {},
): Promise<Server<Message>> {
  knownOptions('listen', options, OPTION_NAMES);
  checkHandlers(options);
  const endpoint: Endpoint = endpointOf(options, 0);
  const listenerOptions = {
    ...streamOptions(options),
    ...handOver,
    backlog: integerOption('backlog', options.backlog, 511, 1, 65_535),
    reusePort: booleanOption('reusePort', options.reusePort, false),
    ipv6Only: booleanOption('ipv6Only', options.ipv6Only, false),
  };
  const most = integerOption(
    'maxListenerConnections',
    options.maxListenerConnections,
    0,
    0,
    2 ** 20,
  );
  const { signal } = options;
  const port = await acquirePort(options);
  if (signal?.aborted) throw canceled(signal);
  const values = profileValues(options, port.driver.limits, port.receiveBufferBytes, {
    receiveWhileBlocked: false,
    maxConnections: most,
  });
  const { slot, profile } = createRecord(port, layout.CONNECTION_LISTENER, values, 'listen');
  const opening = deferred<Server<Message>>();
  const server = new Server<Message>(port, slot, profile, options, opening);
  port.driver.listen(openingToken(port, layout.OPERATION_LISTEN, slot), endpoint, listenerOptions);
  port.scheduleFlush();
  await opening.promise;
  closeOnAbort(signal, () => server.close());
  return server;
}
