import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import {
  classifyStatus,
  classifyWinsock,
  DATAGRAM_ROWS,
  packetFollows,
  STATUS_ROWS,
  WIN32_ROWS,
  WINSOCK_ROWS,
  winsockName,
  winsockOfStatus,
  winsockOfWin32,
} from '../../../backends/iocp/errors.ts';
import { ERROR_CODES, type ErrorCode, resultOf } from '../../../src/errors.ts';

/** The whole table by code, written down a second time: what a stream's operation ends with, unasked. */
const BY_CODE: Readonly<Partial<Record<ErrorCode, string>>> = {
  RESET: 'WSAENETRESET WSAECONNRESET',
  ABORTED: 'WSA_OPERATION_ABORTED WSAEINTR WSAECONNABORTED WSAECANCELLED WSA_E_CANCELLED',
  REFUSED: 'WSAECONNREFUSED WSAEREFUSED',
  TIMED_OUT: 'WSAETIMEDOUT',
  UNREACHABLE:
    'WSAEADDRNOTAVAIL WSAENETDOWN WSAENETUNREACH WSAEHOSTDOWN WSAEHOSTUNREACH ' +
    'WSAHOST_NOT_FOUND WSATRY_AGAIN WSANO_RECOVERY WSANO_DATA',
  ADDRESS_IN_USE: 'WSAEADDRINUSE',
  ACCESS: 'WSAEACCES',
  NO_BUFFERS:
    'WSA_NOT_ENOUGH_MEMORY WSAEMFILE WSAEWOULDBLOCK WSAENOBUFS WSAETOOMANYREFS WSAEPROCLIM ' +
    'WSAEUSERS WSAEDQUOT',
  BROKEN_PIPE: 'WSAENOTCONN WSAESHUTDOWN WSAEDISCON',
  FRAME_TOO_LONG: 'WSAEMSGSIZE',
  NOT_SUPPORTED:
    'WSAEPROTOTYPE WSAENOPROTOOPT WSAEPROTONOSUPPORT WSAESOCKTNOSUPPORT WSAEOPNOTSUPP ' +
    'WSAEPFNOSUPPORT WSAEAFNOSUPPORT WSASYSNOTREADY WSAVERNOTSUPPORTED WSAEINVALIDPROVIDER ' +
    'WSAEPROVIDERFAILEDINIT',
  INVALID_OPTION:
    'WSA_INVALID_PARAMETER WSAEFAULT WSAEINVAL WSAEINPROGRESS WSAEALREADY WSAEDESTADDRREQ ' +
    'WSAEISCONN WSAENAMETOOLONG',
  CLOSED: 'WSA_INVALID_HANDLE WSAEBADF WSAENOTSOCK WSANOTINITIALISED',
  UNKNOWN: 'WSA_IO_INCOMPLETE WSA_IO_PENDING WSASYSCALLFAILURE',
};

/** How an operation ends that this side cancelled or whose socket it closed. */
const CANCELED_WHEN_ASKED =
  'WSA_INVALID_HANDLE WSA_OPERATION_ABORTED WSAEINTR WSAEBADF WSAENOTSOCK WSAENETRESET ' +
  'WSAECONNABORTED WSAECONNRESET WSANOTINITIALISED WSAECANCELLED WSA_E_CANCELLED';

