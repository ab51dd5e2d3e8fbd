/**
 * A Wine prefix of its own for each run: nothing passes from one run to
 * another, and whatever carries the prefix in its environment is of this run.
 */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { copyFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';

/** Files that Wine writes again in place; everything else is only read, and shared by hard links. */
const WRITTEN = /\.reg$|^\.update-timestamp$/;
/** Debian's Wine notes here the name of its server's folder. */
const SERVER_NOTE = 'wineserver';

/** The environment of everything that runs in `prefix`. */
export function wineEnvironment(prefix: string): Record<string, string | undefined> {
  return {
    ...process.env,
    WINEPREFIX: prefix,
    WINEARCH: 'win64',
    WINEDEBUG: '-all',
    // Neither .NET nor a browser engine, about which Wine would ask a person; no entries in menus.
    WINEDLLOVERRIDES: 'mscoree,mshtml,winemenubuilder.exe=',
    // No windows on whoever's screen.
    DISPLAY: '',
    WAYLAND_DISPLAY: '',
    // Messages of the system in English.
    LC_ALL: 'C.UTF-8',
    NODE_SKIP_PLATFORM_CHECK: '1',
    // A crash is for us to read, and not sent anywhere.
    BUN_ENABLE_CRASH_REPORTING: '0',
  };
}

/** Makes `prefix` a copy of `template`, which must be on the same file system. */
export async function copyPrefix(template: string, prefix: string): Promise<void> {
  await promisify(execFile)('cp', ['-al', template, prefix]);
  for (const name of await readdir(template)) {
    if (!WRITTEN.test(name)) continue;
    await rm(join(prefix, name));
    await copyFile(join(template, name), join(prefix, name));
  }
}

/** The processes whose environment names `prefix`. */
function findProcesses(prefix: string): number[] {
  const mark = `WINEPREFIX=${prefix}`;
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      if (!Number.isInteger(pid) || pid === process.pid) return false;
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(mark);
      } catch {
        // It has ended, or is somebody else's.
        return false;
      }
    });
}

/**
 * Ends every process that runs in `prefix`, Wine's own among them. Wine puts
 * them in sessions of their own, so that ending the process group is not enough.
 */
export function endProcesses(prefix: string): void {
  // Again, for what was started meanwhile.
  for (let round = 0; round < 5; round++) {
    const found = findProcesses(prefix);
    if (found.length === 0) return;
    for (const pid of found) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended already.
      }
    }
  }
}

/** Removes what a server that was killed leaves in the folder for temporary files. */
export function removeServerFolder(prefix: string): void {
  const note = join(prefix, SERVER_NOTE);
  try {
    const name = readFileSync(note, 'latin1');
    if (!/^wine-\w+$/.test(name)) return;
    rmSync(note, { force: true });
    rmSync(join(tmpdir(), name), { recursive: true, force: true });
  } catch {
    // No server has run, or it is another build of Wine, which uses one folder for all.
  }
}
