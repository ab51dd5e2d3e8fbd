/**
 * The Windows functions that the backend calls, declared for koffi: the only
 * file that does. Signatures are those of mingw-w64's headers (winsock2.h,
 * mswsock.h, ioapiset.h, synchapi.h), checked by `test/build/headers.test.ts`.
 *
 * How C's types are declared, and why:
 * - SOCKET and HANDLE as `intptr_t`: Numbers both ways, and the invalid one is
 *   -1. (As `uintptr_t` it would come back as the BigInt 2^64-1.)
 * - Addresses on the hot path as `uintptr_t`: a Number goes in as it is, which
 *   is the cheapest that koffi offers (about 50 ns a call, BigInt and `void *`
 *   60 to 70, three times as much in Bun). User addresses are below 2^47.
 * - Elsewhere `void *`, which takes a Number or a Uint8Array. A Uint8Array is
 *   good for the call only: whatever the system keeps must lie in linear memory.
 * - BOOL as `int`: not zero is success.
 *
 * Records live in linear memory, by the offsets of `constants.ts`; koffi
 * structures would be copied in and out.
 */
import type { Address, Foreign, KoffiModule } from '../koffi.ts';
import * as c from './constants.ts';

/** What is needed of koffi. */
export type Koffi = Pick<KoffiModule, 'load' | 'proto' | 'decode' | 'address'>;

export type { Address };
/** A SOCKET; -1 is INVALID_SOCKET. */
export type Socket = number;
/** A HANDLE; 0 or -1 is none, depending on the function. */
export type Handle = number;
/** Memory that is used during the call only. */
export type Transient = Address | Uint8Array | null;
/** Windows' BOOL: 0 is failure. */
export type Bool = number;

const HANDLE = 'intptr_t';
const SOCKET = 'intptr_t';
const ADDRESS = 'uintptr_t';
const TRANSIENT = 'void *';
const BOOL = 'int';
const INT = 'int';
const DWORD = 'uint32_t';
const WIDE_STRING = 'str16';

/**
 * Loads the libraries and declares their functions. Costs a few milliseconds.
 * @throws koffi's error where a library or a function is missing: not Windows
 */
