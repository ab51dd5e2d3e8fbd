/**
 * Accepts for workers that each have a port of their own, where the system does
 * not spread connections over several listening sockets: each goes to the worker
 * that has the fewest.
 */
import type { AcceptedSocket, SocketAddress } from '../../../backends/backend.ts';
import { Port, type PortLeftovers } from '../../port.ts';
import { type BackendDescription, describedBackend } from '../../registry.ts';
import type { PortStatistics } from '../../stats.ts';
import type { IoThread } from './io-thread.ts';
import type { Listen, Listener } from './listener.ts';
import type { ToWorker } from './messages.ts';
import { Lane } from './pinned-lane.ts';
import type { WorkerSettings } from './settings.ts';

/** Of a port that has a listener and no connection. */
const SIZES = {
  maxConnections: 16,
  receiveBuffers: 1,
  receiveBufferBytes: 64,
  arenaBytes: 2 ** 16,
} as const;

export class PinnedAcceptor {
  readonly #backend: BackendDescription;
  readonly #port: Port;
  /** Connections of a worker at which it takes no more. */
  readonly #most: number;
  /** By the worker's number. */
  readonly #lanes: (Lane | undefined)[];
  #listener: Listener | undefined;
  /** Who got the last one. */
  #last = 0;
  #closing: Promise<PortLeftovers> | undefined;

  private constructor(backend: BackendDescription, port: Port, settings: WorkerSettings) {
    const { workers, options } = settings;
    this.#backend = backend;
    this.#port = port;
    this.#most = options.maxListenerConnections || Number.POSITIVE_INFINITY;
    this.#lanes = Array.from({ length: workers }, () => undefined);
    // The first one goes to worker 0.
    this.#last = workers - 1;
  }

  /** Listens; what comes waits until there are workers. @throws what `listen` throws */
  static async open(
    backend: BackendDescription,
    settings: WorkerSettings,
    listen: Listen,
  ): Promise<PinnedAcceptor> {
    const { port, host, backlog, ipv6Only } = settings.options;
    const selection = await describedBackend(backend.name, backend.options);
    const own = await Port.open({ ...SIZES, backend: selection });
    const acceptor = new PinnedAcceptor(backend, own, settings);
    const where = Object.entries({ port, host, backlog, ipv6Only });
    const given = where.filter(([, value]) => value !== undefined);
    try {
      acceptor.#listener = await listen(
        { ...Object.fromEntries(given), on: own },
        { handOver: (accepted) => acceptor.#handOver(accepted) },
      );
    } catch (error) {
      await own.close();
      throw error;
    }
    return acceptor;
  }

  get address(): SocketAddress {
    return (this.#listener as Listener).address;
  }

  /** What a worker is given to listen; it gets connections from `offer` on. */
  listenMessage(thread: IoThread): Extract<ToWorker, { kind: 'listen' }> {
    const lane = new Lane(thread);
    this.#lanes[thread.index] = lane;
    return { kind: 'listen', backend: this.#backend, adopts: lane.adopts(this.address) };
  }

  /** Some worker may take connections that it did not before. */
  offer(): void {
    if (this.#closing !== undefined) return;
    this.#port.driver.offer?.((this.#listener as Listener).listenerHandle);
  }

  /** The thread is gone: the sockets that were on their way to it. */
  gone(thread: IoThread): readonly number[] {
    const lane = this.#lanes[thread.index];
    if (lane?.thread !== thread) return [];
    this.#lanes[thread.index] = undefined;
    return lane.underWay;
  }

  #handOver(accepted: AcceptedSocket): boolean {
    let lane = this.#leastLoaded();
    if (lane === undefined) return false;
    if (lane.load >= this.#most) {
      // Asked first: what is closed from here on is told.
      for (const other of this.#lanes) other?.askForRoom();
      lane = this.#leastLoaded() as Lane;
      if (lane.load >= this.#most) return false;
    }
    this.#last = lane.thread.index;
    lane.handOver(accepted);
    return true;
  }

  /** Of several with as few, the next one in turn. */
  #leastLoaded(): Lane | undefined {
    const { length } = this.#lanes;
    let least: Lane | undefined;
    for (let step = 1; step <= length; step++) {
      const lane = this.#lanes[(this.#last + step) % length];
      if (lane?.isOpen !== true) continue;
      if (least === undefined || lane.load < least.load) least = lane;
    }
    return least;
  }

  get acceptErrors(): number {
    return this.#listener?.statistics().acceptErrors ?? 0;
  }

  get portStatistics(): PortStatistics {
    return this.#port.statistics();
  }

  refer(isReferenced: boolean): void {
    if (isReferenced) this.#listener?.ref();
    else this.#listener?.unref();
  }

  /** Nothing is accepted any more; what nobody has taken is reset. */
  close(): Promise<PortLeftovers> {
    this.#closing ??= this.#port.close();
    return this.#closing;
  }
}
