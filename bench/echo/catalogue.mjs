/** The servers of the echo benchmark, and what is promised of ours against the others. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compile } from './compile.mjs';
import { findProgram } from './processes.mjs';

export const bun = findProgram('bun');

/**
 * `host`: the runtime it runs in (none: a program of its own). `program`: the file, by default
 * of the server's name. `backend`: for ours, which backend carries it.
 */
export const SERVERS = {
  'c-epoll': {},
  'node-net-raw': { host: 'node' },
  'node-net-cork': { host: 'node' },
  'node-net-concat': { host: 'node' },
  'node-net-copy': { host: 'node' },
  'overlapped-net-batch': { host: 'node', program: 'overlapped-batch', backend: 'net' },
  'overlapped-net-message': { host: 'node', program: 'overlapped-message', backend: 'net' },
  'overlapped-uring-batch': { host: 'node', program: 'overlapped-batch', backend: 'uring' },
  'overlapped-uring-message': { host: 'node', program: 'overlapped-message', backend: 'uring' },
  'bun-raw': { host: 'bun' },
  'bun-concat': { host: 'bun' },
  'overlapped-bun-batch': { host: 'bun', program: 'overlapped-batch', backend: 'bun' },
  'overlapped-bun-message': { host: 'bun', program: 'overlapped-message', backend: 'bun' },
};

export const DEFAULT_SERVERS = Object.keys(SERVERS).filter((name) => !name.includes('uring'));

/** Ours, the peer, and the least ratio of messages per second (undefined: only to know). */
export const PROMISES = [
  ['overlapped-net-batch', 'node-net-cork', 1.2],
  ['overlapped-net-batch', 'node-net-concat', 0.9],
  ['overlapped-net-batch', 'node-net-copy', undefined],
  ['overlapped-net-message', 'overlapped-net-batch', 0.7],
  ['overlapped-bun-batch', 'bun-concat', 0.9],
  ['overlapped-bun-message', 'overlapped-bun-batch', 0.7],
  ['overlapped-uring-batch', 'overlapped-net-batch', undefined],
  ['overlapped-uring-batch', 'c-epoll', undefined],
];

/** Program and arguments that start a server. */
export function commandOf(name) {
  const { host, program = name } = SERVERS[name];
  if (host === undefined) return [compile(new URL(`./servers/${name}.c`, import.meta.url))];
  const file = fileURLToPath(new URL(`./servers/${program}.mjs`, import.meta.url));
  return [host === 'bun' ? bun : process.execPath, file];
}

/** Why a server cannot run here, or undefined. */
export function obstacle(name) {
  const { host, program } = SERVERS[name];
  if (host === 'bun' && bun === undefined) return 'bun is not installed';
  if (program !== undefined && !existsSync(new URL('../../dist/index.js', import.meta.url))) {
    return 'dist/ is not built: npm run build';
  }
  return undefined;
}
