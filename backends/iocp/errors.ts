/**
 * Windows' three tongues → codes of the closed set. A dequeued packet carries an
 * NTSTATUS, the port functions a Win32 error, Winsock its own numbers; the first
 * two become Winsock's (R22), and Winsock's become results. Pure: no system is
 * asked, so the whole table is tested in one place, its numbers against the
 * headers.
 *
 * Aborts come as 64, 995, 1236, 10053 or 10054, depending on who was faster. What
 * tells them apart is whether this side asked for the end: then they are
 * CANCELED. A stream that ends otherwise has failed, never ended.
 */
import * as layout from '#generated/layout';

/** Name, number, result; `asked`: it is how an operation ends that this side cancelled or closed. */
export type WinsockRow = readonly [name: string, number: number, result: number, asked?: 'asked'];

export const WINSOCK_ROWS: readonly WinsockRow[] = [
  ['WSA_INVALID_HANDLE', 6, layout.ERROR_CLOSED, 'asked'],
  ['WSA_NOT_ENOUGH_MEMORY', 8, layout.ERROR_NO_BUFFERS],
  ['WSA_INVALID_PARAMETER', 87, layout.ERROR_INVALID_OPTION],
  ['WSA_OPERATION_ABORTED', 995, layout.ERROR_ABORTED, 'asked'],
  ['WSA_IO_INCOMPLETE', 996, layout.ERROR_UNKNOWN],
  ['WSA_IO_PENDING', 997, layout.ERROR_UNKNOWN],
  ['WSAEINTR', 10004, layout.ERROR_ABORTED, 'asked'],
  ['WSAEBADF', 10009, layout.ERROR_CLOSED, 'asked'],
  ['WSAEACCES', 10013, layout.ERROR_ACCESS],
  ['WSAEFAULT', 10014, layout.ERROR_INVALID_OPTION],
  ['WSAEINVAL', 10022, layout.ERROR_INVALID_OPTION],
  ['WSAEMFILE', 10024, layout.ERROR_NO_BUFFERS],
  ['WSAEWOULDBLOCK', 10035, layout.ERROR_NO_BUFFERS],
  ['WSAEINPROGRESS', 10036, layout.ERROR_INVALID_OPTION],
  ['WSAEALREADY', 10037, layout.ERROR_INVALID_OPTION],
  // A number that is no socket (any more): what EBADF is elsewhere.
  ['WSAENOTSOCK', 10038, layout.ERROR_CLOSED, 'asked'],
  ['WSAEDESTADDRREQ', 10039, layout.ERROR_INVALID_OPTION],
  ['WSAEMSGSIZE', 10040, layout.ERROR_FRAME_TOO_LONG],
  ['WSAEPROTOTYPE', 10041, layout.ERROR_NOT_SUPPORTED],
  ['WSAENOPROTOOPT', 10042, layout.ERROR_NOT_SUPPORTED],
  ['WSAEPROTONOSUPPORT', 10043, layout.ERROR_NOT_SUPPORTED],
  ['WSAESOCKTNOSUPPORT', 10044, layout.ERROR_NOT_SUPPORTED],
  ['WSAEOPNOTSUPP', 10045, layout.ERROR_NOT_SUPPORTED],
  ['WSAEPFNOSUPPORT', 10046, layout.ERROR_NOT_SUPPORTED],
  ['WSAEAFNOSUPPORT', 10047, layout.ERROR_NOT_SUPPORTED],
  ['WSAEADDRINUSE', 10048, layout.ERROR_ADDRESS_IN_USE],
  ['WSAEADDRNOTAVAIL', 10049, layout.ERROR_UNREACHABLE],
  ['WSAENETDOWN', 10050, layout.ERROR_UNREACHABLE],
  ['WSAENETUNREACH', 10051, layout.ERROR_UNREACHABLE],
  ['WSAENETRESET', 10052, layout.ERROR_RESET, 'asked'],
  ['WSAECONNABORTED', 10053, layout.ERROR_ABORTED, 'asked'],
  ['WSAECONNRESET', 10054, layout.ERROR_RESET, 'asked'],
  ['WSAENOBUFS', 10055, layout.ERROR_NO_BUFFERS],
  ['WSAEISCONN', 10056, layout.ERROR_INVALID_OPTION],
  ['WSAENOTCONN', 10057, layout.ERROR_BROKEN_PIPE],
  ['WSAESHUTDOWN', 10058, layout.ERROR_BROKEN_PIPE],
  ['WSAETOOMANYREFS', 10059, layout.ERROR_NO_BUFFERS],
  ['WSAETIMEDOUT', 10060, layout.ERROR_TIMED_OUT],
  ['WSAECONNREFUSED', 10061, layout.ERROR_REFUSED],
  ['WSAENAMETOOLONG', 10063, layout.ERROR_INVALID_OPTION],
  ['WSAEHOSTDOWN', 10064, layout.ERROR_UNREACHABLE],
  ['WSAEHOSTUNREACH', 10065, layout.ERROR_UNREACHABLE],
  ['WSAEPROCLIM', 10067, layout.ERROR_NO_BUFFERS],
  ['WSAEUSERS', 10068, layout.ERROR_NO_BUFFERS],
  ['WSAEDQUOT', 10069, layout.ERROR_NO_BUFFERS],
  ['WSASYSNOTREADY', 10091, layout.ERROR_NOT_SUPPORTED],
  ['WSAVERNOTSUPPORTED', 10092, layout.ERROR_NOT_SUPPORTED],
  ['WSANOTINITIALISED', 10093, layout.ERROR_CLOSED, 'asked'],
  ['WSAEDISCON', 10101, layout.ERROR_BROKEN_PIPE],
  ['WSAECANCELLED', 10103, layout.ERROR_ABORTED, 'asked'],
  ['WSAEINVALIDPROVIDER', 10105, layout.ERROR_NOT_SUPPORTED],
  ['WSAEPROVIDERFAILEDINIT', 10106, layout.ERROR_NOT_SUPPORTED],
  ['WSASYSCALLFAILURE', 10107, layout.ERROR_UNKNOWN],
  ['WSA_E_CANCELLED', 10111, layout.ERROR_ABORTED, 'asked'],
  ['WSAEREFUSED', 10112, layout.ERROR_REFUSED],
  ['WSAHOST_NOT_FOUND', 11001, layout.ERROR_UNREACHABLE],
  ['WSATRY_AGAIN', 11002, layout.ERROR_UNREACHABLE],
  ['WSANO_RECOVERY', 11003, layout.ERROR_UNREACHABLE],
  ['WSANO_DATA', 11004, layout.ERROR_UNREACHABLE],
];

