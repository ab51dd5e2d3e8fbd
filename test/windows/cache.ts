/**
 * The folder that keeps what the Windows tests need between runs.
 *
 * Every part of it is made in a folder of its own and then renamed: a run that
 * is killed leaves nothing half done, and of two runs that make the same part
 * at once the first one's is used by both.
 */
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { exists, isAlive } from '../../build/files.ts';

/** Where the cache is: `OVERLAPPED_WINDOWS_CACHE`, else in the user's cache folder. */
export function cacheFolder(): string {
  const { OVERLAPPED_WINDOWS_CACHE: chosen, XDG_CACHE_HOME: users } = process.env;
  if (chosen !== undefined && chosen !== '') return resolve(chosen);
  const base = users !== undefined && users !== '' ? users : join(homedir(), '.cache');
  return resolve(base, 'overlapped-windows-tests');
}

const TEMPORARY = 'tmp';

/** A new empty folder in the cache that goes when this process has ended, at the latest at the next run. */
export async function temporaryFolder(): Promise<string> {
  const folder = join(cacheFolder(), TEMPORARY);
  await mkdir(folder, { recursive: true });
  return await mkdtemp(join(folder, `${process.pid}-`));
}

/** The temporary folders of runs that were killed. */
export async function abandonedFolders(): Promise<string[]> {
  const folder = join(cacheFolder(), TEMPORARY);
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => !isAlive(Number.parseInt(name, 10)))
    .map((name) => join(folder, name));
}

/** The folder `name` of the cache, filled by `make` where it is not there yet. */
export async function cached(
  name: string,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const final = join(cacheFolder(), name);
  if (await exists(final)) return final;
  const folder = await temporaryFolder();
  try {
    await make(folder);
    await rename(folder, final).catch(async (error) => {
      if (!(await exists(final))) throw error;
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return final;
}
