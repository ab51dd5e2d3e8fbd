/** SOCKETs: made, set up, named. What fails says which Winsock error it was. */
import { AddressRecords } from '../../src/core/address.ts';
import type { SocketAddress, StreamOptions } from '../backend.ts';
import * as c from './constants.ts';
import { winsockOfWin32 } from './errors.ts';
import type { NativeMemory } from './memory.ts';
import type { System } from './system.ts';
import type { Address, Socket, Win32 } from './win32.ts';

export type Family = 4 | 6;

/** A Winsock call failed at set-up. */
export class WinsockError extends Error {
  readonly code: number;

  constructor(call: string, code: number) {
    super(`${call}: Winsock error ${code}`);
    this.code = code;
  }
}

/** Milliseconds between keep-alive probes, once they go unanswered: Windows' own default. */
const KEEP_ALIVE_INTERVAL_MS = 1000;

export class Sockets {
  readonly win32: Win32;
  readonly memory: NativeMemory;
  readonly addresses: AddressRecords;
  /** Sockets open now: none may be left at the end. */
  open = 0;
  /** By family: whether its provider's sockets are the system's own handles. */
  readonly #ownHandles = new Map<Family, boolean>();
  readonly #word = new Int32Array(1);
  readonly #wordBytes = new Uint8Array(this.#word.buffer);

  constructor({ win32 }: System, memory: NativeMemory) {
    this.win32 = win32;
    this.memory = memory;
    this.addresses = new AddressRecords(memory.core.u8);
  }

