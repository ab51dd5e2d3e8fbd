// @ts-check
/**
 * Runs a TypeScript program of the build: Node 20 cannot strip types, so
 * esbuild bundles the program (packages stay outside) and Node imports that.
 *
 *   node build/run.mjs <program.ts> [arguments…]
 */
import { mkdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const [program, ...rest] = process.argv.slice(2);
if (program === undefined) throw new Error('usage: node build/run.mjs <program.ts> [arguments…]');

// Every path in the build is relative to the root of the repository.
process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'));
process.setSourceMapsEnabled(true);
process.argv = [process.execPath, program, ...rest];

const folder = join('dist', '.build');
await mkdir(folder, { recursive: true });
const outfile = join(folder, `${basename(program, '.ts')}-${process.pid}.mjs`);
try {
  await build({
    entryPoints: [program],
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  await import(pathToFileURL(outfile).href);
} finally {
  await rm(outfile, { force: true });
}
