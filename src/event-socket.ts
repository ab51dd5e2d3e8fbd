/**
 * Named events over local sockets: a Unix socket in a folder of the user's own
 * below the temporary folder, so that nobody else can listen or signal; on
 * Windows, where the system's own events cannot be had, a named pipe.
 */
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, unlink } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { type ErrorCode, OverlappedError } from './errors.ts';

/** A name that this process listens to. */
export interface EventSocket {
  /** Resolves at the first signal, and never if there is none. */
  readonly signaled: Promise<void>;
  /** Stops listening and frees the name. */
  close(): Promise<void>;
}

/** A signaller sends this byte, the listener answers with it: merely connecting signals nothing. */
const SIGNAL = 0x53;
const SIGNAL_TIMEOUT_MS = 5_000;
/** A socket's path has room for 104 bytes on macOS, where the temporary folder takes about 50. */
const NAME_MAX_CHARS = 24;
const DIGEST_CHARS = 12;

/**
 * Listens to the event `name`.
 * @throws OverlappedError ADDRESS_IN_USE if another process listens to it, ACCESS if the folder is not
 * this user's alone, INVALID_OPTION if the name is empty
 */
export async function listenSocket(name: string): Promise<EventSocket> {
  const path = await eventPath(name, true);
  let signal: () => void = () => {};
  const signaled = new Promise<void>((resolve) => {
    signal = resolve;
  });
  const peers = new Set<Socket>();
  const server = createServer((peer) => {
    peers.add(peer);
    // A peer that breaks off has said nothing: no event, no error.
    peer.on('error', () => peer.destroy());
    peer.on('close', () => peers.delete(peer));
    peer.once('data', (bytes) => {
      if (bytes[0] !== SIGNAL) return peer.destroy();
      peer.end(bytes.subarray(0, 1));
      signal();
    });
  });
  await bind(server, path, name);
  if (process.platform !== 'win32') await chmod(path, 0o600);
  return {
    signaled,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // What was answered is on its way; nobody else keeps the end waiting.
        for (const peer of peers) peer.destroySoon();
      }),
  };
}

/**
 * Signals the event `name`; resolves when its listener has taken notice.
 * @throws OverlappedError REFUSED if nobody listens to it, TIMED_OUT if the listener does not answer
 */
export async function signalSocket(name: string): Promise<void> {
  const path = await eventPath(name, false);
  await new Promise<void>((resolve, reject) => {
    const socket = createConnection(path);
    const fail = (code: ErrorCode, what: string, cause?: unknown): void => {
      socket.destroy();
      reject(new OverlappedError(code, what, { syscall: 'connect', cause }));
    };
    socket.setTimeout(SIGNAL_TIMEOUT_MS, () =>
      fail('TIMED_OUT', `whoever listens to the event '${name}' does not answer`),
    );
    socket.on('connect', () => socket.write(Uint8Array.of(SIGNAL)));
    socket.on('data', () => {
      socket.end();
      resolve();
    });
    socket.on('error', (error) =>
      fail(
        isDenied(error) ? 'ACCESS' : 'REFUSED',
        isDenied(error)
          ? `the event '${name}' belongs to another user`
          : `nobody listens to the event '${name}'`,
        error,
      ),
    );
    socket.on('close', () => fail('REFUSED', `the listener of the event '${name}' went away`));
  });
}

async function bind(server: Server, path: string, name: string): Promise<void> {
  try {
    await listening(server, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE' || (await isAnswered(path))) {
      throw code === 'EADDRINUSE'
        ? new OverlappedError('ADDRESS_IN_USE', `another process listens to the event '${name}'`, {
            syscall: 'listen',
            cause: error,
          })
        : error;
    }
    // The socket of a process that ended without removing it.
    await unlink(path);
    await listening(server, path);
  }
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

function isDenied(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EACCES' || code === 'EPERM';
}

/** The name as one path component: what is not plain, or too long, is told apart by a digest. */
function safeName(name: string): string {
  if (name === '') throw new OverlappedError('INVALID_OPTION', 'the name of an event is empty');
  const plain = name.replace(/[^A-Za-z0-9_-]/g, '_');
  if (plain === name && name.length <= NAME_MAX_CHARS) return plain;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, DIGEST_CHARS);
  return `${plain.slice(0, NAME_MAX_CHARS - DIGEST_CHARS - 1)}.${digest}`;
}

async function eventPath(name: string, create: boolean): Promise<string> {
  const safe = safeName(name);
  const user = userInfo();
  if (process.platform === 'win32') {
    return `\\\\.\\pipe\\overlapped-event-${safeName(user.username)}-${safe}`;
  }
  const folder = join(tmpdir(), `overlapped-${user.uid}`);
  if (create) await mkdir(folder, { mode: 0o700 }).catch(ignoreExisting);
  const status = await lstat(folder).catch(() => undefined);
  // A folder that another user put there could hold that user's socket.
  if (status && (!status.isDirectory() || status.uid !== user.uid || (status.mode & 0o077) !== 0)) {
    throw new OverlappedError('ACCESS', `${folder} is not a folder of this user alone`);
  }
  return join(folder, `${safe}.event`);
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
