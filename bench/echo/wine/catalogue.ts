/** The servers of the benchmark in Wine, and what is promised of ours against the others. */

export interface WineServer {
  readonly runtime: 'node' | 'bun';
  /** Its file in bench/echo/servers, without `.mjs`. */
  readonly program: string;
  /** For ours: which backend carries it. */
  readonly backend?: string;
  /** For ours: receives pending on a connection. Default: what the backend does by itself. */
  readonly receiveDepth?: number;
}

export const SERVERS: Readonly<Record<string, WineServer>> = {
  'node-net-raw': { runtime: 'node', program: 'node-net-raw' },
  'node-net-concat': { runtime: 'node', program: 'node-net-concat' },
  'node-net-cork': { runtime: 'node', program: 'node-net-cork' },
  'overlapped-net-batch': { runtime: 'node', program: 'overlapped-batch', backend: 'net' },
  'overlapped-iocp-batch': { runtime: 'node', program: 'overlapped-batch', backend: 'iocp' },
  'overlapped-iocp-batch-1': {
    runtime: 'node',
    program: 'overlapped-batch',
    backend: 'iocp',
    receiveDepth: 1,
  },
  'overlapped-iocp-batch-20': {
    runtime: 'node',
    program: 'overlapped-batch',
    backend: 'iocp',
    receiveDepth: 20,
  },
  'overlapped-iocp-message': { runtime: 'node', program: 'overlapped-message', backend: 'iocp' },
  'bun-concat': { runtime: 'bun', program: 'bun-concat' },
  'overlapped-iocp-batch@bun': { runtime: 'bun', program: 'overlapped-batch', backend: 'iocp' },
};

/** Those with the most to say on what a port costs. */
export const WORKLOADS = '1x64,50x16,8x4x16384,50x1,1x1';

type Bounds = Readonly<Record<string, number>>;

/** Least ratio of messages per second, by workload. */
const AGAINST_CORK: Bounds = {
  '1x64': 1.2,
  '50x16': 1.2,
  '8x4x16384': 1.2,
  '50x1': 1,
  '1x1': 1,
};

/** Ours, the peer, and the bounds (undefined: only to know). */
export const PROMISES: readonly (readonly [string, string, Bounds | undefined])[] = [
  ['overlapped-iocp-batch', 'node-net-cork', AGAINST_CORK],
  ['overlapped-iocp-batch', 'node-net-concat', undefined],
  ['overlapped-iocp-batch', 'node-net-raw', undefined],
  ['overlapped-iocp-batch', 'overlapped-net-batch', undefined],
  ['overlapped-iocp-batch-1', 'node-net-cork', undefined],
  ['overlapped-iocp-batch-20', 'node-net-cork', undefined],
  ['overlapped-iocp-message', 'node-net-cork', undefined],
  ['overlapped-iocp-message', 'overlapped-iocp-batch', undefined],
  ['overlapped-iocp-batch@bun', 'bun-concat', undefined],
];

/** Foreign calls for a thousand messages, at most. */
export const CALLS_PROMISED: Bounds = { '50x16': 200 };
