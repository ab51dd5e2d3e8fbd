/** The servers of the benchmark in Wine, and what is promised of ours against the others. */
import type { Comparison, EchoServer } from '../catalogue.ts';

/** One that runs in node.exe or bun.exe; its `program` is always given. */
export interface WineServer extends EchoServer {
  readonly host: 'node' | 'bun';
  readonly program: string;
}

const peer = (title: string, program: string, host: 'node' | 'bun' = 'node'): WineServer => ({
  ...{ title, role: program.endsWith('-raw') ? 'ceiling' : 'peer', host, program },
});
const own = (
  title: string,
  kind: 'batch' | 'message',
  backend: string,
  more: Partial<WineServer> = {},
): WineServer => ({
  ...{ title: `overlapped ${title}`, role: 'own', host: 'node', program: `overlapped-${kind}` },
  ...{ backend, ...more },
});

/** How many receives are pending on a connection, where it is not the backend's own choice. */
const depth = (count: number) => ({ env: { RECEIVE_DEPTH: String(count) } });

export const SERVERS: Readonly<Record<string, WineServer>> = {
  'node-net-raw': peer('node:net, raw', 'node-net-raw'),
  'node-net-concat': peer('node:net, optimised by hand (concat)', 'node-net-concat'),
  'node-net-cork': peer('node:net, framed by hand (cork)', 'node-net-cork'),
  'overlapped-net-batch': own('net, batch', 'batch', 'net'),
  'overlapped-iocp-batch': own('iocp, batch', 'batch', 'iocp'),
  'overlapped-iocp-batch-1': own('iocp, batch, 1 receive', 'batch', 'iocp', depth(1)),
  'overlapped-iocp-batch-20': own('iocp, batch, 20 receives', 'batch', 'iocp', depth(20)),
  'overlapped-iocp-message': own('iocp, message()', 'message', 'iocp'),
  'bun-concat': peer('Bun.listen, framed, a write a chunk', 'bun-concat', 'bun'),
  'overlapped-iocp-batch@bun': own('iocp, batch, in Bun', 'batch', 'iocp', { host: 'bun' }),
};

/** Those with the most to say on what a port costs. */
export const WORKLOADS = '1x64,50x16,8x4x16384,50x1,1x1';

/** Least ratio of messages per second, by workload. */
const AGAINST_CORK: Readonly<Record<string, number>> = {
  '1x64': 1.2,
  '50x16': 1.2,
  '8x4x16384': 1.2,
  '50x1': 1,
  '1x1': 1,
};

export const COMPARISONS: readonly Comparison[] = [
  ['overlapped-iocp-batch', 'node-net-cork', AGAINST_CORK],
  ['overlapped-iocp-batch', 'node-net-concat'],
  ['overlapped-iocp-batch', 'node-net-raw'],
  ['overlapped-iocp-batch', 'overlapped-net-batch'],
  ['overlapped-iocp-batch-1', 'node-net-cork'],
  ['overlapped-iocp-batch-20', 'node-net-cork'],
  ['overlapped-iocp-message', 'node-net-cork'],
  ['overlapped-iocp-message', 'overlapped-iocp-batch'],
  ['overlapped-iocp-batch@bun', 'bun-concat'],
];

/** Foreign calls for a thousand messages, at most. */
export const CALLS_PROMISED: Readonly<Record<string, number>> = { '50x16': 200 };
