/** The whole build, or as much of it as is asked for. */
import { buildCore } from './core.ts';
import { emitDeclarations } from './declarations.ts';
import { withLock } from './files.ts';
import { buildMicroDriver } from './micro.ts';
import { bundlePackage } from './package.ts';

export interface BuildParts {
  /** The package's own bundles (not those of tests). */
  readonly bundles: boolean;
  readonly declarations: boolean;
  /** Remove bundles of earlier builds; not while programs out of dist/ may run. */
  readonly clean?: boolean;
}

export async function buildAll(parts: BuildParts): Promise<void> {
  await withLock(async () => {
    await buildCore();
    await buildMicroDriver();
    if (parts.bundles) await bundlePackage({ clean: parts.clean ?? false });
    if (parts.declarations) await emitDeclarations();
  });
}