/** Win32 errors and NTSTATUS by the Winsock error each is, written down a second time. */
const BY_WINSOCK: Readonly<Record<string, string>> = {
  WSA_IO_PENDING: 'STATUS_PENDING',
  WSAENETRESET: 'STATUS_HOPLIMIT_EXCEEDED',
  WSAECONNRESET:
    'ERROR_NETNAME_DELETED ERROR_PORT_UNREACHABLE STATUS_PORT_DISCONNECTED ' +
    'STATUS_NETWORK_NAME_DELETED STATUS_REMOTE_DISCONNECT STATUS_LINK_FAILED ' +
    'STATUS_CONNECTION_DISCONNECTED STATUS_CONNECTION_RESET STATUS_PORT_UNREACHABLE',
  WSAECONNABORTED:
    'ERROR_CONNECTION_ABORTED STATUS_LOCAL_DISCONNECT STATUS_TRANSACTION_ABORTED ' +
    'STATUS_CONNECTION_ABORTED',
  WSA_OPERATION_ABORTED:
    'ERROR_ABANDONED_WAIT_0 ERROR_OPERATION_ABORTED ERROR_REQUEST_ABORTED STATUS_HANDLES_CLOSED ' +
    'STATUS_CANCELLED STATUS_REQUEST_ABORTED',
  WSAECANCELLED: 'ERROR_CANCELLED',
  WSAECONNREFUSED:
    'ERROR_REM_NOT_LIST ERROR_CONNECTION_REFUSED STATUS_REMOTE_NOT_LISTENING ' +
    'STATUS_CONNECTION_REFUSED',
  WSAETIMEDOUT:
    'ERROR_SEM_TIMEOUT ERROR_TIMEOUT STATUS_TIMEOUT STATUS_IO_TIMEOUT STATUS_LINK_TIMEOUT',
  WSAENETUNREACH:
    'ERROR_BAD_NETPATH ERROR_NETWORK_UNREACHABLE ERROR_PROTOCOL_UNREACHABLE ' +
    'STATUS_BAD_NETWORK_PATH STATUS_NETWORK_UNREACHABLE STATUS_PROTOCOL_UNREACHABLE',
  WSAEHOSTUNREACH: 'ERROR_HOST_UNREACHABLE STATUS_HOST_UNREACHABLE',
  WSAEADDRNOTAVAIL:
    'ERROR_ADDRESS_NOT_ASSOCIATED STATUS_INVALID_ADDRESS STATUS_INVALID_ADDRESS_COMPONENT',
  WSAENETDOWN:
    'ERROR_NETWORK_BUSY ERROR_UNEXP_NET_ERR STATUS_NETWORK_BUSY ' +
    'STATUS_INVALID_NETWORK_RESPONSE STATUS_UNEXPECTED_NETWORK_ERROR',
  WSAEADDRINUSE:
    'ERROR_DUP_NAME ERROR_ADDRESS_ALREADY_ASSOCIATED STATUS_SHARING_VIOLATION ' +
    'STATUS_TOO_MANY_ADDRESSES STATUS_ADDRESS_ALREADY_EXISTS',
  WSAEACCES: 'ERROR_ACCESS_DENIED STATUS_ACCESS_DENIED',
  WSAEMFILE: 'ERROR_TOO_MANY_OPEN_FILES STATUS_TOO_MANY_OPENED_FILES',
  WSAEWOULDBLOCK: 'STATUS_DEVICE_NOT_READY STATUS_REQUEST_NOT_ACCEPTED',
  WSAENOBUFS:
    'ERROR_NOT_ENOUGH_MEMORY ERROR_OUTOFMEMORY ERROR_NOT_ENOUGH_SERVER_MEMORY ' +
    'ERROR_NO_SYSTEM_RESOURCES ERROR_WORKING_SET_QUOTA ERROR_COMMITMENT_LIMIT ' +
    'ERROR_NOT_ENOUGH_QUOTA STATUS_NO_MEMORY STATUS_QUOTA_EXCEEDED ' +
    'STATUS_INSUFFICIENT_RESOURCES STATUS_WORKING_SET_QUOTA STATUS_COMMITMENT_LIMIT ' +
    'STATUS_REMOTE_RESOURCES',
  WSAESHUTDOWN: 'ERROR_BROKEN_PIPE ERROR_PIPE_NOT_CONNECTED STATUS_PIPE_DISCONNECTED',
  WSAENOTCONN: 'ERROR_CONNECTION_INVALID STATUS_INVALID_CONNECTION STATUS_CONNECTION_INVALID',
  WSAEISCONN: 'ERROR_CONNECTION_ACTIVE STATUS_CONNECTION_ACTIVE',
  WSAEDISCON: 'ERROR_GRACEFUL_DISCONNECT STATUS_GRACEFUL_DISCONNECT',
  WSAEMSGSIZE: 'ERROR_MORE_DATA STATUS_BUFFER_OVERFLOW STATUS_INVALID_BUFFER_SIZE',
  WSAENOTSOCK:
    'ERROR_INVALID_HANDLE STATUS_INVALID_HANDLE STATUS_OBJECT_TYPE_MISMATCH STATUS_ADDRESS_CLOSED',
  WSAEOPNOTSUPP: 'ERROR_NOT_SUPPORTED STATUS_NOT_IMPLEMENTED STATUS_NOT_SUPPORTED',
  WSAEINVAL: 'ERROR_INVALID_PARAMETER STATUS_INVALID_PARAMETER',
  WSAEFAULT:
    'ERROR_INSUFFICIENT_BUFFER ERROR_NOACCESS STATUS_ACCESS_VIOLATION STATUS_BUFFER_TOO_SMALL',
};

