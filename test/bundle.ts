/** Bundles one suite: every host runs the same files. */
import { resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { BUNDLE_OPTIONS, findWorkers } from '../build/esbuild.ts';
import { listFiles } from '../build/files.ts';
import type { SuiteName } from './hosts/host.ts';

const FOLDERS: Readonly<Record<SuiteName, readonly string[]>> = {
  core: ['test/assembly', 'test/core'],
  threads: ['test/threads', 'test/workers/pool'],
  workers: ['test/workers/io', 'test/stress'],
  host: ['test/src', 'test/backends', 'test/conformance', 'test/foreign'],
  windows: ['test/windows'],
  examples: ['test/examples'],
  cli: ['test/cli', 'test/build'],
  bench: ['test/bench'],
  model: ['test/model'],
};

export const SUITES = Object.keys(FOLDERS) as SuiteName[];

/** The suite's test files: `*.test.ts`, those whose path contains `filter`. */
export async function findTests(suite: SuiteName, filter = ''): Promise<string[]> {
  const files = await Promise.all(FOLDERS[suite].map(listFiles));
  return files.flat().filter((path) => path.endsWith('.test.ts') && path.includes(filter));
}

/** `uvu` is the reporting stand-in, except for the stand-in itself. */
const reportingUvu: Plugin = {
  name: 'reporting-uvu',
  setup({ onResolve }) {
    const standIn = resolve('test/support/uvu.ts');
    onResolve({ filter: /^uvu$/ }, ({ importer }) =>
      importer === standIn ? undefined : { path: standIn },
    );
  },
};

/** The program that runs `files` one after the other. */
function entryProgram(files: readonly string[]): Plugin {
  const loaders = files.map((path) => {
    const text = JSON.stringify(path);
    return `  [${text}, () => import(${JSON.stringify(resolve(path))})],`;
  });
  const contents = [
    `import { runFiles } from ${JSON.stringify(resolve('test/support/uvu.ts'))};`,
    'await runFiles([',
    ...loaders,
    ']);',
  ].join('\n');
  return {
    name: 'entry-program',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^entry-program$/ }, () => ({ path: 'tests', namespace: 'entry' }));
      onLoad({ filter: /.*/, namespace: 'entry' }, () => ({ contents, resolveDir: resolve('.') }));
    },
  };
}

/** Writes the suite's bundle into `folder`; returns the name of its entry. */
export async function bundleSuite(
  suite: SuiteName,
  files: readonly string[],
  folder: string,
): Promise<string> {
  const workers =
    suite === 'core' ? {} : await findWorkers('src', 'backends', 'bench/micro', 'test');
  await build({
    ...BUNDLE_OPTIONS,
    entryPoints: { [suite]: 'entry-program', ...workers },
    outdir: folder,
    // The last two are for tests of the build itself.
    external: [...BUNDLE_OPTIONS.external, 'assemblyscript', 'esbuild'],
    sourcemap: 'inline',
    define: { OVERLAPPED_DEBUG_CORES: 'true' },
    // uvu must not start by itself.
    banner: { js: 'globalThis.UVU_DEFER = 1;' },
    plugins: [reportingUvu, entryProgram(files)],
  });
  return `${suite}.js`;
}
