/**
 * POSIX error names and libuv's own → codes of the closed set. Pure: no host is
 * asked, so the whole table is tested in one place.
 *
 * Numbers are Linux's (asm-generic/errno.h). Other systems number differently;
 * a backend that knows its system's numbers passes them to `ErrnoTable`.
 */
import * as layout from '#generated/layout';

/** Name, result, and Linux's number (0: not a system error). */
export type ErrnoRow = readonly [name: string, result: number, linux: number];

export const ERRNO_ROWS: readonly ErrnoRow[] = [
  ['EPERM', layout.ERROR_ACCESS, 1],
  ['ENOENT', layout.ERROR_REFUSED, 2],
  ['EINTR', layout.ERROR_CANCELED, 4],
  ['EIO', layout.ERROR_UNKNOWN, 5],
  ['ENXIO', layout.ERROR_REFUSED, 6],
  ['EBADF', layout.ERROR_CLOSED, 9],
  ['EAGAIN', layout.ERROR_NO_BUFFERS, 11],
  ['ENOMEM', layout.ERROR_NO_BUFFERS, 12],
  ['EACCES', layout.ERROR_ACCESS, 13],
  ['EFAULT', layout.ERROR_INVALID_OPTION, 14],
  ['EBUSY', layout.ERROR_ADDRESS_IN_USE, 16],
  ['EEXIST', layout.ERROR_ADDRESS_IN_USE, 17],
  ['ENODEV', layout.ERROR_UNREACHABLE, 19],
  ['ENOTDIR', layout.ERROR_INVALID_OPTION, 20],
  ['EINVAL', layout.ERROR_INVALID_OPTION, 22],
  ['ENFILE', layout.ERROR_NO_BUFFERS, 23],
  ['EMFILE', layout.ERROR_NO_BUFFERS, 24],
  ['ENOSPC', layout.ERROR_NO_BUFFERS, 28],
  ['EROFS', layout.ERROR_ACCESS, 30],
  ['EPIPE', layout.ERROR_BROKEN_PIPE, 32],
  ['ENAMETOOLONG', layout.ERROR_INVALID_OPTION, 36],
  ['ENOSYS', layout.ERROR_NOT_SUPPORTED, 38],
  ['ENOTSOCK', layout.ERROR_INVALID_OPTION, 88],
  ['EDESTADDRREQ', layout.ERROR_INVALID_OPTION, 89],
  ['EMSGSIZE', layout.ERROR_FRAME_TOO_LONG, 90],
  ['EPROTOTYPE', layout.ERROR_NOT_SUPPORTED, 91],
  ['ENOPROTOOPT', layout.ERROR_NOT_SUPPORTED, 92],
  ['EPROTONOSUPPORT', layout.ERROR_NOT_SUPPORTED, 93],
  ['ESOCKTNOSUPPORT', layout.ERROR_NOT_SUPPORTED, 94],
  ['EOPNOTSUPP', layout.ERROR_NOT_SUPPORTED, 95],
  ['EPFNOSUPPORT', layout.ERROR_NOT_SUPPORTED, 96],
  ['EAFNOSUPPORT', layout.ERROR_NOT_SUPPORTED, 97],
  ['EADDRINUSE', layout.ERROR_ADDRESS_IN_USE, 98],
  ['EADDRNOTAVAIL', layout.ERROR_UNREACHABLE, 99],
  ['ENETDOWN', layout.ERROR_UNREACHABLE, 100],
  ['ENETUNREACH', layout.ERROR_UNREACHABLE, 101],
  ['ENETRESET', layout.ERROR_RESET, 102],
  ['ECONNABORTED', layout.ERROR_ABORTED, 103],
  ['ECONNRESET', layout.ERROR_RESET, 104],
  ['ENOBUFS', layout.ERROR_NO_BUFFERS, 105],
  ['EISCONN', layout.ERROR_INVALID_OPTION, 106],
  ['ENOTCONN', layout.ERROR_BROKEN_PIPE, 107],
  ['ESHUTDOWN', layout.ERROR_BROKEN_PIPE, 108],
  ['ETIMEDOUT', layout.ERROR_TIMED_OUT, 110],
  ['ECONNREFUSED', layout.ERROR_REFUSED, 111],
  ['EHOSTDOWN', layout.ERROR_UNREACHABLE, 112],
  ['EHOSTUNREACH', layout.ERROR_UNREACHABLE, 113],
  ['EALREADY', layout.ERROR_INVALID_OPTION, 114],
  ['EINPROGRESS', layout.ERROR_INVALID_OPTION, 115],
  ['ECANCELED', layout.ERROR_CANCELED, 125],
  // Names without a number of the system: libuv's, the resolver's and the hosts' own.
  ['ENOTSUP', layout.ERROR_NOT_SUPPORTED, 95],
  ['EWOULDBLOCK', layout.ERROR_NO_BUFFERS, 11],
  ['ECHARSET', layout.ERROR_INVALID_OPTION, 0],
  ['ENOTFOUND', layout.ERROR_UNREACHABLE, 0],
  ['EAI_ADDRFAMILY', layout.ERROR_UNREACHABLE, 0],
  ['EAI_AGAIN', layout.ERROR_UNREACHABLE, 0],
  ['EAI_BADFLAGS', layout.ERROR_INVALID_OPTION, 0],
  ['EAI_CANCELED', layout.ERROR_CANCELED, 0],
  ['EAI_FAIL', layout.ERROR_UNREACHABLE, 0],
  ['EAI_FAMILY', layout.ERROR_NOT_SUPPORTED, 0],
  ['EAI_MEMORY', layout.ERROR_NO_BUFFERS, 0],
  ['EAI_NODATA', layout.ERROR_UNREACHABLE, 0],
  ['EAI_NONAME', layout.ERROR_UNREACHABLE, 0],
  ['EAI_SERVICE', layout.ERROR_INVALID_OPTION, 0],
  ['EAI_SOCKTYPE', layout.ERROR_NOT_SUPPORTED, 0],
  ['DNS_ENOTFOUND', layout.ERROR_UNREACHABLE, 0],
  ['ERR_SOCKET_BAD_PORT', layout.ERROR_INVALID_OPTION, 0],
  ['ERR_INVALID_ARG_TYPE', layout.ERROR_INVALID_OPTION, 0],
  ['ERR_INVALID_ARG_VALUE', layout.ERROR_INVALID_OPTION, 0],
  ['ERR_INVALID_IP_ADDRESS', layout.ERROR_INVALID_OPTION, 0],
  ['ERR_INVALID_ADDRESS_FAMILY', layout.ERROR_INVALID_OPTION, 0],
  ['ERR_SOCKET_CONNECTION_TIMEOUT', layout.ERROR_TIMED_OUT, 0],
  ['ERR_SOCKET_CLOSED', layout.ERROR_CLOSED, 0],
  ['ERR_SOCKET_CLOSED_BEFORE_CONNECTION', layout.ERROR_CANCELED, 0],
  ['ERR_SOCKET_DGRAM_NOT_RUNNING', layout.ERROR_CLOSED, 0],
  ['ERR_STREAM_DESTROYED', layout.ERROR_BROKEN_PIPE, 0],
  ['ERR_STREAM_WRITE_AFTER_END', layout.ERROR_BROKEN_PIPE, 0],
  ['ERR_STREAM_ALREADY_FINISHED', layout.ERROR_BROKEN_PIPE, 0],
  ['ERR_STREAM_PREMATURE_CLOSE', layout.ERROR_RESET, 0],
  ['ABORT_ERR', layout.ERROR_CANCELED, 0],
];