/** On a datagram socket these are ICMP's word about a datagram sent earlier, not the socket's end. */
export const DATAGRAM_ROWS: readonly (readonly [name: string, result: number])[] = [
  ['WSAENETRESET', layout.ERROR_UNREACHABLE],
  ['WSAECONNRESET', layout.ERROR_REFUSED],
];

/** A Win32 error or an NTSTATUS, and the name of the Winsock error it is. */
export type TranslationRow = readonly [name: string, number: number, winsock: string];

export const WIN32_ROWS: readonly TranslationRow[] = [
  ['ERROR_TOO_MANY_OPEN_FILES', 4, 'WSAEMFILE'],
  ['ERROR_ACCESS_DENIED', 5, 'WSAEACCES'],
  ['ERROR_INVALID_HANDLE', 6, 'WSAENOTSOCK'],
  ['ERROR_NOT_ENOUGH_MEMORY', 8, 'WSAENOBUFS'],
  ['ERROR_OUTOFMEMORY', 14, 'WSAENOBUFS'],
  ['ERROR_NOT_SUPPORTED', 50, 'WSAEOPNOTSUPP'],
  ['ERROR_REM_NOT_LIST', 51, 'WSAECONNREFUSED'],
  ['ERROR_DUP_NAME', 52, 'WSAEADDRINUSE'],
  ['ERROR_BAD_NETPATH', 53, 'WSAENETUNREACH'],
  ['ERROR_NETWORK_BUSY', 54, 'WSAENETDOWN'],
  ['ERROR_UNEXP_NET_ERR', 59, 'WSAENETDOWN'],
  ['ERROR_NETNAME_DELETED', 64, 'WSAECONNRESET'],
  ['ERROR_INVALID_PARAMETER', 87, 'WSAEINVAL'],
  ['ERROR_BROKEN_PIPE', 109, 'WSAESHUTDOWN'],
  ['ERROR_SEM_TIMEOUT', 121, 'WSAETIMEDOUT'],
  ['ERROR_INSUFFICIENT_BUFFER', 122, 'WSAEFAULT'],
  ['ERROR_PIPE_NOT_CONNECTED', 233, 'WSAESHUTDOWN'],
  ['ERROR_MORE_DATA', 234, 'WSAEMSGSIZE'],
  ['ERROR_ABANDONED_WAIT_0', 735, 'WSA_OPERATION_ABORTED'],
  ['ERROR_OPERATION_ABORTED', 995, 'WSA_OPERATION_ABORTED'],
  ['ERROR_NOACCESS', 998, 'WSAEFAULT'],
  ['ERROR_NOT_ENOUGH_SERVER_MEMORY', 1130, 'WSAENOBUFS'],
  ['ERROR_CANCELLED', 1223, 'WSAECANCELLED'],
  ['ERROR_CONNECTION_REFUSED', 1225, 'WSAECONNREFUSED'],
  ['ERROR_GRACEFUL_DISCONNECT', 1226, 'WSAEDISCON'],
  ['ERROR_ADDRESS_ALREADY_ASSOCIATED', 1227, 'WSAEADDRINUSE'],
  ['ERROR_ADDRESS_NOT_ASSOCIATED', 1228, 'WSAEADDRNOTAVAIL'],
  ['ERROR_CONNECTION_INVALID', 1229, 'WSAENOTCONN'],
  ['ERROR_CONNECTION_ACTIVE', 1230, 'WSAEISCONN'],
  ['ERROR_NETWORK_UNREACHABLE', 1231, 'WSAENETUNREACH'],
  ['ERROR_HOST_UNREACHABLE', 1232, 'WSAEHOSTUNREACH'],
  ['ERROR_PROTOCOL_UNREACHABLE', 1233, 'WSAENETUNREACH'],
  ['ERROR_PORT_UNREACHABLE', 1234, 'WSAECONNRESET'],
  ['ERROR_REQUEST_ABORTED', 1235, 'WSA_OPERATION_ABORTED'],
  ['ERROR_CONNECTION_ABORTED', 1236, 'WSAECONNABORTED'],
  ['ERROR_NO_SYSTEM_RESOURCES', 1450, 'WSAENOBUFS'],
  ['ERROR_WORKING_SET_QUOTA', 1453, 'WSAENOBUFS'],
  ['ERROR_COMMITMENT_LIMIT', 1455, 'WSAENOBUFS'],
  ['ERROR_TIMEOUT', 1460, 'WSAETIMEDOUT'],
  ['ERROR_NOT_ENOUGH_QUOTA', 1816, 'WSAENOBUFS'],
];

