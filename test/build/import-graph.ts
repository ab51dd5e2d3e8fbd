/** What esbuild finds that files import, without writing anything. */
import { build, type Metafile } from 'esbuild';

/** By file, its imports; packages and modules of the host are `external`. */
export async function readImports(entryPoints: string[]): Promise<Metafile['inputs']> {
  const { metafile } = await build({
    entryPoints,
    bundle: true,
    splitting: true,
    write: false,
    metafile: true,
    outdir: 'dist/none',
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'silent',
  });
  return metafile.inputs;
}