const RESULT_BY_NAME = new Map(ERRNO_ROWS.map(([name, result]) => [name, result]));

/** The closed set's result for a POSIX, libuv or host error name; `ERROR_UNKNOWN` for one not listed. */
export function resultOfErrorName(name: string): number {
  return RESULT_BY_NAME.get(name) ?? layout.ERROR_UNKNOWN;
}

/** Names to numbers and back for one system. */
export class ErrnoTable {
  readonly #numbers = new Map<string, number>();
  readonly #names = new Map<number, string>();

  /** @param numbers the system's own, as in `os.constants.errno`; they take precedence over Linux's. */
  constructor(numbers: Readonly<Record<string, number>> = {}) {
    const foreign = numbers.ECONNRESET !== undefined && numbers.ECONNRESET !== 104;
    for (const [name, , linux] of ERRNO_ROWS) {
      const number = numbers[name] ?? (foreign ? 0 : linux);
      if (number === 0) continue;
      this.#numbers.set(name, number);
      if (!this.#names.has(number)) this.#names.set(number, name);
    }
  }

  /** The system's positive number, or 0 where the name is not a system error. */
  numberOf(name: string): number {
    return this.#numbers.get(name) ?? 0;
  }

  nameOf(number: number): string | undefined {
    return this.#names.get(number);
  }

  /** The closed set's result for a number of this system (positive). */
  resultOf(number: number): number {
    const name = this.#names.get(number);
    return name === undefined ? layout.ERROR_UNKNOWN : resultOfErrorName(name);
  }
}

/** Linux's numbers. */
export const linuxErrno = new ErrnoTable();
