/** Linux as this process sees it: loaded once, on first use, and only there. */
import process from 'node:process';
import { linuxErrno } from '../errno.ts';
import { loadKoffi, unsuitableHost } from '../koffi.ts';
import * as c from './constants.ts';
import { type Koffi, type Libc, loadLibc } from './libc.ts';

export interface System {
  readonly koffi: Koffi;
  readonly libc: Libc;
  readonly pageBytes: number;
  /** What the kernel's io_uring has, by `IORING_OP_*`. */
  readonly operations: ReadonlySet<number>;
}

/** What has no substitute. */
const OPERATIONS = [
  c.IORING_OP_NOP,
  c.IORING_OP_POLL_ADD,
  c.IORING_OP_SENDMSG,
  c.IORING_OP_RECVMSG,
  c.IORING_OP_ACCEPT,
  c.IORING_OP_ASYNC_CANCEL,
  c.IORING_OP_CONNECT,
  c.IORING_OP_SEND,
  c.IORING_OP_RECV,
] as const;

/** More than any kernel has. */
const OPERATIONS_MOST = 256;

/** A system call failed at set-up. */
export class LinuxError extends Error {
  readonly code: number;

  constructor(call: string, code: number) {
    super(`${call}: ${linuxErrno.nameOf(code) ?? 'error'} (${code})`);
    this.code = code;
  }
}

let loading: Promise<System> | undefined;

/**
 * Loads koffi and the C library's functions, and tries whether the kernel makes a ring.
 * @throws Error in words for a person: why it cannot be done here
 */
export function loadSystem(): Promise<System> {
  loading ??= load();
  // A failure is not kept: koffi may be installed, and asked for again.
  loading.catch(() => {
    loading = undefined;
  });
  return loading;
}

async function load(): Promise<System> {
  const reason = unsupported(process.platform, process.arch, process.versions.bun);
  if (reason !== undefined) throw new Error(reason);
  const koffi = await loadKoffi();
  const libc = loadLibc(koffi);
  const operations = tryRing(libc);
  return { koffi, libc, pageBytes: libc.getpagesize(), operations };
}

/** Why this host cannot have it, before anything is loaded; undefined if it can. */
export function unsupported(
  platform: string,
  architecture: string,
  bunVersion: string | undefined,
): string | undefined {
  if (platform !== 'linux') return `io_uring is Linux's own; this is ${platform}`;
  return unsuitableHost(architecture, bunVersion);
}

/**
 * A small ring of the kernel's own, for as long as this call: what it refuses is
 * said in words. Returns the operations that it has.
 */
function tryRing(libc: Libc): ReadonlySet<number> {
  const params = new Uint8Array(c.io_uring_params.$size);
  const view = new DataView(params.buffer);
  // The youngest flag that has no substitute: Linux 5.19, as are provided buffer rings.
  view.setUint32(c.io_uring_params.flags, c.IORING_SETUP_COOP_TASKRUN, true);
  const fd = libc.io_uring_setup(4, params);
  if (fd < 0) throw new Error(refusal(libc.errno()));
  try {
    const { io_uring_probe: probe, io_uring_probe_op: op } = c;
    const answer = new Uint8Array(probe.$size + OPERATIONS_MOST * op.$size);
    const failed = libc.io_uring_register(fd, c.IORING_REGISTER_PROBE, answer, OPERATIONS_MOST);
    if (failed !== 0) throw new Error(refusal(libc.errno()));
    const found = new Set<number>();
    for (let operation = 0; operation < OPERATIONS_MOST; operation++) {
      const at = probe.ops + operation * op.$size + op.flags;
      if (((answer[at] as number) & c.IO_URING_OP_SUPPORTED) !== 0) found.add(operation);
    }
    const missing = OPERATIONS.find((operation) => !found.has(operation));
    if (missing === undefined) return found;
    throw new Error(`this kernel's io_uring lacks operation ${missing}`);
  } finally {
    libc.close(fd);
  }
}

/** Why the kernel makes no ring. */
export function refusal(code: number): string {
  switch (code) {
    case c.ENOSYS:
      return 'this kernel has no io_uring, or a container hides it (ENOSYS)';
    case c.EPERM:
    case c.EACCES:
      return "io_uring is forbidden here: a container's seccomp profile, or sysctl kernel.io_uring_disabled (EPERM)";
    case c.ENOMEM:
      return 'no memory may be locked for io_uring: raise the limit (ulimit -l) (ENOMEM)';
    case c.EINVAL:
      return "this kernel's io_uring is too old: Linux 5.19 or later is needed (EINVAL)";
    case c.EMFILE:
    case c.ENFILE:
      return 'no descriptor is left for a ring (EMFILE)';
    default:
      return new LinuxError('io_uring_setup', code).message;
  }
}
