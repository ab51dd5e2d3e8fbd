/** The servers of the echo benchmark, and what is promised of ours against the others. */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import process from 'node:process';
import type { Row } from '../report/model.ts';
import { CompileError, compile } from './compile.mjs';
import { findProgram } from './processes.mjs';
import { echoFile, packageRoot, packageVersion } from './where.mjs';

export interface EchoServer {
  /** As a person reads it in a table. */
  readonly title: string;
  readonly role: Row['role'];
  /** The runtime it runs in; none: a program in C. */
  readonly host?: 'node' | 'bun';
  /** Its file in `servers`, without ending; by default the server's name. */
  readonly program?: string;
  /** For ours: which backend carries it. */
  readonly backend?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** How it frames: by default a length of `headerBytes`, little endian, that counts itself. */
  readonly framing?: string;
  /** A package that must be installed. */
  readonly needs?: string;
  /** Libraries that a program in C is linked with. */
  readonly libraries?: readonly string[];
}

function own(
  title: string,
  host: 'node' | 'bun',
  program: 'batch' | 'message' | 'workers',
  backend: string,
  env: Readonly<Record<string, string>> = {},
): EchoServer {
  const file = `overlapped-${program}`;
  return { title: `overlapped ${title}`, role: 'own', host, program: file, backend, env };
}

const node = { role: 'peer', host: 'node' } as const;
const worker = { WORKERS: '1' };

export const SERVERS: Readonly<Record<string, EchoServer>> = {
  'c-epoll': { title: 'C, epoll, raw', role: 'ceiling' },
  'c-uring': { title: 'C, liburing, raw', role: 'ceiling', libraries: ['uring'] },
  'node-net-raw': { ...node, title: 'node:net, raw', role: 'ceiling' },
  'node-net-cork': { ...node, title: 'node:net, framed by hand (cork)' },
  'node-net-concat': { ...node, title: 'node:net, optimised by hand (concat)' },
  'node-net-copy': { ...node, title: 'node:net, optimised by hand (copy)' },
  'frame-stream': { ...node, title: 'frame-stream', framing: 'u32be', needs: 'frame-stream' },
  ws: { ...node, title: 'ws', framing: 'ws', needs: 'ws' },
  zeromq: { ...node, title: 'zeromq', framing: 'zmtp', needs: 'zeromq' },
  'overlapped-net-batch': own('net, batch', 'node', 'batch', 'net'),
  'overlapped-net-message': own('net, message()', 'node', 'message', 'net'),
  'overlapped-net-worker': own('net, batch, worker', 'node', 'workers', 'net', worker),
  'overlapped-uring-batch': own('uring, batch', 'node', 'batch', 'uring'),
  'overlapped-uring-message': own('uring, message()', 'node', 'message', 'uring'),
  'overlapped-uring-worker': own('uring, batch, worker', 'node', 'workers', 'uring', worker),
  'overlapped-uring-worker-blocking': own(
    'uring, batch, blocking worker',
    ...(['node', 'workers', 'uring', { ...worker, DRIVER: 'blocking' }] as const),
  ),
  'overlapped-iocp-batch': own('iocp, batch', 'node', 'batch', 'iocp'),
  'overlapped-iocp-message': own('iocp, message()', 'node', 'message', 'iocp'),
  'bun-raw': { title: 'Bun.listen, raw', role: 'ceiling', host: 'bun' },
  'bun-concat': { title: 'Bun.listen, framed, a write a chunk', role: 'peer', host: 'bun' },
  'overlapped-bun-batch': own('bun, batch', 'bun', 'batch', 'bun'),
  'overlapped-bun-message': own('bun, message()', 'bun', 'message', 'bun'),
  'overlapped-uring-batch@bun': own('uring, batch, in Bun', 'bun', 'batch', 'uring'),
};

/** Servers that answer the most in the least time. */
export const QUICK_SERVERS: readonly string[] = [
  ...['c-epoll', 'node-net-raw', 'node-net-cork', 'node-net-concat', 'ws'],
  ...['overlapped-net-batch', 'overlapped-net-message', 'overlapped-uring-batch'],
  ...['overlapped-iocp-batch', 'bun-raw', 'bun-concat', 'overlapped-bun-batch'],
];

export const WORKLOADS = '1x1,1x64,50x1,50x16,500x4,50x16x1024,8x4x16384';
export const QUICK_WORKLOADS = '1x1,50x16,8x4x16384';

/** Least ratio of messages per second: for all workloads, or by workload. */
export type Bounds = number | Readonly<Record<string, number>>;

/** Ours, the other, and what is promised (undefined: only to know). */
export type Comparison = readonly [ours: string, other: string, promised?: Bounds];

const SMALL = ['1x1', '1x64', '50x1', '50x16', '500x4'] as const;
const bounds = (small: readonly number[], large: number) => ({
  ...Object.fromEntries(SMALL.map((workload, i) => [workload, small[i] ?? Number.NaN])),
  '8x4x16384': large,
});
const allSmall = (least: number, large: number) =>
  bounds([least, least, least, least, least], large);

