/**
 * Windows' own numbers and records, by their C names. Nothing here is
 * remembered: `test/build/headers.test.ts` compiles a C program against
 * mingw-w64's headers and compares every line of this file with what it says.
 * Records are `field: offset` and `$size`, as in the generated layout (64 bit).
 */

// ---------------------------------------------------------------- sockets
export const AF_UNSPEC = 0;
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 23;

export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;

export const IPPROTO_IP = 0;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_IPV6 = 41;

/** `WSASocketW`: without it a socket takes no overlapped operation. */
export const WSA_FLAG_OVERLAPPED = 0x01;
/** `WSASocketW`: child processes do not inherit the socket (a child would keep a port in use). */
export const WSA_FLAG_NO_HANDLE_INHERIT = 0x80;

export const SOL_SOCKET = 0xffff;
export const SO_REUSEADDR = 0x0004;
export const SO_KEEPALIVE = 0x0008;
export const SO_BROADCAST = 0x0020;
export const SO_LINGER = 0x0080;
export const SO_SNDBUF = 0x1001;
export const SO_RCVBUF = 0x1002;
export const SO_ERROR = 0x1007;
export const SO_TYPE = 0x1008;
/** The socket's provider: a WSAPROTOCOL_INFOW. */
export const SO_PROTOCOL_INFOW = 0x2005;
/** In `dwServiceFlags1`: its sockets are the system's own handles, no layer in between. */
export const XP1_IFS_HANDLES = 0x00020000;
/** Nobody else can bind the same address: what a server wants on Windows, where SO_REUSEADDR means stealing. */
export const SO_EXCLUSIVEADDRUSE = -5;
/** Seconds since a socket connected, ~0 while it is not: tells connected accept sockets from waiting ones. */
export const SO_CONNECT_TIME = 0x700c;
/** After AcceptEx, with the *listening* SOCKET as value: only then shutdown, getsockname and getpeername work. */
export const SO_UPDATE_ACCEPT_CONTEXT = 0x700b;
/** After ConnectEx, without a value: only then shutdown, getsockname and getpeername work. */
export const SO_UPDATE_CONNECT_CONTEXT = 0x7010;
export const TCP_NODELAY = 0x0001;
export const IPV6_V6ONLY = 27;

export const SOMAXCONN = 0x7fffffff;
export const SD_RECEIVE = 0;
export const SD_SEND = 1;
export const SD_BOTH = 2;

/** WSARecv's and WSARecvFrom's out-flag: more of the datagram was there than room. */
export const MSG_PARTIAL = 0x8000;
export const MSG_PEEK = 0x2;
/** Of a stream: the receive completes when its buffer is full. */
export const MSG_WAITALL = 0x8;

// ---------------------------------------------------------------- ioctls
/** `ioctlsocket`; the value is an u_long: 1 is non-blocking. */
export const FIONBIO = 0x8004667e;
/** `ioctlsocket`; the value is an u_long: bytes that a receive would find. */
export const FIONREAD = 0x4004667f;
/** `WSAIoctl`: the address of AcceptEx and its kin, by GUID. */
export const SIO_GET_EXTENSION_FUNCTION_POINTER = 0xc8000006;
/** `WSAIoctl` with a tcp_keepalive. */
export const SIO_KEEPALIVE_VALS = 0x98000004;
/** `WSAIoctl` with a BOOL: FALSE keeps an ICMP "port unreachable" from failing the next receive with 10054. */
export const SIO_UDP_CONNRESET = 0x9800000c;
/** `WSAIoctl` with a BOOL: FALSE keeps an ICMP "time to live exceeded" from failing the next receive with 10052. */
export const SIO_UDP_NETRESET = 0x9800000f;

/** GUIDs as they lie in memory. */
export const WSAID_ACCEPTEX = [
  0xf1, 0x7d, 0x36, 0xb5, 0xac, 0xcb, 0xcf, 0x11, 0x95, 0xca, 0x00, 0x80, 0x5f, 0x48, 0xa1, 0x92,
] as const;
export const WSAID_GETACCEPTEXSOCKADDRS = [
  0xf2, 0x7d, 0x36, 0xb5, 0xac, 0xcb, 0xcf, 0x11, 0x95, 0xca, 0x00, 0x80, 0x5f, 0x48, 0xa1, 0x92,
] as const;
export const WSAID_CONNECTEX = [
  0xb9, 0x07, 0xa2, 0x25, 0xf3, 0xdd, 0x60, 0x46, 0x8e, 0xe9, 0x76, 0xe5, 0x8c, 0x74, 0x06, 0x3e,
] as const;

// ---------------------------------------------------------------- handles and waiting
/** Of `DuplicateHandle`. */
export const DUPLICATE_SAME_ACCESS = 0x2;
/** (HANDLE) -1 and (SOCKET) ~0, as the declarations of `win32.ts` show them. */
export const INVALID_HANDLE_VALUE = -1;
export const INVALID_SOCKET = -1;
/** What most of Winsock returns on failure. */
export const SOCKET_ERROR = -1;

