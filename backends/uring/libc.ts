/**
 * The functions of the C library that the backend calls, declared for koffi:
 * the only file that does. Signatures are those of the system's headers,
 * checked by `test/build/linux-headers.test.ts`; io_uring has no functions of
 * its own there and is reached by `syscall`.
 *
 * - Addresses are Numbers (`uintptr_t`): the cheapest that koffi offers; user
 *   addresses are below 2^47.
 * - `void *` takes a Uint8Array, good for the call only.
 * - A failed call returns -1; `errno` tells why if it is the very next call.
 */
import type { Address, Foreign, KoffiModule } from '../koffi.ts';
import * as c from './constants.ts';

/** What is needed of koffi. */
export type Koffi = Pick<
  KoffiModule,
  'load' | 'address' | 'errno' | 'node' | 'alloc' | 'decode' | 'view'
>;

export type { Address };
/** Memory that is used during the call only. */
export type Transient = Uint8Array | null;

const ADDRESS = 'uintptr_t';
const TRANSIENT = 'void *';
const INT = 'int';
const UINT = 'uint32_t';
const LONG = 'long';
const SIZE = 'size_t';

/**
 * Loads the C library that this process runs on and declares its functions.
 * @throws koffi's error where a function is missing
 */
export function loadLibc(koffi: Koffi) {
  // Whatever the program is linked with, be it glibc or musl.
  const libc = koffi.load(null);
  // Variadic in C. For integers, all of them in registers, that is the same call.
  const setup = libc.func('syscall', LONG, [LONG, LONG, TRANSIENT]);
  const enter = libc.func('syscall', LONG, [LONG, LONG, LONG, LONG, LONG, ADDRESS, LONG]);
  const register = libc.func('syscall', LONG, [LONG, LONG, LONG, TRANSIENT, LONG]);

  const fcntl = libc.func('fcntl', INT, [INT, INT, INT]);

  return {
    /** A ring's descriptor. `params` is an io_uring_params, written by the kernel. */
    io_uring_setup: (entries: number, params: Uint8Array): number =>
      setup(c.SYS_io_uring_setup, entries, params),

    /** How many entries were taken. `argument` is an io_uring_getevents_arg, or 0. */
    io_uring_enter: (
      fd: number,
      submit: number,
      complete: number,
      flags: number,
      argument: Address,
      argumentBytes: number,
    ): number => enter(c.SYS_io_uring_enter, fd, submit, complete, flags, argument, argumentBytes),

    io_uring_register: (fd: number, code: number, argument: Uint8Array, count: number): number =>
      register(c.SYS_io_uring_register, fd, code, argument, count),

    /** Number of the last failure; 0 is none. */
    errno: (): number => koffi.errno(),

    getpagesize: libc.func('getpagesize', INT, []) as Foreign<[], number>,
    /** The address; -1 is MAP_FAILED. */
    mmap: libc.func('mmap', 'intptr_t', [ADDRESS, SIZE, INT, INT, INT, LONG]) as Foreign<
      [at: Address, bytes: number, access: number, flags: number, fd: number, offset: number],
      Address
    >,
    munmap: libc.func('munmap', INT, [ADDRESS, SIZE]) as Foreign<
      [at: Address, bytes: number],
      number
    >,
    /** Another descriptor of the same file. */
    duplicate: (fd: number): number => fcntl(fd, c.F_DUPFD_CLOEXEC, 0),

    // ------------------------------------------------------------ sockets
    socket: libc.func('socket', INT, [INT, INT, INT]) as Foreign<
      [family: number, type: number, protocol: number],
      number
    >,
    bind: libc.func('bind', INT, [INT, ADDRESS, UINT]) as Foreign<
      [fd: number, name: Address, nameBytes: number],
      number
    >,
    listen: libc.func('listen', INT, [INT, INT]) as Foreign<[fd: number, backlog: number], number>,
    /** Of a stream it waits: the driver uses it for datagram sockets only. */
    connect: libc.func('connect', INT, [INT, ADDRESS, UINT]) as Foreign<
      [fd: number, name: Address, nameBytes: number],
      number
    >,
    getsockname: libc.func('getsockname', INT, [INT, ADDRESS, ADDRESS]) as Foreign<
      [fd: number, name: Address, nameBytes: Address],
      number
    >,
    getpeername: libc.func('getpeername', INT, [INT, ADDRESS, ADDRESS]) as Foreign<
      [fd: number, name: Address, nameBytes: Address],
      number
    >,
    setsockopt: libc.func('setsockopt', INT, [INT, INT, INT, TRANSIENT, UINT]) as Foreign<
      [fd: number, level: number, option: number, value: Transient, valueBytes: number],
      number
    >,
    shutdown: libc.func('shutdown', INT, [INT, INT]) as Foreign<[fd: number, how: number], number>,
    close: libc.func('close', INT, [INT]) as Foreign<[fd: number], number>,
    /** For the experiments only, as is `send`: the driver has the ring. */
    recv: libc.func('recv', LONG, [INT, ADDRESS, SIZE, INT]) as Foreign<
      [fd: number, bytes: Address, count: number, flags: number],
      number
    >,
    send: libc.func('send', LONG, [INT, ADDRESS, SIZE, INT]) as Foreign<
      [fd: number, bytes: Address, count: number, flags: number],
      number
    >,

    // ------------------------------------------------------------ waiting
    eventfd: libc.func('eventfd', INT, [UINT, INT]) as Foreign<
      [value: number, flags: number],
      number
    >,
    read: libc.func('read', LONG, [INT, TRANSIENT, SIZE]) as Foreign<
      [fd: number, bytes: Transient, count: number],
      number
    >,
    write: libc.func('write', LONG, [INT, TRANSIENT, SIZE]) as Foreign<
      [fd: number, bytes: Transient, count: number],
      number
    >,
    epoll_create1: libc.func('epoll_create1', INT, [INT]) as Foreign<[flags: number], number>,
    epoll_ctl: libc.func('epoll_ctl', INT, [INT, INT, INT, TRANSIENT]) as Foreign<
      [set: number, operation: number, fd: number, event: Transient],
      number
    >,
    /** `events` is written when it returns: it must not move or go away before. */
    epoll_wait: libc.func('epoll_wait', INT, [INT, ADDRESS, INT, INT]) as Foreign<
      [set: number, events: Address, count: number, timeoutMs: number],
      number
    >,
  };
}

export type Libc = ReturnType<typeof loadLibc>;