export const COMPARISONS: readonly Comparison[] = [
  ['overlapped-uring-batch', 'node-net-cork', bounds([1.3, 1.9, 1.9, 2.3, 2.1], 2)],
  ['overlapped-uring-batch', 'bun-raw', bounds([1, 1.1, 1.1, 1.1, 1.1], 1)],
  ['overlapped-uring-batch', 'c-epoll', allSmall(0.95, 0.8)],
  ['overlapped-uring-batch', 'c-uring'],
  ['overlapped-uring-batch', 'overlapped-net-batch'],
  ['overlapped-uring-message', 'overlapped-uring-batch', 0.7],
  ['overlapped-uring-worker', 'overlapped-uring-batch', 1],
  ['overlapped-uring-worker-blocking', 'overlapped-uring-batch', 1],
  ['overlapped-uring-batch@bun', 'c-epoll', allSmall(0.9 * 0.95, 0.9 * 0.8)],
  ['overlapped-net-batch', 'node-net-cork', 1.2],
  ['overlapped-net-batch', 'node-net-concat', 0.95],
  ['overlapped-net-batch', 'node-net-copy'],
  ['overlapped-net-batch', 'node-net-raw'],
  ['overlapped-net-message', 'overlapped-net-batch', 0.7],
  ['overlapped-net-worker', 'overlapped-net-batch'],
  ['overlapped-net-batch', 'frame-stream'],
  ['overlapped-net-batch', 'ws'],
  ['overlapped-net-batch', 'zeromq'],
  ['overlapped-uring-batch', 'frame-stream'],
  ['overlapped-uring-batch', 'ws'],
  ['overlapped-uring-batch', 'zeromq'],
  ['overlapped-iocp-batch', 'node-net-cork', { '1x64': 1.2, '50x16': 1.2, '8x4x16384': 1.2 }],
  ['overlapped-iocp-batch', 'node-net-concat'],
  ['overlapped-iocp-batch', 'overlapped-net-batch'],
  ['overlapped-iocp-message', 'overlapped-iocp-batch'],
  ['overlapped-bun-batch', 'bun-concat', 0.95],
  ['overlapped-bun-batch', 'bun-raw'],
  ['overlapped-bun-message', 'overlapped-bun-batch', 0.7],
];

export const bun = findProgram('bun');
/** Of the servers; this program may itself run in Bun. */
export const nodeProgram = process.versions.bun ? findProgram('node') : process.execPath;

/** Lengths that two bytes can hold. */
const TWO_BYTES = 0xffff;

/** How a server frames a message of this size, for the load generator and for the server. */
export function framingOf({ framing }: EchoServer, sizeBytes: number) {
  const headerBytes = sizeBytes > TWO_BYTES ? 4 : 2;
  return { framing: framing ?? `u${8 * headerBytes}le-inclusive`, headerBytes };
}

/** A server of the user's own, by its file: it prints `listening PORT`. */
const OWN_FILE = /[\\/].*\.[cm]?js$/;

/** The server of that name or file. @throws Error naming those that there are */
export function serverOf(name: string, all = SERVERS): EchoServer {
  const found = Object.hasOwn(all, name) ? all[name] : undefined;
  if (found !== undefined) return found;
  if (OWN_FILE.test(name)) return { title: basename(name), role: 'peer', host: 'node' };
  throw new Error(`no server ${name}; there are ${Object.keys(all).join(', ')}`);
}

/** Program and arguments that start a server. */
export function commandOf(name: string): string[] {
  const { host, program = name, libraries } = serverOf(name);
  if (host === undefined) return [compile(echoFile('servers', `${name}.c`), libraries)];
  const runtime = host === 'bun' ? bun : nodeProgram;
  const file = Object.hasOwn(SERVERS, name) ? echoFile('servers', `${program}.mjs`) : resolve(name);
  return [runtime as string, file];
}

/**
 * Why a server cannot run here, or undefined.
 * @param unavailable reasons of backends that their probes refuse, by name
 * @param load of the load generator: the one in JavaScript speaks length fields only
 */
export function obstacle(
  name: string,
  unavailable: Readonly<Record<string, string>>,
  load: 'c' | 'javascript',
): string | undefined {
  const { host, backend, needs, framing } = serverOf(name);
  if (!Object.hasOwn(SERVERS, name) && !existsSync(name)) return 'there is no such file';
  if (host === 'bun' && bun === undefined) return 'bun is not installed';
  if (host === 'node' && nodeProgram === undefined) return 'node is not installed';
  if (backend !== undefined && !existsSync(join(packageRoot, 'dist', 'index.js'))) {
    return 'dist/ is not built: npm run build';
  }
  // The backend bun is Bun's alone; this program may run in Node.
  if (backend !== undefined && backend !== host && unavailable[backend] !== undefined) {
    return unavailable[backend];
  }
  if (needs !== undefined && packageVersion(needs) === undefined) {
    return `the package ${needs} is not installed: npm install ${needs}`;
  }
  if (load === 'javascript' && (framing === 'ws' || framing === 'zmtp')) {
    return 'it needs the load generator in C';
  }
  if (host !== undefined) return undefined;
  try {
    commandOf(name);
    return undefined;
  } catch (error) {
    if (error instanceof CompileError) return error.message.split('\n').slice(0, 2).join(' ');
    throw error;
  }
}