export const STATUS_ROWS: readonly TranslationRow[] = [
  ['STATUS_TIMEOUT', 0x00000102, 'WSAETIMEDOUT'],
  ['STATUS_PENDING', 0x00000103, 'WSA_IO_PENDING'],
  ['STATUS_BUFFER_OVERFLOW', 0x80000005, 'WSAEMSGSIZE'],
  // Wine's, for what a closed socket had pending.
  ['STATUS_HANDLES_CLOSED', 0x8000000a, 'WSA_OPERATION_ABORTED'],
  ['STATUS_NOT_IMPLEMENTED', 0xc0000002, 'WSAEOPNOTSUPP'],
  ['STATUS_ACCESS_VIOLATION', 0xc0000005, 'WSAEFAULT'],
  ['STATUS_INVALID_HANDLE', 0xc0000008, 'WSAENOTSOCK'],
  ['STATUS_INVALID_PARAMETER', 0xc000000d, 'WSAEINVAL'],
  ['STATUS_NO_MEMORY', 0xc0000017, 'WSAENOBUFS'],
  ['STATUS_ACCESS_DENIED', 0xc0000022, 'WSAEACCES'],
  ['STATUS_BUFFER_TOO_SMALL', 0xc0000023, 'WSAEFAULT'],
  ['STATUS_OBJECT_TYPE_MISMATCH', 0xc0000024, 'WSAENOTSOCK'],
  ['STATUS_PORT_DISCONNECTED', 0xc0000037, 'WSAECONNRESET'],
  ['STATUS_SHARING_VIOLATION', 0xc0000043, 'WSAEADDRINUSE'],
  ['STATUS_QUOTA_EXCEEDED', 0xc0000044, 'WSAENOBUFS'],
  ['STATUS_INSUFFICIENT_RESOURCES', 0xc000009a, 'WSAENOBUFS'],
  ['STATUS_WORKING_SET_QUOTA', 0xc00000a1, 'WSAENOBUFS'],
  ['STATUS_DEVICE_NOT_READY', 0xc00000a3, 'WSAEWOULDBLOCK'],
  ['STATUS_PIPE_DISCONNECTED', 0xc00000b0, 'WSAESHUTDOWN'],
  ['STATUS_IO_TIMEOUT', 0xc00000b5, 'WSAETIMEDOUT'],
  ['STATUS_NOT_SUPPORTED', 0xc00000bb, 'WSAEOPNOTSUPP'],
  ['STATUS_REMOTE_NOT_LISTENING', 0xc00000bc, 'WSAECONNREFUSED'],
  ['STATUS_BAD_NETWORK_PATH', 0xc00000be, 'WSAENETUNREACH'],
  ['STATUS_NETWORK_BUSY', 0xc00000bf, 'WSAENETDOWN'],
  ['STATUS_INVALID_NETWORK_RESPONSE', 0xc00000c3, 'WSAENETDOWN'],
  ['STATUS_UNEXPECTED_NETWORK_ERROR', 0xc00000c4, 'WSAENETDOWN'],
  ['STATUS_NETWORK_NAME_DELETED', 0xc00000c9, 'WSAECONNRESET'],
  ['STATUS_REQUEST_NOT_ACCEPTED', 0xc00000d0, 'WSAEWOULDBLOCK'],
  ['STATUS_TOO_MANY_OPENED_FILES', 0xc000011f, 'WSAEMFILE'],
  ['STATUS_CANCELLED', 0xc0000120, 'WSA_OPERATION_ABORTED'],
  ['STATUS_COMMITMENT_LIMIT', 0xc000012d, 'WSAENOBUFS'],
  ['STATUS_LOCAL_DISCONNECT', 0xc000013b, 'WSAECONNABORTED'],
  ['STATUS_REMOTE_DISCONNECT', 0xc000013c, 'WSAECONNRESET'],
  ['STATUS_REMOTE_RESOURCES', 0xc000013d, 'WSAENOBUFS'],
  ['STATUS_LINK_FAILED', 0xc000013e, 'WSAECONNRESET'],
  ['STATUS_LINK_TIMEOUT', 0xc000013f, 'WSAETIMEDOUT'],
  ['STATUS_INVALID_CONNECTION', 0xc0000140, 'WSAENOTCONN'],
  ['STATUS_INVALID_ADDRESS', 0xc0000141, 'WSAEADDRNOTAVAIL'],
  ['STATUS_INVALID_BUFFER_SIZE', 0xc0000206, 'WSAEMSGSIZE'],
  ['STATUS_INVALID_ADDRESS_COMPONENT', 0xc0000207, 'WSAEADDRNOTAVAIL'],
  ['STATUS_TOO_MANY_ADDRESSES', 0xc0000209, 'WSAEADDRINUSE'],
  ['STATUS_ADDRESS_ALREADY_EXISTS', 0xc000020a, 'WSAEADDRINUSE'],
  ['STATUS_ADDRESS_CLOSED', 0xc000020b, 'WSAENOTSOCK'],
  ['STATUS_CONNECTION_DISCONNECTED', 0xc000020c, 'WSAECONNRESET'],
  ['STATUS_CONNECTION_RESET', 0xc000020d, 'WSAECONNRESET'],
  ['STATUS_TRANSACTION_ABORTED', 0xc000020f, 'WSAECONNABORTED'],
  ['STATUS_CONNECTION_REFUSED', 0xc0000236, 'WSAECONNREFUSED'],
  ['STATUS_GRACEFUL_DISCONNECT', 0xc0000237, 'WSAEDISCON'],
  ['STATUS_CONNECTION_INVALID', 0xc000023a, 'WSAENOTCONN'],
  ['STATUS_CONNECTION_ACTIVE', 0xc000023b, 'WSAEISCONN'],
  ['STATUS_NETWORK_UNREACHABLE', 0xc000023c, 'WSAENETUNREACH'],
  ['STATUS_HOST_UNREACHABLE', 0xc000023d, 'WSAEHOSTUNREACH'],
  ['STATUS_PROTOCOL_UNREACHABLE', 0xc000023e, 'WSAENETUNREACH'],
  ['STATUS_PORT_UNREACHABLE', 0xc000023f, 'WSAECONNRESET'],
  ['STATUS_REQUEST_ABORTED', 0xc0000240, 'WSA_OPERATION_ABORTED'],
  ['STATUS_CONNECTION_ABORTED', 0xc0000241, 'WSAECONNABORTED'],
  ['STATUS_HOPLIMIT_EXCEEDED', 0xc000a012, 'WSAENETRESET'],
];

