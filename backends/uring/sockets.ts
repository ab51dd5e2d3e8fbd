/** Sockets: made, set up, named. What fails says which error it was. */
import { Buffer } from 'node:buffer';
import { AddressRecords } from '../../src/core/address.ts';
import type { SocketAddress, StreamOptions } from '../backend.ts';
import * as c from './constants.ts';
import type { Libc } from './libc.ts';
import { NAME_LENGTH_OFFSET, NAME_OFFSET, type NativeMemory } from './memory.ts';
import { LinuxError, type System } from './system.ts';

export type Family = 4 | 6 | 'path';

const ADDRESS_FAMILIES = { 4: c.AF_INET, 6: c.AF_INET6, path: c.AF_UNIX } as const;

export class Sockets {
  readonly libc: Libc;
  readonly memory: NativeMemory;
  readonly addresses: AddressRecords;
  /** Descriptors open now: none may be left at the end. */
  open = 0;
  readonly #word = new Int32Array(1);
  readonly #wordBytes = new Uint8Array(this.#word.buffer);

  constructor({ libc }: System, memory: NativeMemory) {
    this.libc = libc;
    this.memory = memory;
    this.addresses = new AddressRecords(memory.core.u8);
  }

  /**
   * A socket. It is not made non-blocking: an operation on it would end at once
   * where it should wait.
   * @throws LinuxError
   */
  create(family: Family, isStream: boolean): number {
    const type = (isStream ? c.SOCK_STREAM : c.SOCK_DGRAM) | c.SOCK_CLOEXEC;
    const fd = this.check('socket', this.libc.socket(ADDRESS_FAMILIES[family], type, 0));
    this.open++;
    return fd;
  }

  close(fd: number): void {
    this.open--;
    this.libc.close(fd);
  }

  /** Ends it with a reset instead of a clean end, whatever is pending. */
  resetOnClose(fd: number): void {
    const value = new Uint32Array([1, 0]);
    const bytes = new Uint8Array(value.buffer);
    this.libc.setsockopt(fd, c.SOL_SOCKET, c.SO_LINGER, bytes, c.linger.$size);
  }

  /** @throws LinuxError */
  option(fd: number, level: number, option: number, value: number): void {
    this.#word[0] = value;
    this.check('setsockopt', this.libc.setsockopt(fd, level, option, this.#wordBytes, 4));
  }

  /** No delay and keep-alive, of a listener too: what it accepts inherits them. */
  configure(fd: number, { noDelay, keepAliveMs }: StreamOptions): void {
    this.#try(fd, c.IPPROTO_TCP, c.TCP_NODELAY, noDelay ? 1 : 0);
    this.#try(fd, c.SOL_SOCKET, c.SO_KEEPALIVE, keepAliveMs > 0 ? 1 : 0);
    if (keepAliveMs === 0) return;
    this.#try(fd, c.IPPROTO_TCP, c.TCP_KEEPIDLE, Math.max(1, Math.round(keepAliveMs / 1000)));
    this.#try(fd, c.IPPROTO_TCP, c.TCP_KEEPINTVL, 1);
  }

  /** A setting that fails is no reason for the connection to. */
  #try(fd: number, level: number, option: number, value: number): void {
    this.#word[0] = value;
    this.libc.setsockopt(fd, level, option, this.#wordBytes, 4);
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

  /**
   * Writes the sockaddr of a Unix socket; one whose path begins with a zero is
   * in the system's own name space. Returns its length.
   * @throws LinuxError with EINVAL if the path is too long
   */
  writePath(offset: number, path: string): number {
    const { sun_family, sun_path, $size } = c.sockaddr_un;
    const bytes = Buffer.from(path);
    const isAbstract = bytes[0] === 0;
    const length = bytes.length + (isAbstract ? 0 : 1);
    if (length > $size - sun_path || bytes.includes(0, 1)) throw new LinuxError('bind', c.EINVAL);
    const { u8 } = this.memory.core;
    u8.fill(0, offset, offset + $size);
    u8[offset + sun_family] = c.AF_UNIX;
    u8.set(bytes, offset + sun_path);
    return sun_path + length;
  }

  /** The address of the sockaddr at `offset`. */
  readAddress(offset: number): SocketAddress | undefined {
    const { native, scratch } = this.memory;
    native.sockaddrRead(offset, scratch, c.AF_INET6);
    return this.addresses.read(scratch);
  }

  /** @throws LinuxError */
  bind(fd: number, address: string, port: number, family: Family): void {
    const length = this.writeAddress(this.#name, address, port, family);
    this.check('bind', this.libc.bind(fd, this.memory.base + this.#name, length));
  }

  /** @throws LinuxError */
  bindPath(fd: number, path: string): void {
    const length = this.writePath(this.#name, path);
    this.check('bind', this.libc.bind(fd, this.memory.base + this.#name, length));
  }

  /** Of a datagram socket: sends to and hears from this peer only. @throws LinuxError */
  setPeer(fd: number, address: string, port: number, family: Family): void {
    const length = this.writeAddress(this.#name, address, port, family);
    this.check('connect', this.libc.connect(fd, this.memory.base + this.#name, length));
  }

  /** Resets a connection, while its descriptor stays open. */
  disconnect(fd: number): void {
    const { base, core } = this.memory;
    // A name without a family.
    core.u8.fill(0, this.#name, this.#name + c.sockaddr_in.$size);
    this.libc.connect(fd, base + this.#name, c.sockaddr_in.$size);
  }

  localAddress(fd: number): SocketAddress | undefined {
    const [name, length] = this.#nameRoom();
    return this.libc.getsockname(fd, name, length) === 0 ? this.readAddress(this.#name) : undefined;
  }

  remoteAddress(fd: number): SocketAddress | undefined {
    const [name, length] = this.#nameRoom();
    return this.libc.getpeername(fd, name, length) === 0 ? this.readAddress(this.#name) : undefined;
  }

  #nameRoom(): readonly [name: number, length: number] {
    const { base, core, scratch } = this.memory;
    core.u32[(scratch + NAME_LENGTH_OFFSET) >>> 2] = c.sockaddr_storage.$size;
    return [base + this.#name, base + scratch + NAME_LENGTH_OFFSET];
  }

  get #name(): number {
    return this.memory.scratch + NAME_OFFSET;
  }

  // ------------------------------------------------------------ errors

  /** @throws LinuxError for the call just made: nothing may come between */
  check(call: string, result: number): number {
    if (result < 0) throw new LinuxError(call, this.libc.errno());
    return result;
  }
}
