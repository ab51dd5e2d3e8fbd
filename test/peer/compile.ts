/** Builds the foreign peer at first use; nothing built lies in the repository. */
import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { access, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { environment } from '../support/environment.ts';

const SOURCE = 'test/peer/peer.c';
const FLAGS = ['-O2', '-Wall', '-Wextra', '-Werror'];
const MINGW = 'x86_64-w64-mingw32-gcc';
const COMPILE_LIMIT_MS = 60_000;

/** The system that the program is for. */
export type PeerTarget = 'posix' | 'windows';

/** There is no peer here, for a reason in words for a person. */
export class PeerUnavailable extends Error {}

/** The system of this host. */
export const OWN_TARGET: PeerTarget = process.platform === 'win32' ? 'windows' : 'posix';

/** Its name where a host that cannot compile finds it: beside the bundle. */
export const WINDOWS_PEER = 'peer.exe';

function compilers(target: PeerTarget): readonly string[] {
  if (target === 'posix') return ['cc', 'gcc', 'clang'];
  return process.platform === 'win32' ? [MINGW, 'gcc', 'clang'] : [MINGW];
}

/**
 * Compiles the peer into `folder`.
 * @returns the program's path
 * @throws PeerUnavailable without a compiler for that system; Error if it does not compile
 */
export async function compilePeer(target: PeerTarget, folder: string): Promise<string> {
  const program = join(folder, target === 'windows' ? WINDOWS_PEER : 'peer');
  const libraries = target === 'windows' ? ['-lws2_32'] : [];
  const wanted = compilers(target);
  for (const compiler of wanted) {
    try {
      const argv = [...FLAGS, '-o', program, resolve(SOURCE), ...libraries];
      await promisify(execFile)(compiler, argv, { timeout: COMPILE_LIMIT_MS });
      return program;
    } catch (error) {
      const { code, stderr } = error as { code?: unknown; stderr?: string };
      if (code === 'ENOENT' || code === 'NotFound') continue;
      throw new Error(`${compiler} does not compile ${SOURCE}:\n${stderr ?? error}`);
    }
  }
  throw new PeerUnavailable(`no C compiler for ${target} (tried ${wanted.join(', ')})`);
}

let own: Promise<string> | undefined;

async function findOrCompile(): Promise<string> {
  const given = environment('OVERLAPPED_PEER');
  if (given !== undefined && given !== '') return given;
  if (OWN_TARGET === 'windows') {
    const beside = fileURLToPath(new URL(`./${WINDOWS_PEER}`, import.meta.url));
    const isThere = await access(beside).then(
      () => true,
      () => false,
    );
    if (isThere) return beside;
  }
  const folder = await mkdtemp(join(tmpdir(), 'overlapped-peer-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return await compilePeer(OWN_TARGET, folder);
}

/**
 * The peer for this host: OVERLAPPED_PEER, the one beside the bundle (Windows), or one compiled
 * now, once in a process; `forgetPeer` removes that one.
 * @throws PeerUnavailable
 */
export function findPeer(): Promise<string> {
  own ??= findOrCompile();
  return own;
}
