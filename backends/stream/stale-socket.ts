/** Socket files that a process left behind when it died. */
import { lstat, unlink } from 'node:fs/promises';
import net from 'node:net';

/** Removes the file at `path` if it is a Unix socket that nobody listens on. */
export async function removeStaleSocket(path: string): Promise<boolean> {
  try {
    if (!(await lstat(path)).isSocket() || !(await refusesConnection(path))) return false;
    await unlink(path);
    return true;
  } catch {
    return false;
  }
}

function refusesConnection(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const trial = net.connect({ path });
    trial.on('connect', () => {
      trial.destroy();
      resolve(false);
    });
    trial.on('error', (error: Error & { code?: string }) => resolve(error.code === 'ECONNREFUSED'));
  });
}
