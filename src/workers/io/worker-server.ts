/** What `listen` with workers returns. */
import type { SocketAddress } from '../../../backends/backend.ts';
import type { PortLeftovers } from '../../port.ts';
import type { PortBackend } from '../../port-opening.ts';
import type { RemoteConnection } from './remote-connection.ts';
import type { WorkerServerStatistics } from './statistics.ts';

/** What a closed server left behind, of all workers: all zero after an orderly end. */
export interface WorkerLeftovers extends PortLeftovers {
  /** Workers that had to be terminated, because a handler did not return. */
  readonly terminated: number;
}

/** A listening socket whose connections are handled by worker threads. */
export interface WorkerServer extends AsyncDisposable {
  /** Where it listens, with the port that the system chose. */
  readonly address: SocketAddress;
  readonly backend: PortBackend;
  /** Workers that run. */
  readonly workers: number;
  /**
   * Asks all workers. One whose handler does not return is waited for a moment,
   * then its last known counters stand, with `isStale`; `turnMs` tells how long
   * it has been in there.
   */
  statistics(): Promise<WorkerServerStatistics>;
  /**
   * A connection by its `id`, whichever worker has it. Whether there still is
   * one, the calls tell.
   * @throws OverlappedError STALE_TOKEN for a number that no connection of this server can have
   */
  connection(id: number): RemoteConnection;
  /**
   * Stops listening, closes all connections in order, joins the workers (R23) and
   * says what was left. A worker that has not ended after `timeoutMs` (default
   * 15,000) is terminated, and its connections are reset.
   */
  close(options?: { readonly timeoutMs?: number }): Promise<WorkerLeftovers>;
  /** Does not keep the host's process alive. */
  unref(): void;
  ref(): void;
}