export function loadWin32(koffi: Koffi) {
  const kernel = koffi.load('kernel32.dll');
  const winsock = koffi.load('ws2_32.dll');

  return {
    // ------------------------------------------------------------ completion port
    /**
     * Makes a port (`file` INVALID_HANDLE_VALUE, `existing` 0), or associates a
     * socket with one; for life: there is no way back but closing the socket.
     * Returns the port, 0 on failure.
     */
    CreateIoCompletionPort: kernel.func('CreateIoCompletionPort', HANDLE, [
      HANDLE,
      HANDLE,
      ADDRESS,
      DWORD,
    ]) as Foreign<[file: Handle, existing: Handle, key: number, concurrency: number], Handle>,

    /**
     * Dequeues up to `count` OVERLAPPED_ENTRYs and writes how many. 0 with
     * WAIT_TIMEOUT when there were none. `alertable` stays 0: an APC of somebody
     * else must not end our wait.
     */
    GetQueuedCompletionStatusEx: kernel.func('GetQueuedCompletionStatusEx', BOOL, [
      HANDLE,
      ADDRESS,
      DWORD,
      ADDRESS,
      DWORD,
      BOOL,
    ]) as Foreign<
      [
        port: Handle,
        entries: Address,
        count: number,
        removed: Address,
        timeoutMs: number,
        alertable: Bool,
      ],
      Bool
    >,

    PostQueuedCompletionStatus: kernel.func('PostQueuedCompletionStatus', BOOL, [
      HANDLE,
      DWORD,
      ADDRESS,
      ADDRESS,
    ]) as Foreign<[port: Handle, bytes: number, key: number, overlapped: Address], Bool>,

    /**
     * A request: ERROR_NOT_FOUND means that the packet is under way. `overlapped`
     * 0 means every operation of the handle, of all threads of the process.
     */
    CancelIoEx: kernel.func('CancelIoEx', BOOL, [HANDLE, ADDRESS]) as Foreign<
      [file: Handle | Socket, overlapped: Address],
      Bool
    >,

    SetFileCompletionNotificationModes: kernel.func('SetFileCompletionNotificationModes', BOOL, [
      HANDLE,
      'uint8_t',
    ]) as Foreign<[file: Handle | Socket, modes: number], Bool>,

    /** Writes another number for the same object to `copy`: each is closed for itself. */
    DuplicateHandle: kernel.func('DuplicateHandle', BOOL, [
      HANDLE,
      HANDLE,
      HANDLE,
      TRANSIENT,
      DWORD,
      BOOL,
      DWORD,
    ]) as Foreign<
      [
        from: Handle,
        original: Handle,
        to: Handle,
        copy: Transient,
        access: number,
        inherit: Bool,
        options: number,
      ],
      Bool
    >,
    /** Good for calls only: every process knows itself by this number. */
    GetCurrentProcess: kernel.func('GetCurrentProcess', HANDLE, []) as Foreign<[], Handle>,

    CloseHandle: kernel.func('CloseHandle', BOOL, [HANDLE]) as Foreign<[handle: Handle], Bool>,

    // ------------------------------------------------------------ events (R13)
    /** Returns 0 on failure; GetLastError tells ERROR_ALREADY_EXISTS when it was there. */
    CreateEventW: kernel.func('CreateEventW', HANDLE, [
      TRANSIENT,
      BOOL,
      BOOL,
      WIDE_STRING,
    ]) as Foreign<
      [attributes: Transient, manualReset: Bool, initialState: Bool, name: string | null],
      Handle
    >,
    OpenEventW: kernel.func('OpenEventW', HANDLE, [DWORD, BOOL, WIDE_STRING]) as Foreign<
      [access: number, inherit: Bool, name: string],
      Handle
    >,
    SetEvent: kernel.func('SetEvent', BOOL, [HANDLE]) as Foreign<[event: Handle], Bool>,
    WaitForSingleObject: kernel.func('WaitForSingleObject', DWORD, [HANDLE, DWORD]) as Foreign<
      [handle: Handle, timeoutMs: number],
      number
    >,
    /** Valid only as the very next koffi call of this thread: koffi keeps the value between calls. */
    GetLastError: kernel.func('GetLastError', DWORD, []) as Foreign<[], number>,

    // ------------------------------------------------------------ sockets: setting up
    /** Returns the error itself, not through WSAGetLastError. */
    WSAStartup: winsock.func('WSAStartup', INT, ['uint16_t', TRANSIENT]) as Foreign<
      [version: number, data: Transient],
      number
    >,
    WSACleanup: winsock.func('WSACleanup', INT, []) as Foreign<[], number>,
    /** Valid only as the very next koffi call of this thread: koffi keeps the value between calls. */
    WSAGetLastError: winsock.func('WSAGetLastError', INT, []) as Foreign<[], number>,
    WSASocketW: winsock.func('WSASocketW', SOCKET, [
      INT,
      INT,
      INT,
      TRANSIENT,
      DWORD,
      DWORD,
    ]) as Foreign<
      [
        family: number,
        type: number,
        protocol: number,
        info: Transient,
        group: number,
        flags: number,
      ],
      Socket
    >,
    closesocket: winsock.func('closesocket', INT, [SOCKET]) as Foreign<[socket: Socket], number>,
    bind: winsock.func('bind', INT, [SOCKET, TRANSIENT, INT]) as Foreign<
      [socket: Socket, name: Transient, nameBytes: number],
      number
    >,
    /** Of a datagram socket: at once. (Streams connect by ConnectEx.) */
    connect: winsock.func('connect', INT, [SOCKET, TRANSIENT, INT]) as Foreign<
      [socket: Socket, name: Transient, nameBytes: number],
      number
    >,
    listen: winsock.func('listen', INT, [SOCKET, INT]) as Foreign<
      [socket: Socket, backlog: number],
      number
    >,
    /** `nameBytes` points to an int: in the room, out the length. */
    getsockname: winsock.func('getsockname', INT, [SOCKET, TRANSIENT, TRANSIENT]) as Foreign<
      [socket: Socket, name: Transient, nameBytes: Transient],
      number
    >,
    /** As `getsockname`. */
    getpeername: winsock.func('getpeername', INT, [SOCKET, TRANSIENT, TRANSIENT]) as Foreign<
      [socket: Socket, name: Transient, nameBytes: Transient],
      number
    >,
    setsockopt: winsock.func('setsockopt', INT, [SOCKET, INT, INT, TRANSIENT, INT]) as Foreign<
      [socket: Socket, level: number, option: number, value: Transient, valueBytes: number],
      number
    >,
    getsockopt: winsock.func('getsockopt', INT, [
      SOCKET,
      INT,
      INT,
      TRANSIENT,
      TRANSIENT,
    ]) as Foreign<
      [socket: Socket, level: number, option: number, value: Transient, valueBytes: Transient],
      number
    >,
    /** `command` is a C long, declared unsigned so that FIONBIO passes as it is written. */
    ioctlsocket: winsock.func('ioctlsocket', INT, [SOCKET, DWORD, TRANSIENT]) as Foreign<
      [socket: Socket, command: number, value: Transient],
      number
    >,
    /** Synchronous use only (`overlapped` 0), so that its memory is transient. */
    WSAIoctl: winsock.func('WSAIoctl', INT, [
      SOCKET,
      DWORD,
      TRANSIENT,
      DWORD,
      TRANSIENT,
      DWORD,
      TRANSIENT,
      ADDRESS,
      ADDRESS,
    ]) as Foreign<
      [
        socket: Socket,
        code: number,
        input: Transient,
        inputBytes: number,
        output: Transient,
        outputBytes: number,
        returnedBytes: Transient,
        overlapped: 0,
        routine: 0,
      ],
      number
    >,

    // ------------------------------------------------------------ sockets: the hot path
    /** `received` may be 0 with an OVERLAPPED; `flags` may not, and is read and written until the packet is dequeued. */
    WSARecv: winsock.func('WSARecv', INT, [
      SOCKET,
      ADDRESS,
      DWORD,
      ADDRESS,
      ADDRESS,
      ADDRESS,
      ADDRESS,
    ]) as Foreign<
      [
        socket: Socket,
        buffers: Address,
        bufferCount: number,
        received: Address,
        flags: Address,
        overlapped: Address,
        routine: 0,
      ],
      number
    >,
    /** Here flags are a value. `sent` may be 0 with an OVERLAPPED. */
    WSASend: winsock.func('WSASend', INT, [
      SOCKET,
      ADDRESS,
      DWORD,
      ADDRESS,
      DWORD,
      ADDRESS,
      ADDRESS,
    ]) as Foreign<
      [
        socket: Socket,
        buffers: Address,
        bufferCount: number,
        sent: Address,
        flags: number,
        overlapped: Address,
        routine: 0,
      ],
      number
    >,
    /** `from` and `fromBytes` (int: in the room, out the length) are written until the packet is dequeued. */
    WSARecvFrom: winsock.func('WSARecvFrom', INT, [
      SOCKET,
      ADDRESS,
      DWORD,
      ADDRESS,
      ADDRESS,
      ADDRESS,
      ADDRESS,
      ADDRESS,
      ADDRESS,
    ]) as Foreign<
      [
        socket: Socket,
        buffers: Address,
        bufferCount: number,
        received: Address,
        flags: Address,
        from: Address,
        fromBytes: Address,
        overlapped: Address,
        routine: 0,
      ],
      number
    >,
    WSASendTo: winsock.func('WSASendTo', INT, [
      SOCKET,
      ADDRESS,
      DWORD,
      ADDRESS,
      DWORD,
      ADDRESS,
      INT,
      ADDRESS,
      ADDRESS,
    ]) as Foreign<
      [
        socket: Socket,
        buffers: Address,
        bufferCount: number,
        sent: Address,
        flags: number,
        to: Address,
        toBytes: number,
        overlapped: Address,
        routine: 0,
      ],
      number
    >,
    shutdown: winsock.func('shutdown', INT, [SOCKET, INT]) as Foreign<
      [socket: Socket, how: number],
      number
    >,
    /** Of a dequeued packet: FALSE, then WSAGetLastError is the operation's Winsock code (R22). */
    WSAGetOverlappedResult: winsock.func('WSAGetOverlappedResult', BOOL, [
      SOCKET,
      ADDRESS,
      ADDRESS,
      BOOL,
      ADDRESS,
    ]) as Foreign<
      [socket: Socket, overlapped: Address, bytes: Address, wait: Bool, flags: Address],
      Bool
    >,
  };
}

