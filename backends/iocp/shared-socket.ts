/**
 * WSARecv, WSARecvFrom and WSASend on one socket and one completion port, for
 * experiments with several threads: what the documents did.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Core } from '../../src/core/core.ts';
import type {
  Received,
  SharedSocket,
  SharedSocketOptions,
  SharedSockets,
} from '../shared-socket.ts';
import * as c from './constants.ts';
import { loadSystem, type System } from './system.ts';
import type { Win32 } from './win32.ts';

/** One receive: its OVERLAPPED first, then what the system reads and writes until its packet comes. */
const RECEIVE = {
  buffer: c.OVERLAPPED.$size,
  flags: c.OVERLAPPED.$size + c.WSABUF.$size,
  fromBytes: c.OVERLAPPED.$size + c.WSABUF.$size + 4,
  from: c.OVERLAPPED.$size + c.WSABUF.$size + 16,
  $size: 256,
} as const;
const CLOSE_TIMEOUT_MS = 5000;
/** Completion keys: of the socket, and of packets that were posted. */
const SOCKET_KEY = 0;
const POSTED_KEY = 1;
/** ERROR_MORE_DATA, as OVERLAPPED_ENTRY.Internal has it: a datagram that was too long for its buffer. */
const STATUS_BUFFER_OVERFLOW = 0x80000005;

interface Handle {
  readonly socket: number;
  readonly port: number;
  readonly records: number;
  /** A word: receives in flight. */
  readonly pending: number;
  readonly datagrams: boolean;
  readonly waitAll: boolean;
}

class WindowsSharedSocket implements SharedSocket {
  readonly #win32: Win32;
  readonly #core: Core;
  readonly #base: number;
  readonly #handle: Handle;
  /** This thread's room for what one call writes. */
  readonly #scratch: number;

  constructor({ win32, koffi }: System, core: Core, handle: Handle) {
    this.#win32 = win32;
    this.#core = core;
    this.#base = Number(koffi.address(core.u8));
    this.#handle = handle;
    this.#scratch = core.reserve(64);
  }

  receive(slot: number, address: number, sizeBytes: number): void {
    const { socket, records, pending, datagrams, waitAll } = this.#handle;
    const { u8, u32, i32 } = this.#core;
    const record = records + slot * RECEIVE.$size;
    u8.fill(0, record, record + RECEIVE.$size);
    this.#describe(record + RECEIVE.buffer, address, sizeBytes);
    u32[(record + RECEIVE.flags) >>> 2] = waitAll ? c.MSG_WAITALL : 0;
    u32[(record + RECEIVE.fromBytes) >>> 2] = c.sockaddr_storage.$size;
    const at = this.#base + record;
    const buffer = at + RECEIVE.buffer;
    const flags = at + RECEIVE.flags;
    Atomics.add(i32, pending >>> 2, 1);
    const win32 = this.#win32;
    const failed = datagrams
      ? win32.WSARecvFrom(
          socket,
          buffer,
          1,
          0,
          flags,
          at + RECEIVE.from,
          at + RECEIVE.fromBytes,
          at,
          0,
        )
      : win32.WSARecv(socket, buffer, 1, 0, flags, at, 0);
    if (failed === 0) return;
    const code = win32.WSAGetLastError();
    if (code === c.WSA_IO_PENDING) return;
    Atomics.sub(i32, pending >>> 2, 1);
    throw new Error(`${datagrams ? 'WSARecvFrom' : 'WSARecv'}: Winsock error ${code}`);
  }

  dequeue(timeoutMs: number): Received | undefined {
    const { port, records, pending } = this.#handle;
    const { u32, i32 } = this.#core;
    const entry = this.#scratch;
    const removed = entry + c.OVERLAPPED_ENTRY.$size;
    const at = this.#base;
    const win32 = this.#win32;
    if (!win32.GetQueuedCompletionStatusEx(port, at + entry, 1, at + removed, timeoutMs, 0)) {
      const code = win32.GetLastError();
      if (code === c.WAIT_TIMEOUT) return undefined;
      throw new Error(`GetQueuedCompletionStatusEx: error ${code}`);
    }
    const { OVERLAPPED_ENTRY: e } = c;
    const bytes = u32[(entry + e.dwNumberOfBytesTransferred) >>> 2] as number;
    if (u32[(entry + e.lpCompletionKey) >>> 2] === POSTED_KEY) {
      return { slot: bytes, bytes: 0, isPosted: true };
    }
    Atomics.sub(i32, pending >>> 2, 1);
    const low = u32[(entry + e.lpOverlapped) >>> 2] as number;
    const high = u32[(entry + e.lpOverlapped + 4) >>> 2] as number;
    const slot = (high * 2 ** 32 + low - at - records) / RECEIVE.$size;
    const status = u32[(records + slot * RECEIVE.$size + c.OVERLAPPED.Internal) >>> 2] as number;
    const isWell = status === c.STATUS_SUCCESS || status === STATUS_BUFFER_OVERFLOW;
    return { slot, bytes: isWell ? bytes : -1, isPosted: false };
  }

  post(packet: number): void {
    const { port } = this.#handle;
    if (this.#win32.PostQueuedCompletionStatus(port, packet, POSTED_KEY, 0) === 0) {
      throw new Error(`PostQueuedCompletionStatus: error ${this.#win32.GetLastError()}`);
    }
  }

