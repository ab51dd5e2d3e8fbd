/** Gets what the Windows hosts need: their programs, koffi for Windows, and a Wine prefix to copy. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { cached, temporaryFolder } from './cache.ts';
import { BUN, KOFFI, KOFFI_WINDOWS, type PinnedPackage } from './packages.ts';
import { endProcesses, removeServerFolder, wineEnvironment } from './prefix.ts';

const execute = promisify(execFile);

const SOURCE = 'test/windows/bcryptprimitives.c';
const COMPILER = 'x86_64-w64-mingw32-gcc';
const DOWNLOAD_LIMIT_MS = 300_000;
/** Making a prefix takes some ten seconds. */
const PREFIX_LIMIT_MS = 180_000;

async function run(
  program: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
) {
  await execute(program, [...argv], { env: { ...process.env, ...env }, maxBuffer: 2 ** 26 });
}

/** Fetches a package from the registry that npm is set to, and unpacks it into `folder`. */
async function unpack(pinned: PinnedPackage, folder: string): Promise<void> {
  const spec = `${pinned.name}@${pinned.version}`;
  const download = await temporaryFolder();
  try {
    const argv = ['pack', spec, '--ignore-scripts', '--prefer-offline'];
    // Not in the repository's folder: npm would take a package.json there for more than it is.
    await execute('npm', argv, { cwd: download, timeout: DOWNLOAD_LIMIT_MS });
    const [name] = (await readdir(download)).filter((file) => file.endsWith('.tgz'));
    if (name === undefined) throw new Error(`npm pack ${spec} left no tarball`);
    const tarball = join(download, name);
    const digest = createHash('sha512')
      .update(await readFile(tarball))
      .digest('base64');
    if (`sha512-${digest}` !== pinned.integrity) {
      throw new Error(`${spec} has the hash sha512-${digest}, not ${pinned.integrity}`);
    }
    await mkdir(folder, { recursive: true });
    await run('tar', ['-xzf', tarball, '-C', folder, '--strip-components=1'], {});
  } finally {
    await rm(download, { recursive: true, force: true });
  }
}

/** The folder of the cache for these packages. Whatever changes their content belongs in `parts`. */
function nameOf(pinned: PinnedPackage, ...parts: readonly string[]): string {
  const hash = createHash('sha256')
    .update([pinned.integrity, ...parts].join('\n'))
    .digest('hex');
  return `${pinned.name.replace(/\W+/g, '-').replace(/^-/, '')}-${pinned.version}-${hash.slice(0, 8)}`;
}

/** node.exe of a package. */
export async function nodeProgram(pinned: PinnedPackage): Promise<string> {
  const folder = await cached(nameOf(pinned), (made) => unpack(pinned, made));
  return join(folder, 'bin', 'node.exe');
}

/** bun.exe, with the library beside it that Wine lacks. */
export async function bunProgram(): Promise<string> {
  const source = await readFile(SOURCE, 'utf8');
  const folder = await cached(nameOf(BUN, source), async (made) => {
    await unpack(BUN, made);
    const library = join(made, 'bin', 'bcryptprimitives.dll');
    await run(COMPILER, ['-shared', '-O2', '-s', '-o', library, resolve(SOURCE), '-ladvapi32'], {});
  });
  return join(folder, 'bin', 'bun.exe');
}

/** A node_modules folder with koffi for Windows. */
export async function koffiModules(): Promise<string> {
  const folder = await cached(nameOf(KOFFI, KOFFI_WINDOWS.integrity), async (made) => {
    for (const pinned of [KOFFI, KOFFI_WINDOWS]) {
      await unpack(pinned, join(made, 'node_modules', pinned.name));
    }
  });
  return join(folder, 'node_modules');
}

/** A fresh Wine prefix, from which each run gets its own. */
export async function prefixTemplate(wine: string, version: string): Promise<string> {
  return await cached(`prefix-${version.replace(/[^\w.]+/g, '-')}`, async (made) => {
    // wineboot wants to make the folder itself.
    const prefix = join(made, 'prefix');
    const options = { env: wineEnvironment(prefix), timeout: PREFIX_LIMIT_MS };
    try {
      await execute(wine, ['wineboot', '-i'], options);
      // Until the registry is on the disk.
      await execute('wineserver', ['-w'], options);
    } finally {
      endProcesses(prefix);
      removeServerFolder(prefix);
    }
    for (const name of await readdir(prefix)) await rename(join(prefix, name), join(made, name));
    await rm(prefix, { recursive: true });
  });
}