const NUMBERS = new Map(WINSOCK_ROWS.map(([name, number]) => [name, number]));
const RESULTS = new Map(WINSOCK_ROWS.map(([, number, result]) => [number, result]));
const ASKED = new Set(WINSOCK_ROWS.flatMap(([, number, , asked]) => (asked ? [number] : [])));
const DATAGRAM_RESULTS = new Map(DATAGRAM_ROWS.map(([name, result]) => [numberOf(name), result]));
const FROM_WIN32 = new Map(WIN32_ROWS.map(([, number, winsock]) => [number, numberOf(winsock)]));
const FROM_STATUS = new Map(STATUS_ROWS.map(([, number, winsock]) => [number, numberOf(winsock)]));
// The first name of a number wins: Winsock's own.
const NAMES = new Map(
  [...STATUS_ROWS, ...WIN32_ROWS, ...[...WINSOCK_ROWS].reverse()].map(([name, number]) => [
    number,
    name,
  ]),
);

function numberOf(winsock: string): number {
  return NUMBERS.get(winsock) ?? 0;
}

/** 0xC007nnnn: a Win32 error that somebody wrapped as an NTSTATUS. */
const NTWIN32 = 0xc007;

/** Winsock's number for a Win32 error, as `GetLastError` has it. Winsock's own, and unknown ones, stay as they are. */
export function winsockOfWin32(error: number): number {
  return FROM_WIN32.get(error) ?? error;
}

