/** What the package's bundles and the test bundles have in common. */
import type { BuildOptions } from 'esbuild';
import { listFiles } from './files.ts';

/** Optional or host-provided: never bundled, and imported only where they are used. */
const EXTERNAL = ['node:*', 'bun', 'bun:*', 'koffi', 'msgpackr'];

export const BUNDLE_OPTIONS = {
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  target: 'es2022',
  sourcemap: true,
  external: EXTERNAL,
  // One flat folder, so that `new URL('./x.worker.js', import.meta.url)` holds in every chunk.
  entryNames: '[name]',
  chunkNames: 'chunk-[hash]',
  logLevel: 'error',
} as const satisfies BuildOptions;

/**
 * Files that become worker threads: `name.worker.ts` anywhere below `folders`
 * becomes `name.worker.js` beside every bundle.
 */
export async function findWorkers(...folders: readonly string[]): Promise<Record<string, string>> {
  const entries: Record<string, string> = {};
  for (const folder of folders) {
    for (const path of await listFiles(folder)) {
      const name = /([^/]+\.worker)\.ts$/.exec(path)?.[1];
      if (name === undefined) continue;
      if (entries[name] !== undefined)
        throw new Error(`${path} and ${entries[name]} have one name`);
      entries[name] = `./${path}`;
    }
  }
  return entries;
}
