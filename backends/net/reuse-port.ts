/**
 * Several sockets on one TCP port (SO_REUSEPORT), which the system spreads new
 * connections over. Linux only: elsewhere the last, or the first, gets all.
 * Versions of Node that do not offer it are given a socket that was bound by
 * foreign calls.
 */
import net from 'node:net';
import process from 'node:process';
import type { Probe } from '../backend.ts';
import { linuxErrno } from '../errno.ts';
import { type Foreign, loadKoffi, unsuitableHost } from '../koffi.ts';
import { resolveTargets } from '../stream/resolve.ts';

/** Of Linux on x86-64 and arm64; checked against its headers by a test. */
export const SOCKETS = {
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_STREAM: 1,
  SOCK_CLOEXEC: 0x80000,
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_REUSEPORT: 15,
  IPPROTO_IPV6: 41,
  IPV6_V6ONLY: 26,
} as const;
const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_IN6_BYTES = 28;

/** The first versions of Node whose `listen` takes `reusePort`. */
const NODE_VERSIONS = [
  [22, 12],
  [23, 1],
] as const;

/** Whether the host's own `listen` takes `reusePort`. */
export function hostReusesPorts(versions: Readonly<Record<string, string | undefined>>): boolean {
  if (versions.bun !== undefined || versions.deno !== undefined) return true;
  const [major = 0, minor = 0] = (versions.node ?? '').split('.').map(Number);
  for (const [line, least] of NODE_VERSIONS) if (major === line) return minor >= least;
  return major > 23;
}

/** Whether `reusingDescriptor` is what makes it. */
export function needsDescriptor(): boolean {
  return process.platform === 'linux' && !hostReusesPorts(process.versions);
}

/** Whether several threads can listen on one port here, and all get connections. */
export async function spreads(): Promise<Probe> {
  const { platform, versions, arch } = process;
  if (platform !== 'linux') {
    const reason = `${platform} does not spread connections over the sockets of one port`;
    return { available: false, reason };
  }
  if (hostReusesPorts(versions)) return { available: true };
  const old = `Node ${versions.node} cannot share a port by itself (22.12 can)`;
  try {
    const reason = unsuitableHost(arch, undefined);
    if (reason !== undefined) throw new Error(reason);
    await loadKoffi();
    return { available: true, detail: `${old}: by foreign calls` };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { available: false, reason: `${old}, and foreign calls cannot be made: ${why}` };
  }
}

interface Calls {
  readonly socket: Foreign<[family: number, type: number, protocol: number], number>;
  readonly setsockopt: Foreign<
    [fd: number, level: number, option: number, value: Uint8Array, valueBytes: number],
    number
  >;
  readonly bind: Foreign<[fd: number, name: Uint8Array, nameBytes: number], number>;
  readonly close: Foreign<[fd: number], number>;
  errno(): number;
}

let loading: Promise<Calls> | undefined;

async function load(): Promise<Calls> {
  const koffi = await loadKoffi();
  const libc = koffi.load(null);
  const INT = 'int';
  const UINT = 'uint32_t';
  return {
    socket: libc.func('socket', INT, [INT, INT, INT]) as Calls['socket'],
    setsockopt: libc.func('setsockopt', INT, [
      INT,
      INT,
      INT,
      'void *',
      UINT,
    ]) as Calls['setsockopt'],
    bind: libc.func('bind', INT, [INT, 'void *', UINT]) as Calls['bind'],
    close: libc.func('close', INT, [INT]) as Calls['close'],
    errno: () => koffi.errno(),
  };
}

/**
 * A descriptor for `net.Server.listen({ fd })`: bound, with SO_REUSEPORT, and not
 * listening yet. Rejects with an error that has a `code`, as node:net's have.
 */
export async function reusingDescriptor(
  host: string,
  port: number,
  ipv6Only: boolean,
): Promise<number> {
  loading ??= load();
  const calls = await loading;
  const [{ address, family }] = await resolveTargets(host);
  const name = socketAddress(address, port);
  const { AF_INET, AF_INET6, SOCK_STREAM, SOCK_CLOEXEC } = SOCKETS;
  const fd = calls.socket(family === 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw systemError('socket', calls.errno());
  const check = (call: string, result: number): void => {
    if (result === 0) return;
    const error = systemError(call, calls.errno());
    calls.close(fd);
    throw error;
  };
  const option = (level: number, number: number, value: number) => {
    const bytes = new Uint8Array(Int32Array.of(value).buffer);
    check('setsockopt', calls.setsockopt(fd, level, number, bytes, bytes.length));
  };
  option(SOCKETS.SOL_SOCKET, SOCKETS.SO_REUSEADDR, 1);
  option(SOCKETS.SOL_SOCKET, SOCKETS.SO_REUSEPORT, 1);
  if (family === 6) option(SOCKETS.IPPROTO_IPV6, SOCKETS.IPV6_V6ONLY, ipv6Only ? 1 : 0);
  check('bind', calls.bind(fd, name, name.length));
  return fd;
}

/** Gives a descriptor back that no server took. */
export async function closeDescriptor(fd: number): Promise<void> {
  (await loading)?.close(fd);
}

/** A sockaddr_in or sockaddr_in6. */
export function socketAddress(address: string, port: number): Uint8Array {
  const isInet6 = net.isIPv6(address);
  const bytes = new Uint8Array(isInet6 ? SOCKADDR_IN6_BYTES : SOCKADDR_IN_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, isInet6 ? SOCKETS.AF_INET6 : SOCKETS.AF_INET, true);
  view.setUint16(2, port);
  if (isInet6) bytes.set(inet6Bytes(address), 8);
  else bytes.set(address.split('.').map(Number), 4);
  return bytes;
}

/** The 16 bytes of an IPv6 address without a zone. */
function inet6Bytes(address: string): Uint8Array {
  const [plain = ''] = address.split('%');
  // A dotted tail is two groups.
  const text = plain.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
  const [left = '', right] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const head = groups(left);
  const tail = right === undefined ? [] : groups(right);
  const zeros: string[] = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  const view = new DataView(new ArrayBuffer(16));
  for (const [index, group] of [...head, ...zeros, ...tail].entries()) {
    view.setUint16(index * 2, Number.parseInt(group, 16));
  }
  return new Uint8Array(view.buffer);
}

function systemError(call: string, number: number): Error {
  const code = linuxErrno.nameOf(number) ?? 'UNKNOWN';
  return Object.assign(new Error(`${call} ${code}`), { code });
}
