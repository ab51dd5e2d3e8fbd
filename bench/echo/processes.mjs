/** Starts servers and the load generator as processes on cores of their own, and ends them. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const START_LIMIT_MS = 15_000;

const hasTaskset =
  process.platform === 'linux' &&
  spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status === 0;

/** Whether processes can be pinned to cores here. */
export const canPin = hasTaskset;

/** Puts `taskset` before a command; `core` undefined leaves it to the scheduler. */
export function pinned(core, command) {
  return hasTaskset && core !== undefined ? ['taskset', '-c', String(core), ...command] : command;
}

/** Path of a program, in node_modules/.bin or on PATH; undefined if it is not there. */
export function findProgram(name) {
  const folders = [
    fileURLToPath(new URL('../../node_modules/.bin', import.meta.url)),
    ...(process.env.PATH ?? '').split(delimiter),
  ];
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

/**
 * Starts a server and waits for its line `listening PORT`.
 * @returns {Promise<{pid: number, port: number, stop(): Promise<void>, errors(): string}>}
 *   `pid` is the server's own: taskset replaces itself by the program it runs
 */
export function startServer(command, { core, env } = {}) {
  const [program, ...rest] = pinned(core, command);
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
      stop().then(() => reject(new Error(`no line "listening PORT" from: ${command.join(' ')}`)));
    }, START_LIMIT_MS);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      const why = errors.trim().split('\n').slice(0, 12).join('\n');
      reject(new Error(`the server ended (${signal ?? code}): ${command.join(' ')}\n${why}`));
    });
    child.stdout.setEncoding('utf8').on('data', (text) => {
      if (output.length > 4_000) return;
      output += text;
      const port = /^listening (\d+)$/m.exec(output)?.[1];
      if (port === undefined) return;
      clearTimeout(timer);
      resolve({ pid: child.pid, port: Number(port), stop, errors: () => errors });
    });
  });
}

/**
 * Runs the load generator to its end.
 * @param {string} program
 * @param {(string | number)[]} args
 * @param {{core?: number | undefined, limitMs?: number | undefined}} [options]
 * @returns {Promise<object>} the object it prints
 * @throws an Error with what it saw: a wrong byte, a closed connection, silence
 */
export function runLoad(program, args, { core, limitMs = 120_000 } = {}) {
  const [first, ...rest] = pinned(core, [program, ...args.map(String)]);
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
