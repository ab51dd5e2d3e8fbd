/** The package as it is installed, for programs that a test starts on Windows. */
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Copies what was built to `folder/node_modules/overlapped`; returns the command line's path. */
export async function copyPackage(folder: string): Promise<string> {
  const target = join(folder, 'node_modules', 'overlapped');
  const dist = join(target, 'dist');
  await mkdir(dist, { recursive: true });
  await cp('package.json', join(target, 'package.json'));
  const names = (await readdir('dist')).filter((name) => /\.js$|^core\.wasm$/.test(name));
  await Promise.all(names.map((name) => cp(join('dist', name), join(dist, name))));
  return join(dist, 'cli.js');
}

/** A folder that no koffi is found from, until one is put there. */
export async function emptyFolder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'overlapped-package-'));
}

/** Where this bundle lies: koffi is found from there. */
export const BUNDLE_FOLDER = dirname(fileURLToPath(import.meta.url));

export interface Installed {
  /** Folder of a program that imports `overlapped`. */
  readonly folder: string;
  /** The command line. */
  readonly cli: string;
  remove(): Promise<void>;
}

/** The package, with koffi. */
export async function install(): Promise<Installed> {
  const folder = await mkdtemp(join(BUNDLE_FOLDER, 'installed-'));
  return { folder, cli: await copyPackage(folder), remove: () => remove(folder) };
}

/** The package without koffi, or with a module of this text instead of it. */
export async function installWithout(koffi?: string): Promise<Installed> {
  const folder = await emptyFolder();
  if (koffi !== undefined) {
    const fake = join(folder, 'node_modules', 'koffi');
    await mkdir(fake, { recursive: true });
    await writeFile(join(fake, 'package.json'), '{ "type": "module", "exports": "./index.js" }');
    await writeFile(join(fake, 'index.js'), koffi);
  }
  return { folder, cli: await copyPackage(folder), remove: () => remove(folder) };
}

/** What cannot be removed (Bun's `rm` fails in Wine) goes with the run's own folder, or the prefix. */
async function remove(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 3, retryDelay: 100 }).catch(
    () => {},
  );
}