export const INFINITE = 0xffffffff;
/** `WaitForSingleObject`. */
export const WAIT_OBJECT_0 = 0;
/** `WaitForSingleObject`'s result, and the error of a dequeue whose time ran out (R22: not an error). */
export const WAIT_TIMEOUT = 258;
export const WAIT_FAILED = 0xffffffff;
/** `OpenEventW`: right to wait, right to set. */
export const SYNCHRONIZE = 0x00100000;
export const EVENT_MODIFY_STATE = 0x0002;

/** `WSAStartup`: Winsock 2.2. */
export const WINSOCK_VERSION = 0x0202;

// `SetFileCompletionNotificationModes`. The first only where `XP1_IFS_HANDLES` is
// set: under a layered provider a completion would arrive twice or never.
export const FILE_SKIP_COMPLETION_PORT_ON_SUCCESS = 0x1;
export const FILE_SKIP_SET_EVENT_ON_HANDLE = 0x2;

// ---------------------------------------------------------------- results that are no failure
/** An overlapped operation was begun: its packet comes. */
export const WSA_IO_PENDING = 997;
/** An operation on a non-blocking socket cannot be done at once. */
export const WSAEWOULDBLOCK = 10035;

// Failures that the driver decides by; the whole list is in `errors.ts`.
export const WSA_OPERATION_ABORTED = 995;
export const WSAEMFILE = 10024;
export const WSAEMSGSIZE = 10040;
export const WSAECONNABORTED = 10053;
export const WSAECONNRESET = 10054;
export const WSAENOBUFS = 10055;
export const WSAENOTCONN = 10057;
export const WSAENETRESET = 10052;
export const WSAECONNREFUSED = 10061;
export const WSAEINVAL = 10022;
/** `CancelIoEx` found nothing: the packet is under way already. */
export const ERROR_NOT_FOUND = 1168;
/** `CreateEventW` opened an event that was there. */
export const ERROR_ALREADY_EXISTS = 183;
/** `OpenEventW` found none of this name. */
export const ERROR_FILE_NOT_FOUND = 2;
/** `CreateEventW`, `OpenEventW`: it is another user's. */
export const ERROR_ACCESS_DENIED = 5;
/** `CreateEventW`, `OpenEventW`: the name is that of a mutex, a timer or the like. */
export const ERROR_INVALID_HANDLE = 6;
// What a name of an event can be wrong by.
export const ERROR_PATH_NOT_FOUND = 3;
export const ERROR_INVALID_NAME = 123;
export const ERROR_BAD_PATHNAME = 161;
export const ERROR_FILENAME_EXCED_RANGE = 206;
/** What a dequeue reports after its port was closed. */
export const ERROR_ABANDONED_WAIT_0 = 735;

/** OVERLAPPED.Internal of an operation that is not done. */
export const STATUS_PENDING = 0x103;
export const STATUS_SUCCESS = 0;

// ---------------------------------------------------------------- records
export const OVERLAPPED = {
  Internal: 0,
  InternalHigh: 8,
  Offset: 16,
  OffsetHigh: 20,
  hEvent: 24,
  $size: 32,
} as const;

export const WSABUF = { len: 0, buf: 8, $size: 16 } as const;

/** What `GetQueuedCompletionStatusEx` writes for each packet. */
export const OVERLAPPED_ENTRY = {
  lpCompletionKey: 0,
  lpOverlapped: 8,
  Internal: 16,
  dwNumberOfBytesTransferred: 24,
  $size: 32,
} as const;

export const sockaddr_in = {
  sin_family: 0,
  sin_port: 2,
  sin_addr: 4,
  sin_zero: 8,
  $size: 16,
} as const;

export const sockaddr_in6 = {
  sin6_family: 0,
  sin6_port: 2,
  sin6_flowinfo: 4,
  sin6_addr: 8,
  sin6_scope_id: 24,
  $size: 28,
} as const;

export const sockaddr_storage = { ss_family: 0, $size: 128 } as const;

export const sockaddr_un = { sun_family: 0, sun_path: 2, $size: 110 } as const;

export const linger = { l_onoff: 0, l_linger: 2, $size: 4 } as const;

export const tcp_keepalive = {
  onoff: 0,
  keepalivetime: 4,
  keepaliveinterval: 8,
  $size: 12,
} as const;

export const WSAPROTOCOL_INFOW = { dwServiceFlags1: 0, $size: 628 } as const;

export const WSADATA = { wVersion: 0, wHighVersion: 2, $size: 408 } as const;

/** AcceptEx wants this much more than a sockaddr for each of its two addresses. */
export const ACCEPT_ADDRESS_EXTRA_BYTES = 16;
