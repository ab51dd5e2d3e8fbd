// @ts-check
/** Starts servers and the load generator as processes on cores of their own, and ends them. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { packageRoot } from './where.mjs';

const START_LIMIT_MS = 15_000;

const hasTaskset =
  process.platform === 'linux' &&
  spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status === 0;

/** Whether processes can be pinned to cores here. */
export const canPin = hasTaskset;

/**
 * Puts `taskset` before a command; `core` undefined leaves it to the scheduler.
 * @param {number | string | undefined} core
 * @param {string[]} command
 * @returns {string[]}
 */
export function pinned(core, command) {
  return hasTaskset && core !== undefined ? ['taskset', '-c', String(core), ...command] : command;
}

/**
 * Lets a command open as many files as the system allows it.
 * @param {string[]} command
 * @returns {string[]}
 */
export function withFiles(command) {
  if (process.platform === 'win32') return command;
  return ['sh', '-c', 'ulimit -n "$(ulimit -H -n)" 2>/dev/null; exec "$@"', 'sh', ...command];
}

/**
 * Path of a program, in node_modules/.bin or on PATH; undefined if it is not there.
 * @param {string} name
 */
export function findProgram(name) {
  const folders = [
    join(packageRoot, 'node_modules', '.bin'),
    // Of the program that has this package installed.
    join(packageRoot, '..', '.bin'),
    ...(process.env.PATH ?? '').split(delimiter),
  ];
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

/**
 * @typedef {object} RunningServer
 * @property {number} pid the server's own: taskset and sh replace themselves by the program they run
 * @property {number} port
 * @property {() => Promise<void>} stop
 * @property {() => string} errors what it said on standard error
 */

/**
 * Starts a server and waits for its line `listening PORT`.
 * @param {string[]} command
 * @param {{core?: number | string | undefined, env?: Readonly<Record<string, string>> | undefined}} [options]
 * @returns {Promise<RunningServer>}
 */
export function startServer(command, { core, env } = {}) {
  const [program, ...rest] = /** @type {[string, ...string[]]} */ (pinned(core, command));
  const child = spawn(program, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  let output = '';
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    if (errors.length < 4_000) errors += text;
  });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  };
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop().then(() => reject(new Error(`no line "listening PORT" from ${command.at(-1)}`)));
    }, START_LIMIT_MS);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      const why = errors.trim().split('\n').slice(0, 12).join('\n');
      reject(new Error(`the server ended (${signal ?? code}): ${command.at(-1)}\n${why}`));
    });
    child.stdout.setEncoding('utf8').on('data', (text) => {
      if (output.length > 4_000) return;
      output += text;
      const port = /^listening (\d+)$/m.exec(output)?.[1];
      if (port === undefined) return;
      clearTimeout(timer);
      resolve({ pid: Number(child.pid), port: Number(port), stop, errors: () => errors });
    });
  });
}

/**
 * What the load generators print, of the measured period. The server's figures are left out
 * where the system does not tell them.
 * @typedef {object} LoadFigures
 * @property {number} messages
 * @property {number} messagesPerSecond
 * @property {number} p50Us
 * @property {number} p99Us
 * @property {number} p999Us
 * @property {number} [serverCpuNsPerMessage]
 * @property {number} [serverResidentBytes]
 * @property {number} loadIdleShare of its time; near 0 the server waits for the load
 * @property {number} allMessages of the whole run, warm-up included
 */

/**
 * Runs the load generator to its end.
 * @param {string | string[]} program
 * @param {(string | number)[]} args
 * @param {{core?: number | undefined, limitMs?: number | undefined}} [options]
 * @returns {Promise<LoadFigures>} the object it prints
 * @throws an Error with what it saw: a wrong byte, a closed connection, silence
 */
export function runLoad(program, args, { core, limitMs = 120_000 } = {}) {
  const command = [...[program].flat(), ...args.map(String)];
  const [first, ...rest] = /** @type {[string, ...string[]]} */ (pinned(core, command));
  const child = spawn(first, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      let result;
      try {
        result = JSON.parse(output);
      } catch {
        // Ended before it printed: the exit code says it.
      }
      if (code === 0 && result !== undefined) resolve(result);
      else
        reject(
          new Error(`load: ${result?.error ?? (errors.trim() || `ended by ${signal ?? code}`)}`),
        );
    });
  });
}
