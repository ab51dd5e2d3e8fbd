// @ts-check
/** Compiles the C programs of the benchmark at first use. Nothing built lies in the repository. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export { loadSource } from './where.mjs';

const COMPILERS = ['cc', 'gcc', 'clang'];
const FLAGS = ['-O2', '-Wall'];

export class CompileError extends Error {}

/**
 * The folder for compiled programs: the variable OVERLAPPED_BENCH_CACHE, else .cache in the nearest
 * node_modules, or the system's temporary folder.
 * @param {string} source
 */
function cacheFolder(source) {
  const given = process.env.OVERLAPPED_BENCH_CACHE;
  const candidates = given ? [given] : [];
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

/** Names of the compilers to try, the one in the variable CC alone if it is set. */
const compilers = () => (process.env.CC ? [process.env.CC] : COMPILERS);

/**
 * Text of a C file and of its own headers beside it.
 * @param {string} file
 * @returns {string}
 */
function textOf(file) {
  const text = readFileSync(file, 'utf8');
  const headers = [...text.matchAll(/^#include "([\w-]+\.h)"$/gm)].map(([, name]) =>
    textOf(join(dirname(file), String(name))),
  );
  return [text, ...headers].join('\0');
}

/**
 * Compiles one C file, or takes it from the cache if its text has not changed.
 * @param {URL | string} source
 * @param {readonly string[]} [libraries] names without `lib`
 * @returns {string} path of the program
 * @throws {CompileError} where the system has no compiler, is not Linux, or compiling fails
 */
export function compile(source, libraries = []) {
  const file = source instanceof URL ? fileURLToPath(source) : source;
  if (process.platform !== 'linux') {
    throw new CompileError(`${basename(file)} is for Linux`);
  }
  const digest = createHash('sha256').update(textOf(file)).digest('hex').slice(0, 12);
  const program = join(cacheFolder(file), `${basename(file, '.c')}-${digest}`);
  if (existsSync(program)) return program;
  const linked = libraries.map((name) => `-l${name}`);
  for (const compiler of compilers()) {
    const building = `${program}.${process.pid}`;
    const args = [...FLAGS, '-o', building, file, ...linked];
    const result = spawnSync(compiler, args, { encoding: 'utf8' });
    if (/** @type {NodeJS.ErrnoException | undefined} */ (result.error)?.code === 'ENOENT')
      continue;
    if (result.status !== 0) {
      throw new CompileError(`${compiler} cannot compile ${file}:\n${result.stderr}`);
    }
    renameSync(building, program); // whole at once, should two runs build it at the same time
    return program;
  }
  throw new CompileError(
    `no C compiler (tried ${compilers().join(', ')}): install one, or name it in the variable CC`,
  );
}

/**
 * What the compiler says of itself; undefined where there is none.
 * @returns {string | undefined}
 */
export function compilerVersion() {
  for (const compiler of compilers()) {
    const { stdout } = spawnSync(compiler, ['--version'], { encoding: 'utf8' });
    if (stdout) return stdout.split('\n')[0]?.trim();
  }
  return undefined;
}
