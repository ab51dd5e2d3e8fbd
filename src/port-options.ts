/** How a port is made. */
import type { BackendSelection } from '../backends/backend.ts';

export type BackendName = 'iocp' | 'uring' | 'net' | 'bun' | 'sim';

/** How a port is made. Ports of equal choice are shared unless `port` is given. */
export interface PortOptions {
  /** `'auto'` (default) takes the fastest backend that passes its probe. */
  readonly backend?: 'auto' | BackendName | BackendSelection;
  /** Most connections (and listeners and datagram sockets) open at once. Default 16,384. */
  readonly maxConnections?: number;
  /** Bytes in each receive buffer (R9). Default 65,536. */
  readonly receiveBufferBytes?: number;
  /** Most receive buffers (R9), of all connections: where each receive lends one, `receiveDepth` times the connections. Default 1,024. */
  readonly receiveBuffers?: number;
  /** Bytes for send queues and frames that span buffers, a power of two. Default 128 MiB. */
  readonly arenaBytes?: number;
  /** Bytes of `Connection.sharedState`, zero as a connection opens. Default 0, at most 65,536. */
  readonly stateBytes?: number;
  /** Linear memory that other threads can share. Default false. */
  readonly shared?: boolean;
}
