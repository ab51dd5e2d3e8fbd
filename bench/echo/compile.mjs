/** Compiles the C programs of the benchmark at first use. Nothing built lies in the repository. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const COMPILERS = ['cc', 'gcc', 'clang'];
const FLAGS = ['-O2', '-Wall'];

export class CompileError extends Error {}

/** The folder for compiled programs: .cache in the nearest node_modules, or the system's temporary folder. */
function cacheFolder(source) {
  const candidates = [];
  for (let folder = dirname(source); candidates.length === 0; folder = dirname(folder)) {
    const modules = join(folder, 'node_modules');
    if (existsSync(modules)) candidates.push(join(modules, '.cache', 'overlapped-bench'));
    if (folder === dirname(folder)) break;
  }
  candidates.push(join(tmpdir(), 'overlapped-bench'));
  for (const folder of candidates) {
    try {
      mkdirSync(folder, { recursive: true });
      return folder;
    } catch {
      // Read-only here: the next one.
    }
  }
  throw new CompileError(`no folder to compile into: tried ${candidates.join(' and ')}`);
}

/**
 * Compiles one C file, or takes it from the cache if its text has not changed.
 * @param {URL} source
 * @returns {string} path of the program
 * @throws {CompileError} where the system has no compiler, is not Linux, or compiling fails
 */
export function compile(source) {
  if (process.platform !== 'linux') {
    throw new CompileError(`${basename(source.pathname)} uses epoll: this benchmark runs on Linux`);
  }
  const file = fileURLToPath(source);
  const digest = createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 12);
  const program = join(cacheFolder(file), `${basename(file, '.c')}-${digest}`);
  if (existsSync(program)) return program;
  const wanted = process.env.CC ? [process.env.CC] : COMPILERS;
  for (const compiler of wanted) {
    const building = `${program}.${process.pid}`;
    const result = spawnSync(compiler, [...FLAGS, '-o', building, file], { encoding: 'utf8' });
    if (result.error?.code === 'ENOENT') continue;
    if (result.status !== 0) {
      throw new CompileError(`${compiler} cannot compile ${file}:\n${result.stderr}`);
    }
    renameSync(building, program); // whole at once, should two runs build it at the same time
    return program;
  }
  throw new CompileError(
    `no C compiler (tried ${wanted.join(', ')}): install one, or name it in the variable CC`,
  );
}

export const loadSource = new URL('./load.c', import.meta.url);