  /**
   * An overlapped socket, non-blocking for what is tried at once.
   * @throws WinsockError
   */
  create(family: Family, isStream: boolean): Socket {
    const socket = this.win32.WSASocketW(
      family === 4 ? c.AF_INET : c.AF_INET6,
      isStream ? c.SOCK_STREAM : c.SOCK_DGRAM,
      isStream ? c.IPPROTO_TCP : c.IPPROTO_UDP,
      null,
      0,
      c.WSA_FLAG_OVERLAPPED | c.WSA_FLAG_NO_HANDLE_INHERIT,
    );
    if (socket === c.INVALID_SOCKET) throw this.error('WSASocketW');
    this.open++;
    try {
      this.#word[0] = 1;
      this.check('ioctlsocket', this.win32.ioctlsocket(socket, c.FIONBIO, this.#wordBytes));
    } catch (error) {
      this.close(socket);
      throw error;
    }
    return socket;
  }

  close(socket: Socket): void {
    this.open--;
    this.win32.closesocket(socket);
  }

  /** It is another driver's from now on. */
  giveAway(): void {
    this.open--;
  }

  /** It was another driver's. */
  take(): void {
    this.open++;
  }

  /** Closes it with a reset: whoever is at its other end hears no clean end. */
  reset(socket: Socket): void {
    this.resetOnClose(socket);
    this.close(socket);
  }

  /** Ends it with a reset instead of a clean end, whatever is pending. */
  resetOnClose(socket: Socket): void {
    const value = new Uint16Array([1, 0]);
    this.win32.setsockopt(socket, c.SOL_SOCKET, c.SO_LINGER, new Uint8Array(value.buffer), 4);
  }

  /** @throws WinsockError */
  associate(socket: Socket, port: number, key: number): void {
    if (this.win32.CreateIoCompletionPort(socket, port, key, 0) === 0) {
      throw new WinsockError('CreateIoCompletionPort', winsockOfWin32(this.win32.GetLastError()));
    }
  }

  /** @throws WinsockError */
  option(socket: Socket, level: number, option: number, value: number): void {
    this.#word[0] = value;
    this.check('setsockopt', this.win32.setsockopt(socket, level, option, this.#wordBytes, 4));
  }

  /**
   * Takes completions from the calls themselves, which is safe only where the
   * provider's sockets are the system's own handles (as libuv does it). False
   * where they are not.
   */
  skipPackets({ socket, family }: { readonly socket: Socket; readonly family: Family }): boolean {
    const isOwn = this.#ownHandles.get(family) ?? this.#hasOwnHandles(socket);
    this.#ownHandles.set(family, isOwn);
    const modes = c.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | c.FILE_SKIP_SET_EVENT_ON_HANDLE;
    return isOwn && this.win32.SetFileCompletionNotificationModes(socket, modes) !== 0;
  }

  #hasOwnHandles(socket: Socket): boolean {
    const info = new Uint8Array(c.WSAPROTOCOL_INFOW.$size);
    const length = new Uint8Array(new Int32Array([info.length]).buffer);
    const { win32 } = this;
    if (win32.getsockopt(socket, c.SOL_SOCKET, c.SO_PROTOCOL_INFOW, info, length) !== 0)
      return false;
    const flags = new DataView(info.buffer).getUint32(c.WSAPROTOCOL_INFOW.dwServiceFlags1, true);
    return (flags & c.XP1_IFS_HANDLES) !== 0;
  }

  /** No delay and keep-alive; a provider that knows neither is no reason to fail. */
  configure(socket: Socket, { noDelay, keepAliveMs }: StreamOptions): void {
    const { win32 } = this;
    this.#word[0] = noDelay ? 1 : 0;
    win32.setsockopt(socket, c.IPPROTO_TCP, c.TCP_NODELAY, this.#wordBytes, 4);
    this.#word[0] = keepAliveMs > 0 ? 1 : 0;
    win32.setsockopt(socket, c.SOL_SOCKET, c.SO_KEEPALIVE, this.#wordBytes, 4);
    if (keepAliveMs === 0) return;
    const values = new Uint32Array([1, keepAliveMs, KEEP_ALIVE_INTERVAL_MS]);
    this.#ioctl(socket, c.SIO_KEEPALIVE_VALS, new Uint8Array(values.buffer));
  }

  /** A datagram that nobody took (an ICMP answer) must not fail the next receive. */
  ignoreIcmp(socket: Socket): void {
    for (const code of [c.SIO_UDP_CONNRESET, c.SIO_UDP_NETRESET]) {
      this.#ioctl(socket, code, new Uint8Array(4));
    }
  }

  #ioctl(socket: Socket, code: number, input: Uint8Array): boolean {
    const returned = new Uint8Array(4);
    const { win32 } = this;
    return win32.WSAIoctl(socket, code, input, input.length, null, 0, returned, 0, 0) === 0;
  }

  // ------------------------------------------------------------ addresses

  /**
   * Writes the sockaddr of an IP address at `offset`, in its IPv6 form where the
   * socket speaks that. Returns its length, 0 if it is no IP address.
   */
  writeAddress(offset: number, address: string, port: number, family: Family): number {
    const { native, scratch } = this.memory;
    if (!this.addresses.write(scratch, address, port)) return 0;
    return native.sockaddrWrite(offset, scratch, c.AF_INET6, family === 6 ? 1 : 0);
  }

  /** The address of the sockaddr at `offset`. */
  readAddress(offset: number): SocketAddress | undefined {
    const { native, scratch } = this.memory;
    native.sockaddrRead(offset, scratch, c.AF_INET6);
    return this.addresses.read(scratch);
  }

  /** @throws WinsockError, with WSAEAFNOSUPPORT where the family does not fit */
  bind(socket: Socket, address: string, port: number, family: Family): void {
    const { base } = this.memory;
    const at = this.#sockaddr;
    const length = this.writeAddress(at, address, port, family);
    this.check('bind', this.win32.bind(socket, base + at, length));
  }

  /** Of a datagram socket: sends to and hears from this peer only. @throws WinsockError */
  setPeer(socket: Socket, address: string, port: number, family: Family): void {
    const { base } = this.memory;
    const at = this.#sockaddr;
    const length = this.writeAddress(at, address, port, family);
    this.check('connect', this.win32.connect(socket, base + at, length));
  }

  localAddress(socket: Socket): SocketAddress | undefined {
    return this.#name((at, lengthAt) => this.win32.getsockname(socket, at, lengthAt));
  }

  remoteAddress(socket: Socket): SocketAddress | undefined {
    return this.#name((at, lengthAt) => this.win32.getpeername(socket, at, lengthAt));
  }

  #name(ask: (at: Address, lengthAt: Address) => number): SocketAddress | undefined {
    const { base, core } = this.memory;
    const at = this.#sockaddr;
    const lengthAt = at + c.sockaddr_storage.$size;
    core.u32[lengthAt >>> 2] = c.sockaddr_storage.$size;
    return ask(base + at, base + lengthAt) === 0 ? this.readAddress(at) : undefined;
  }

  /** Scratch behind the Address that conversions use. */
  get #sockaddr(): number {
    return this.memory.scratch + 64;
  }

  // ------------------------------------------------------------ errors

  check(call: string, result: number): void {
    if (result === c.SOCKET_ERROR) throw this.error(call);
  }

  /** The failure of the call just made: nothing may come between. */
  error(call: string): WinsockError {
    return new WinsockError(call, this.win32.WSAGetLastError());
  }
}