/**
 * Winsock's number for a packet's NTSTATUS (signed or not): what
 * `WSAGetOverlappedResult` would say, without asking it. 0 is success; an unknown
 * failure stays the NTSTATUS it is (unsigned), so that its number is not lost.
 */
export function winsockOfStatus(status: number): number {
  const unsigned = status >>> 0;
  const known = FROM_STATUS.get(unsigned);
  if (known !== undefined) return known;
  if (unsigned >>> 16 === NTWIN32) return winsockOfWin32(unsigned & 0xffff);
  // Severities 0 and 1 (success, information) are no failure.
  return unsigned < 0x80000000 ? 0 : unsigned;
}

/** What is known about an operation that failed. */
export interface Circumstances {
  /** This side cancelled it, or closed or reset its socket. */
  readonly asked: boolean;
  /** It is of a datagram socket. */
  readonly datagram?: boolean;
}

/**
 * The closed set's result for a Winsock error (or a Win32 error or NTSTATUS that
 * has no counterpart there: `ERROR_UNKNOWN`). Always negative.
 */
export function classifyWinsock(code: number, { asked, datagram = false }: Circumstances): number {
  if (asked && ASKED.has(code)) return layout.ERROR_CANCELED;
  const special = datagram ? DATAGRAM_RESULTS.get(code) : undefined;
  return special ?? RESULTS.get(code) ?? layout.ERROR_UNKNOWN;
}

/** `classifyWinsock` for a packet's NTSTATUS that is a failure. */
export function classifyStatus(status: number, circumstances: Circumstances): number {
  return classifyWinsock(winsockOfStatus(status), circumstances);
}

/** The system's name of a number, for people: Winsock's where it has one, else Win32's or NT's. */
export function winsockName(number: number): string | undefined {
  return NAMES.get(number) ?? NAMES.get(number >>> 0);
}

/**
 * Whether a packet comes although the call failed at once (with anything but
 * WSA_IO_PENDING): it does for NT's warnings, of which STATUS_BUFFER_OVERFLOW (a
 * datagram longer than its buffer, 10040) is the one to be met; it does not for
 * errors. The record's `Internal` is to be zeroed before the call.
 */
export function packetFollows(internal: number): boolean {
  return internal >>> 30 === 2;
}
