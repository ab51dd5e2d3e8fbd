/** `overlapped`: framed, ordered messages over a completion port. Re-exports only. */
export type {
  BackendSelection,
  Endpoint,
  Leftovers,
  Limits,
  Probe,
  SocketAddress,
} from '../backends/backend.ts';
export { MessageBatch } from './batch.ts';
export { connect } from './client.ts';
export { Connection } from './connection.ts';
export {
  type Datagram,
  DatagramSocket,
  type DatagramSocketOptions,
  datagram,
} from './datagram.ts';
export { ERROR_CODES, type ErrorCode, OverlappedError, type SystemErrorCause } from './errors.ts';
export {
  delimiter,
  type Framing,
  fixed,
  lengthField,
  line,
  parseFraming,
  raw,
  varint,
} from './framing.ts';
export { type HostInfo, info } from './info.ts';
export { Port, type PortLeftovers } from './port.ts';
export type { PortBackend } from './port-opening.ts';
export type { BackendName, PortOptions } from './port-options.ts';
export type { BackendReport } from './registry.ts';
export { listen, Server, type ServerStatistics } from './server.ts';
export type { ConnectionStatistics, PortStatistics } from './stats.ts';
export type {
  Codec,
  ConnectionOptions,
  ConnectOptions,
  Handlers,
  ListenOptions,
  WorkerListenOptions,
} from './types.ts';
export type {
  MakeWorkerHandlers,
  WorkerContext,
  WorkerHandlers,
} from './workers/io/context.ts';
export type { RemoteConnection } from './workers/io/remote-connection.ts';
export type { WorkerServerStatistics, WorkerStatistics } from './workers/io/statistics.ts';
export type { WorkerLeftovers, WorkerServer } from './workers/io/worker-server.ts';
export {
  attachPool,
  type DispatchOptions,
  type OrderedPool,
  type OrderedPoolOptions,
  type OrderedPoolStatistics,
  orderedPool,
  type PoolClient,
  type PoolContext,
  type PoolHandle,
  type PoolHandler,
  type PoolKey,
  type PoolLeftovers,
} from './workers/pool/index.ts';

import { Port } from './port.ts';
import type { PortOptions } from './port-options.ts';

/** Makes a port of its own: pass it as `on` to `listen`, `connect` and `datagram`. */
export function openPort(options: PortOptions = {}): Promise<Port> {
  return Port.open(options);
}
