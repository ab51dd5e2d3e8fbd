/**
 * recv(2) and send(2) on one descriptor, for experiments with several threads.
 * A receive waits in its call; a send takes what there is room for.
 */
import process from 'node:process';
import type { Core } from '../../src/core/core.ts';
import { loadKoffi } from '../koffi.ts';
import { SharedReceives } from '../shared-receives.ts';
import type { SharedSocket, SharedSocketOptions, SharedSockets } from '../shared-socket.ts';
import * as c from './constants.ts';
import { type Koffi, type Libc, loadLibc } from './libc.ts';
import { LinuxError, unsupported } from './system.ts';

/** A receive without bytes returns after this, so that its thread can end. */
const RECEIVE_TIMEOUT_US = 50_000;

interface Handle {
  readonly fd: number;
  readonly received: number;
  readonly waitAll: boolean;
}

class LinuxSharedSocket implements SharedSocket {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #base: number;
  readonly #received: SharedReceives;
  readonly #flags: number;

  constructor(libc: Libc, base: number, { fd, received, waitAll }: Handle, core: Core) {
    this.#libc = libc;
    this.#fd = fd;
    this.#base = base;
    this.#flags = waitAll ? c.MSG_WAITALL : 0;
    this.#received = SharedReceives.attach(core, received);
  }

  receive(slot: number, address: number, sizeBytes: number): void {
    const bytes = this.#libc.recv(this.#fd, this.#base + address, sizeBytes, this.#flags);
    this.#received.push(slot, bytes >= 0 ? bytes : this.#nothing('recv'));
  }

  dequeue(timeoutMs: number) {
    return this.#received.take(timeoutMs);
  }

  post(packet: number): void {
    this.#received.post(packet);
  }

  send(address: number, sizeBytes: number): number {
    const flags = c.MSG_DONTWAIT | c.MSG_NOSIGNAL;
    const taken = this.#libc.send(this.#fd, this.#base + address, sizeBytes, flags);
    return taken >= 0 ? taken : this.#nothing('send') + 1;
  }

  finish(): void {
    this.#libc.shutdown(this.#fd, c.SHUT_WR);
  }

  /** -1 where the call has only to be made again. */
  #nothing(call: string): -1 {
    const code = this.#libc.errno();
    if (code === c.EAGAIN || code === c.EINTR) return -1;
    throw new LinuxError(call, code);
  }
}

/** A socket on loopback: a stream that is connected to `port`, or bound to a port of its own. */
function makeSocket(
  libc: Libc,
  core: Core,
  base: number,
  { datagrams, port, sendBufferBytes }: SharedSocketOptions,
): { fd: number; port: number } {
  const check = (call: string, result: number): number => {
    if (result < 0) throw new LinuxError(call, libc.errno());
    return result;
  };
  const type = (datagrams ? c.SOCK_DGRAM : c.SOCK_STREAM) | c.SOCK_CLOEXEC;
  const fd = check('socket', libc.socket(c.AF_INET, type, 0));
  try {
    const time = new Uint8Array(c.timeval.$size);
    new DataView(time.buffer).setBigInt64(c.timeval.tv_usec, BigInt(RECEIVE_TIMEOUT_US), true);
    const { SOL_SOCKET, SO_RCVTIMEO, SO_SNDBUF, sockaddr_in } = c;
    check('setsockopt', libc.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, time, time.length));
    if (sendBufferBytes !== undefined) {
      const bytes = new Uint8Array(new Int32Array([sendBufferBytes]).buffer);
      check('setsockopt', libc.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, bytes, bytes.length));
    }
    const at = core.reserve(sockaddr_in.$size + 8);
    const name = new DataView(core.u8.buffer, at, sockaddr_in.$size + 8);
    name.setUint16(sockaddr_in.sin_family, c.AF_INET, true);
    name.setUint16(sockaddr_in.sin_port, port, false);
    name.setUint32(sockaddr_in.sin_addr, 0x7f000001, false);
    if (!datagrams) {
      check('connect', libc.connect(fd, base + at, sockaddr_in.$size));
      return { fd, port: 0 };
    }
    check('bind', libc.bind(fd, base + at, sockaddr_in.$size));
    name.setUint32(sockaddr_in.$size, sockaddr_in.$size, true);
    const lengthAt = base + at + sockaddr_in.$size;
    check('getsockname', libc.getsockname(fd, base + at, lengthAt));
    return { fd, port: name.getUint16(sockaddr_in.sin_port, false) };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** @throws Error in words for a person: why it cannot be done here */
export async function loadSharedSockets(): Promise<SharedSockets> {
  const reason = unsupported(process.platform, process.arch, process.versions.bun);
  if (reason !== undefined) throw new Error(reason);
  const koffi: Koffi = await loadKoffi();
  const libc = loadLibc(koffi);
  const baseOf = (core: Core) => Number(koffi.address(core.u8));
  return {
    calls: 'recv(2) and send(2) of Linux on one descriptor',
    bothEnds: false,
    async open(core, options) {
      if (options.overlapped) throw new Error('recv(2) waits in its call');
      const { fd, port } = makeSocket(libc, core, baseOf(core), options);
      const received = SharedReceives.create(core, options.slots);
      const handle: Handle = { fd, received, waitAll: options.waitAll && !options.datagrams };
      return {
        handle,
        port,
        close: async () => {
          libc.close(fd);
        },
      };
    },
    attach: (core, handle) => new LinuxSharedSocket(libc, baseOf(core), handle as Handle, core),
  };
}