/** Every function, by its C name. */
export type Win32 = ReturnType<typeof loadWin32>;

/**
 * AcceptEx and its kin: not exported by ws2_32 but asked of a socket's provider.
 * The addresses are good for every socket of the same provider.
 */
export function loadExtensions(koffi: Koffi, win32: Win32, socket: Socket) {
  return {
    /**
     * With `receiveBytes` 0 it completes when a connection is there, not when
     * its first bytes are (a silent client would stall it). `output` takes both
     * addresses, each with 16 bytes to spare.
     */
    AcceptEx: extension(koffi, win32, socket, c.WSAID_ACCEPTEX, BOOL, [
      SOCKET,
      SOCKET,
      ADDRESS,
      DWORD,
      DWORD,
      DWORD,
      ADDRESS,
      ADDRESS,
    ]) as Foreign<
      [
        listener: Socket,
        accepted: Socket,
        output: Address,
        receiveBytes: number,
        localBytes: number,
        remoteBytes: number,
        received: Address,
        overlapped: Address,
      ],
      Bool
    >,
    /** The socket must be bound first. `data` 0: nothing is sent with the SYN. */
    ConnectEx: extension(koffi, win32, socket, c.WSAID_CONNECTEX, BOOL, [
      SOCKET,
      ADDRESS,
      INT,
      ADDRESS,
      DWORD,
      ADDRESS,
      ADDRESS,
    ]) as Foreign<
      [
        socket: Socket,
        name: Address,
        nameBytes: number,
        data: Address,
        dataBytes: number,
        sent: Address,
        overlapped: Address,
      ],
      Bool
    >,
    /** Writes two pointers into `output` and two lengths (int). */
    GetAcceptExSockaddrs: extension(koffi, win32, socket, c.WSAID_GETACCEPTEXSOCKADDRS, 'void', [
      ADDRESS,
      DWORD,
      DWORD,
      DWORD,
      ADDRESS,
      ADDRESS,
      ADDRESS,
      ADDRESS,
    ]) as Foreign<
      [
        output: Address,
        receiveBytes: number,
        localBytes: number,
        remoteBytes: number,
        local: Address,
        localLength: Address,
        remote: Address,
        remoteLength: Address,
      ],
      void
    >,
  };
}

export type Extensions = ReturnType<typeof loadExtensions>;

function extension(
  koffi: Koffi,
  win32: Win32,
  socket: Socket,
  guid: readonly number[],
  result: string,
  parameters: string[],
): unknown {
  const pointer = new BigUint64Array(1);
  const failed = win32.WSAIoctl(
    socket,
    c.SIO_GET_EXTENSION_FUNCTION_POINTER,
    Uint8Array.from(guid),
    guid.length,
    new Uint8Array(pointer.buffer),
    pointer.byteLength,
    new Uint8Array(4),
    0,
    0,
  );
  if (failed !== 0) {
    const number = win32.WSAGetLastError();
    throw Object.assign(new Error(`WSAIoctl: Winsock error ${number}`), { systemError: number });
  }
  return koffi.decode(pointer[0], koffi.proto(result, parameters));
}