const numberOf = new Map(
  [...WIN32_ROWS, ...STATUS_ROWS, ...WINSOCK_ROWS].map(([name, number]) => [name, number]),
);
const number = (name: string) => numberOf.get(name) as number;
const unasked = { asked: false };
const asked = { asked: true };

test('every Winsock error has the code it should have', () => {
  const names = new Set<string>();
  for (const [code, list] of Object.entries(BY_CODE)) {
    for (const name of list.split(' ')) {
      names.add(name);
      assert.is(classifyWinsock(number(name), unasked), resultOf(code as ErrorCode), name);
    }
  }
  assert.equal([...names].sort(), WINSOCK_ROWS.map(([name]) => name).sort());
});

test('asked for, an end is CANCELED and everything else is what it is', () => {
  const canceled = new Set(CANCELED_WHEN_ASKED.split(' '));
  for (const [name, code] of WINSOCK_ROWS) {
    const expected = canceled.has(name) ? layout.ERROR_CANCELED : classifyWinsock(code, unasked);
    for (const datagram of [false, true]) {
      // A datagram socket's two exceptions are ends too when they were asked for.
      assert.is(classifyWinsock(code, { asked: true, datagram }), expected, name);
    }
  }
});

test('a datagram socket hears of its datagrams by 10052 and 10054, and of nothing else', () => {
  const special = new Map(DATAGRAM_ROWS);
  assert.equal(Object.fromEntries(special), {
    WSAENETRESET: layout.ERROR_UNREACHABLE,
    WSAECONNRESET: layout.ERROR_REFUSED,
  });
  for (const [name, code] of WINSOCK_ROWS) {
    const expected = special.get(name) ?? classifyWinsock(code, unasked);
    assert.is(classifyWinsock(code, { asked: false, datagram: true }), expected, name);
  }
});

test('every Win32 error and every NTSTATUS is the Winsock error it should be', () => {
  const names = new Set<string>();
  for (const [winsock, list] of Object.entries(BY_WINSOCK)) {
    for (const name of list.split(' ')) {
      names.add(name);
      const translate = name.startsWith('STATUS_') ? winsockOfStatus : winsockOfWin32;
      assert.is(translate(number(name)), number(winsock), name);
    }
  }
  const rows = [...WIN32_ROWS, ...STATUS_ROWS];
  assert.equal([...names].sort(), rows.map(([name]) => name).sort());
});

test('the five faces of an abort are told apart by whether it was asked for', () => {
  const faces: readonly [status: number, win32: number, winsock: number, result: number][] = [
    // ERROR_NETNAME_DELETED has several NTSTATUS; STATUS_CONNECTION_RESET is the common one.
    [0xc000020d, 64, 10054, layout.ERROR_RESET],
    [0xc0000120, 995, 995, layout.ERROR_ABORTED],
    [0xc0000241, 1236, 10053, layout.ERROR_ABORTED],
  ];
  for (const [status, win32, winsock, result] of faces) {
    assert.is(winsockOfStatus(status), winsock);
    assert.is(winsockOfWin32(win32), winsock);
    assert.is(classifyStatus(status, unasked), result);
    assert.is(classifyStatus(status, asked), layout.ERROR_CANCELED);
    assert.is(classifyWinsock(winsockOfWin32(win32), unasked), result);
    assert.is(classifyWinsock(winsockOfWin32(win32), asked), layout.ERROR_CANCELED);
  }
});

