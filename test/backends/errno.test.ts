import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import { ERRNO_ROWS, ErrnoTable, linuxErrno, resultOfErrorName } from '../../backends/errno.ts';
import { ERROR_CODES, resultOf } from '../../src/errors.ts';

/** The whole table by code, written down a second time. */
const EXPECTED: Readonly<Record<string, string>> = {
  ACCESS: 'EPERM EACCES EROFS',
  REFUSED: 'ENOENT ENXIO ECONNREFUSED',
  CANCELED: 'EINTR ECANCELED EAI_CANCELED ERR_SOCKET_CLOSED_BEFORE_CONNECTION ABORT_ERR',
  UNKNOWN: 'EIO',
  CLOSED: 'EBADF ERR_SOCKET_CLOSED ERR_SOCKET_DGRAM_NOT_RUNNING',
  NO_BUFFERS: 'EAGAIN ENOMEM ENFILE EMFILE ENOSPC ENOBUFS EWOULDBLOCK EAI_MEMORY',
  INVALID_OPTION:
    'EFAULT ENOTDIR EINVAL ENAMETOOLONG ENOTSOCK EDESTADDRREQ EISCONN EALREADY EINPROGRESS ECHARSET ' +
    'EAI_BADFLAGS EAI_SERVICE ERR_SOCKET_BAD_PORT ERR_INVALID_ARG_TYPE ERR_INVALID_ARG_VALUE ' +
    'ERR_INVALID_IP_ADDRESS ERR_INVALID_ADDRESS_FAMILY',
  ADDRESS_IN_USE: 'EBUSY EEXIST EADDRINUSE',
  UNREACHABLE:
    'ENODEV EADDRNOTAVAIL ENETDOWN ENETUNREACH EHOSTDOWN EHOSTUNREACH ENOTFOUND EAI_ADDRFAMILY ' +
    'EAI_AGAIN EAI_FAIL EAI_NODATA EAI_NONAME DNS_ENOTFOUND',
  BROKEN_PIPE:
    'EPIPE ENOTCONN ESHUTDOWN ERR_STREAM_DESTROYED ERR_STREAM_WRITE_AFTER_END ERR_STREAM_ALREADY_FINISHED',
  NOT_SUPPORTED:
    'ENOSYS EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT ' +
    'EAFNOSUPPORT ENOTSUP EAI_FAMILY EAI_SOCKTYPE',
  FRAME_TOO_LONG: 'EMSGSIZE',
  RESET: 'ENETRESET ECONNRESET ERR_STREAM_PREMATURE_CLOSE',
  ABORTED: 'ECONNABORTED',
  TIMED_OUT: 'ETIMEDOUT ERR_SOCKET_CONNECTION_TIMEOUT',
};

test('every name has the code it should have', () => {
  const names = new Set<string>();
  for (const [code, list] of Object.entries(EXPECTED)) {
    for (const name of list.split(' ')) {
      names.add(name);
      assert.is(resultOfErrorName(name), resultOf(code as (typeof ERROR_CODES)[number]), name);
    }
  }
  assert.equal([...names].sort(), ERRNO_ROWS.map(([name]) => name).sort());
});

test('every result is a code of the closed set', () => {
  const known = new Set(ERROR_CODES.map(resultOf));
  for (const [name, result] of ERRNO_ROWS) assert.ok(known.has(result), name);
});

test('a name is listed once, and a number belongs to one name or its alias', () => {
  const names = ERRNO_ROWS.map(([name]) => name);
  assert.is(new Set(names).size, names.length);
  const byNumber = new Map<number, number>();
  for (const [name, result, number] of ERRNO_ROWS) {
    if (number === 0) continue;
    const before = byNumber.get(number);
    assert.ok(before === undefined || before === result, name);
    byNumber.set(number, result);
  }
});

test('an unknown name or number is UNKNOWN', () => {
  assert.is(resultOfErrorName('ENOSUCHTHING'), layout.ERROR_UNKNOWN);
  assert.is(resultOfErrorName(''), layout.ERROR_UNKNOWN);
  assert.is(linuxErrno.resultOf(9999), layout.ERROR_UNKNOWN);
  assert.is(linuxErrno.nameOf(9999), undefined);
  assert.is(linuxErrno.numberOf('ENOTFOUND'), 0);
});

test("Linux's numbers go to names and results and back", () => {
  for (const [name, result, number] of ERRNO_ROWS) {
    assert.is(linuxErrno.numberOf(name), number);
    if (number > 0) assert.is(linuxErrno.resultOf(number), result, name);
  }
  assert.is(linuxErrno.nameOf(104), 'ECONNRESET');
  assert.is(linuxErrno.nameOf(11), 'EAGAIN');
});

test("another system's numbers replace Linux's, and none of Linux's stay", () => {
  const darwin = new ErrnoTable({ ECONNRESET: 54, EPIPE: 32, EADDRINUSE: 48 });
  assert.is(darwin.numberOf('ECONNRESET'), 54);
  assert.is(darwin.nameOf(54), 'ECONNRESET');
  assert.is(darwin.resultOf(48), layout.ERROR_ADDRESS_IN_USE);
  assert.is(darwin.nameOf(104), undefined);
  assert.is(darwin.numberOf('ETIMEDOUT'), 0);
});

test.run();
