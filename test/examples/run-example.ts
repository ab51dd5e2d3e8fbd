/** Examples as the programs they are: only their types are taken away, for a Node that cannot. */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { test } from 'uvu';
import { type Running, startProgram } from '../cli/run-cli.ts';
import { findProgram } from '../hosts/process.ts';

const run = promisify(execFile);
let started = 0;

/**
 * Starts `examples/<name>.ts` in Node. It lies inside the package, so that its
 * imports of the package are found as a user's are, by package.json.
 */
export async function startExample(name: string, ...argv: readonly string[]): Promise<Running> {
  const esbuild = (await findProgram('esbuild')) as string;
  const outfile = join('dist', '.examples', `${name}-${process.pid}-${++started}.mjs`);
  await run(esbuild, [
    join('examples', `${name}.ts`),
    `--outfile=${outfile}`,
    '--target=es2022',
    '--log-level=warning',
  ]);
  const running = startProgram(process.execPath, [outfile, ...argv]);
  running.ended.then(() => rm(outfile, { force: true }));
  return running;
}

/**
 * Registers a test that needs programs of the system. Where one is missing the
 * test counts as skipped and says what to install; under CI=true it fails.
 */
export async function testWith(
  needs: readonly string[],
  install: string,
  name: string,
  work: (programs: readonly string[]) => Promise<void>,
): Promise<void> {
  const programs = await Promise.all(needs.map((need) => findProgram(need)));
  const missing = needs.filter((_, index) => programs[index] === undefined);
  const what = `${name}: ${missing.join(', ')} is not installed (${install})`;
  if (missing.length === 0) {
    test(name, () => work(programs as string[]));
  } else if (process.env.CI === 'true') {
    test(name, () => {
      throw new Error(what);
    });
  } else {
    console.log(what);
    test.skip(what);
  }
}