test('no failure is an end: every NTSTATUS of severity error has a negative result', () => {
  for (const [name, status] of STATUS_ROWS) {
    if (status < 0x80000000) continue;
    for (const circumstances of [unasked, asked, { asked: false, datagram: true }]) {
      assert.ok(classifyStatus(status, circumstances) < 0, name);
    }
  }
});

test('a signed NTSTATUS is the same as an unsigned one', () => {
  for (const [name, status] of STATUS_ROWS) {
    assert.is(winsockOfStatus(status | 0), winsockOfStatus(status), name);
  }
});

test('success and information are no failure', () => {
  for (const status of [0, 0x40000000, 0x7fffffff]) assert.is(winsockOfStatus(status), 0);
});

test('a Win32 error wrapped as an NTSTATUS is unwrapped', () => {
  assert.is(winsockOfStatus(0xc0070040), 10054);
  assert.is(winsockOfStatus(0xc0072746), 10054);
  assert.is(winsockOfStatus(0xc0070000 | 9999), 9999);
});

test('what is not listed is UNKNOWN, and its number is kept', () => {
  for (const code of [1, 9999, 10999, 0xc0001234]) {
    for (const circumstances of [unasked, asked]) {
      assert.is(classifyWinsock(code, circumstances), layout.ERROR_UNKNOWN);
    }
    assert.is(winsockName(code), undefined);
  }
  assert.is(winsockOfWin32(9999), 9999);
  assert.is(winsockOfStatus(0xc0001234), 0xc0001234);
  assert.is(winsockOfStatus(0xc0001234 | 0), 0xc0001234);
  assert.is(classifyStatus(0xc0001234, unasked), layout.ERROR_UNKNOWN);
});

test('every result is a code of the closed set', () => {
  const known = new Set(ERROR_CODES.map(resultOf));
  for (const [name, , result] of WINSOCK_ROWS) assert.ok(known.has(result), name);
  for (const [name, result] of DATAGRAM_ROWS) assert.ok(known.has(result), name);
});

test('a name and a number are listed once in each table, and point into the first', () => {
  const winsock = new Set(WINSOCK_ROWS.map(([name]) => name));
  for (const rows of [WINSOCK_ROWS, WIN32_ROWS, STATUS_ROWS]) {
    assert.is(new Set(rows.map(([name]) => name)).size, rows.length);
    assert.is(new Set(rows.map(([, code]) => code)).size, rows.length);
  }
  for (const [name, , target] of [...WIN32_ROWS, ...STATUS_ROWS]) {
    assert.ok(winsock.has(target), name);
  }
  for (const [name] of DATAGRAM_ROWS) assert.ok(winsock.has(name), name);
});

test("people get Winsock's name where it has one, else the system's", () => {
  for (const [name, code] of WINSOCK_ROWS) assert.is(winsockName(code), name);
  assert.is(winsockName(64), 'ERROR_NETNAME_DELETED');
  assert.is(winsockName(0xc000020d), 'STATUS_CONNECTION_RESET');
  assert.is(winsockName(0xc000020d | 0), 'STATUS_CONNECTION_RESET');
  assert.is(winsockName(0), undefined);
});

test('a packet follows a warning, not an error', () => {
  assert.ok(packetFollows(0x80000005));
  assert.ok(packetFollows(0x80000005 | 0));
  // Zeroed, still pending, and an error: nothing comes.
  for (const internal of [0, 0x103, 0xc0000120, 0xc0000120 | 0]) {
    assert.not.ok(packetFollows(internal));
  }
});

test.run();
