/** The package's own bundles: one entry a subpath, one for the command line, one a worker thread. */
import { chmod, readdir, rm } from 'node:fs/promises';
import { basename, relative } from 'node:path';
import process from 'node:process';
import { build } from 'esbuild';
import { BUNDLE_OPTIONS, findWorkers } from './esbuild.ts';
import { exists, writeIfChanged } from './files.ts';

/** Sources of what `exports` and `bin` in package.json name. */
const ENTRIES: Readonly<Record<string, string>> = {
  index: './src/index.ts',
  core: './src/core/index.ts',
  net: './backends/net/index.ts',
  bun: './backends/bun/index.ts',
  sim: './backends/sim/index.ts',
  iocp: './backends/iocp/index.ts',
  uring: './backends/uring/index.ts',
  msgpack: './src/msgpack.ts',
  cli: './src/cli/main.ts',
  'bench-micro': './bench/micro/program.ts',
};

/** Entries whose source exists. */
async function findEntries(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, path] of Object.entries(ENTRIES)) {
    if (await exists(path)) found[name] = path;
  }
  return found;
}

/** Sources of the entries that programs import, which therefore have declarations. */
export async function findDeclarationEntries(): Promise<string[]> {
  const { cli: _, 'bench-micro': __, ...entries } = await findEntries();
  return Object.values(entries).map((path) => path.replace('./', ''));
}

export async function bundlePackage(options: { readonly clean: boolean }): Promise<void> {
  const entries = await findEntries();
  const missing = Object.keys(ENTRIES).filter((name) => entries[name] === undefined);
  if (missing.length > 0) console.log(`no source yet for dist/{${missing.join(',')}}.js: left out`);
  const entryPoints = { ...entries, ...(await findWorkers('src', 'backends', 'bench/micro')) };
  const { outputFiles, metafile } = await build({
    ...BUNDLE_OPTIONS,
    entryPoints,
    outdir: 'dist',
    define: { OVERLAPPED_DEBUG_CORES: 'false' },
    write: false,
    metafile: true,
  });
  for (const [path, output] of Object.entries(metafile.outputs)) {
    const debug = Object.entries(output.inputs).find(
      ([input, { bytesInOutput }]) => /\.debug(\.shared)?\.ts$/.test(input) && bytesInOutput > 0,
    );
    if (debug !== undefined) throw new Error(`${path} contains ${debug[0]}, which is for tests`);
  }
  const written = new Set<string>();
  for (const { path, contents } of outputFiles) {
    await writeIfChanged(relative(process.cwd(), path), contents);
    written.add(basename(path));
  }
  if (entries.cli !== undefined) await chmod('dist/cli.js', 0o755);
  if (!options.clean) return;
  for (const name of await readdir('dist')) {
    if (/\.js(\.map)?$/.test(name) && !written.has(name)) await rm(`dist/${name}`);
  }
}