  send(address: number, sizeBytes: number): number {
    const buffer = this.#scratch;
    const sent = buffer + c.WSABUF.$size;
    this.#describe(buffer, address, sizeBytes);
    const at = this.#base;
    const failed = this.#win32.WSASend(this.#handle.socket, at + buffer, 1, at + sent, 0, 0, 0);
    if (failed === 0) return this.#core.u32[sent >>> 2] as number;
    const code = this.#win32.WSAGetLastError();
    if (code === c.WSAEWOULDBLOCK || code === c.WSAENOBUFS) return 0;
    throw new Error(`WSASend: Winsock error ${code}`);
  }

  finish(): void {
    this.#win32.shutdown(this.#handle.socket, c.SD_SEND);
  }

  /** Receives in flight, which hold memory. */
  get pending(): number {
    return Atomics.load(this.#core.i32, this.#handle.pending >>> 2);
  }

  #describe(record: number, address: number, sizeBytes: number): void {
    const { u32 } = this.#core;
    const pointer = this.#base + address;
    u32[(record + c.WSABUF.len) >>> 2] = sizeBytes;
    u32[(record + c.WSABUF.buf) >>> 2] = pointer % 2 ** 32;
    u32[(record + c.WSABUF.buf + 4) >>> 2] = Math.floor(pointer / 2 ** 32);
  }
}

/** A non-blocking overlapped socket on loopback: a stream that is connected to `port`, or bound to a port of its own. */
function makeSocket(
  win32: Win32,
  { datagrams, port, sendBufferBytes }: SharedSocketOptions,
): { socket: number; port: number } {
  const check = (call: string, result: number): void => {
    if (result !== 0) throw new Error(`${call}: Winsock error ${win32.WSAGetLastError()}`);
  };
  const socket = win32.WSASocketW(
    c.AF_INET,
    datagrams ? c.SOCK_DGRAM : c.SOCK_STREAM,
    datagrams ? c.IPPROTO_UDP : c.IPPROTO_TCP,
    null,
    0,
    c.WSA_FLAG_OVERLAPPED | c.WSA_FLAG_NO_HANDLE_INHERIT,
  );
  if (socket === c.INVALID_SOCKET) {
    throw new Error(`WSASocketW: Winsock error ${win32.WSAGetLastError()}`);
  }
  try {
    const word = (value: number) => new Uint8Array(new Int32Array([value]).buffer);
    if (sendBufferBytes !== undefined) {
      const bytes = word(sendBufferBytes);
      check('setsockopt', win32.setsockopt(socket, c.SOL_SOCKET, c.SO_SNDBUF, bytes, 4));
    }
    const { sockaddr_in } = c;
    const bytes = new Uint8Array(sockaddr_in.$size);
    const name = new DataView(bytes.buffer);
    name.setUint16(sockaddr_in.sin_family, c.AF_INET, true);
    name.setUint16(sockaddr_in.sin_port, port, false);
    name.setUint32(sockaddr_in.sin_addr, 0x7f000001, false);
    const own = datagrams ? 'bind' : 'connect';
    check(own, win32[own](socket, bytes, bytes.length));
    check('ioctlsocket', win32.ioctlsocket(socket, c.FIONBIO, word(1)));
    if (!datagrams) return { socket, port: 0 };
    check('getsockname', win32.getsockname(socket, bytes, word(bytes.length)));
    return { socket, port: name.getUint16(sockaddr_in.sin_port, false) };
  } catch (error) {
    win32.closesocket(socket);
    throw error;
  }
}

/** @throws Error in words for a person: why it cannot be done here */
export async function loadSharedSockets(): Promise<SharedSockets> {
  const system = await loadSystem();
  const { win32 } = system;
  return {
    calls: 'WSARecv, WSARecvFrom and WSASend of Windows on one socket and one completion port',
    bothEnds: false,
    async open(core, options) {
      const { socket, port: udpPort } = makeSocket(win32, options);
      const port = win32.CreateIoCompletionPort(c.INVALID_HANDLE_VALUE, 0, 0, 0);
      if (port === 0 || win32.CreateIoCompletionPort(socket, port, SOCKET_KEY, 0) === 0) {
        const code = win32.GetLastError();
        win32.closesocket(socket);
        throw new Error(`CreateIoCompletionPort: error ${code}`);
      }
      const handle: Handle = {
        socket,
        port,
        records: core.reserve(options.slots * RECEIVE.$size),
        pending: core.reserve(64),
        datagrams: options.datagrams,
        waitAll: options.waitAll && !options.datagrams,
      };
      return {
        handle,
        port: udpPort,
        async close() {
          const own = new WindowsSharedSocket(system, core, handle);
          win32.CancelIoEx(socket, 0);
          win32.closesocket(socket);
          const deadline = performance.now() + CLOSE_TIMEOUT_MS;
          while (own.pending > 0 && performance.now() < deadline) {
            if (own.dequeue(0) === undefined) await sleep(1);
          }
          // What the system still writes to must not go away: the port stays open then.
          if (own.pending > 0) throw new Error(`${own.pending} receives did not come back`);
          win32.CloseHandle(port);
        },
      };
    },
    attach: (core, handle) => new WindowsSharedSocket(system, core, handle as Handle),
  };
}
