/**
 * Receives, sends and datagrams: a batch of submissions becomes one Winsock
 * call each, on structures that the core has filled; packets that the core did
 * not take by itself are looked at here.
 */
import {
  ERROR_ABORTED,
  ERROR_CLOSED,
  ERROR_RESET,
  ERROR_TIMED_OUT,
  IOCP_KEY_HANDLES,
  IOCP_KEY_POST,
  NOTHING,
  OPERATION_BYTES,
  OPERATION_RECEIVE,
  OPERATION_RECEIVE_FROM,
  OPERATION_SEND,
  OPERATION_SEND_TO,
  OPERATION_SOCKADDR,
  Operation,
} from '#generated/layout';
import * as c from './constants.ts';
import { type Context, type Entry, NO_TOKEN } from './context.ts';
import { classifyWinsock, packetFollows, winsockOfStatus } from './errors.ts';

const BUFFER = Operation.bufferLength;
const { bytes: BYTES, flags: FLAGS, addressLength: ADDRESS_LENGTH } = Operation;
const SLOT_MASK = 0xfffff;
/** After one of these nothing that comes is the stream's clean end; a send after our own end is none of them. */
const BREAKS: ReadonlySet<number> = new Set([ERROR_RESET, ERROR_ABORTED, ERROR_TIMED_OUT]);

export class Transfers {
  readonly #context: Context;
  /** By an operation's slot: the handle it is on, and the token that was asked back. */
  #handles = new Int32Array(0);
  #canceled = new Float64Array(0);
  /** Operations done as they were submitted, not yet reported. */
  #directCount = 0;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;
  #operations = 0;
  /** Absolute address of the first operation's record. */
  #base = 0;

  constructor(context: Context) {
    this.#context = context;
    this.#u32 = context.memory.core.u32;
    this.#f64 = context.memory.core.f64;
  }

  attach(): void {
    const { host, memory } = this.#context;
    this.#operations = host.operations;
    this.#base = memory.base + host.operations;
    this.#handles = new Int32Array(host.operationCapacity).fill(NOTHING);
    this.#canceled = new Float64Array(host.operationCapacity).fill(NO_TOKEN);
  }

  /** Offset of the record of an operation. */
  recordOf(slot: number): number {
    return this.#operations + slot * OPERATION_BYTES;
  }

  get hasDirect(): boolean {
    return this.#directCount > 0;
  }

  /** Reports what was done as it was submitted. */
  releaseDirect(): void {
    const count = this.#directCount;
    if (count === 0) return;
    this.#directCount = 0;
    const { memory } = this.#context;
    memory.native.iocpDirect(memory.port, count);
  }

  /** One transfer whose structures `iocpPrepare` has filled. */
  submit(kind: number, token: number, slot: number, handle: number): void {
    const entry = this.#context.handles.get(handle);
    this.#handles[slot] = handle;
    if (entry === undefined || entry.socketClosed) {
      this.#returned(handle, kind);
      this.#context.report(token, ERROR_CLOSED);
      return;
    }
    const at = this.#base + slot * OPERATION_BYTES;
    let code: number;
    if (kind === OPERATION_RECEIVE) code = this.#receive(entry, slot, at);
    else if (kind === OPERATION_SEND) code = this.#send(entry, slot, at);
    else if (kind === OPERATION_RECEIVE_FROM) code = this.#receiveFrom(entry, slot, at);
    else code = this.#sendTo(entry, slot, at);
    if (code !== 0) this.#refused(entry, kind, token, code);
  }

  // ------------------------------------------------------------ the calls
  // Each answers 0 where a packet comes (or a direct send is done), else the error.

  #receive(entry: Entry, slot: number, at: number): number {
    const { win32 } = this.#context.system;
    const { skipsPackets, socket } = entry;
    this.#context.counts.receiveCalls++;
    const received = skipsPackets ? at + BYTES : 0;
    if (win32.WSARecv(socket, at + BUFFER, 1, received, at + FLAGS, at, 0) !== 0) {
      return this.#begun(slot, win32.WSAGetLastError());
    }
    return skipsPackets ? this.#receivedDirectly(entry, slot) : 0;
  }

  /** The call brought the bytes, and no packet comes. */
  #receivedDirectly(entry: Entry, slot: number): number {
    const record = this.recordOf(slot);
    const { counts } = this.#context;
    if (this.#u32[(record + BYTES) >>> 2] !== 0 || !this.#lends(record)) {
      counts.directReceives++;
      return this.#direct(entry, OPERATION_RECEIVE, slot);
    }
    this.#returned(entry.handle, OPERATION_RECEIVE);
    const token = this.#f64[(record + Operation.token) >>> 3] as number;
    if (this.#wasReset(entry)) this.#context.report(token, ERROR_RESET, entry.failure);
    else this.#context.report(token, 0);
    return 0;
  }

  #send(entry: Entry, slot: number, at: number): number {
    const { system, counts, options, memory } = this.#context;
    const { win32 } = system;
    const { socket, skipsPackets } = entry;
    if (options.directSends && memory.sendsOf(entry.handle) === 1) {
      counts.sendCalls++;
      if (win32.WSASend(socket, at + BUFFER, 1, at + BYTES, 0, 0, 0) === 0) {
        counts.directSends++;
        return this.#direct(entry, OPERATION_SEND, slot);
      }
      const code = win32.WSAGetLastError();
      if (code !== c.WSAEWOULDBLOCK) return code;
    }
    counts.sendCalls++;
    const sent = skipsPackets ? at + BYTES : 0;
    if (win32.WSASend(socket, at + BUFFER, 1, sent, 0, at, 0) !== 0) {
      return this.#begun(slot, win32.WSAGetLastError());
    }
    return skipsPackets ? this.#direct(entry, OPERATION_SEND, slot) : 0;
  }

  #receiveFrom({ socket }: Entry, slot: number, at: number): number {
    const { win32 } = this.#context.system;
    const from = at + OPERATION_SOCKADDR;
    this.#context.counts.receiveCalls++;
    const done = win32.WSARecvFrom(
      socket,
      at + BUFFER,
      1,
      0,
      at + FLAGS,
      from,
      at + ADDRESS_LENGTH,
      at,
      0,
    );
    return done === 0 ? 0 : this.#begun(slot, win32.WSAGetLastError());
  }

  #sendTo(entry: Entry, slot: number, at: number): number {
    const { system, counts, options } = this.#context;
    const { win32 } = system;
    const { socket } = entry;
    const length = this.#u32[(this.recordOf(slot) + ADDRESS_LENGTH) >>> 2] as number;
    // Without an address: to the connected peer.
    const to = length === 0 ? 0 : at + OPERATION_SOCKADDR;
    if (options.directSends) {
      counts.sendCalls++;
      if (win32.WSASendTo(socket, at + BUFFER, 1, at + BYTES, 0, to, length, 0, 0) === 0) {
        counts.directSends++;
        return this.#direct(entry, OPERATION_SEND_TO, slot);
      }
      const code = win32.WSAGetLastError();
      if (code !== c.WSAEWOULDBLOCK) return code;
    }
    counts.sendCalls++;
    if (win32.WSASendTo(socket, at + BUFFER, 1, 0, 0, to, length, at, 0) === 0) return 0;
    return this.#begun(slot, win32.WSAGetLastError());
  }

  /** What an overlapped call's error means: nothing, where its packet comes all the same. */
  #begun(slot: number, code: number): number {
    if (code === c.WSA_IO_PENDING) return 0;
    // A warning (a datagram too long) has a packet; an error has none.
    const internal = this.#context.memory.statusOf(this.recordOf(slot));
    return packetFollows(internal) ? 0 : code;
  }

  #direct(entry: Entry, kind: number, slot: number): number {
    const { memory, onReport } = this.#context;
    this.#returned(entry.handle, kind);
    this.#u32[(memory.direct >>> 2) + this.#directCount++] = slot;
    onReport();
    return 0;
  }

  /** No packet comes: the call itself failed. */
  #refused(entry: Entry, kind: number, token: number, code: number): void {
    this.#returned(entry.handle, kind);
    this.#remember(entry, code);
    this.#context.reportFailure(token, code, entry.kind === 'datagram');
  }

  #returned(handle: number, kind: number): void {
    const { memory } = this.#context;
    memory.native.iocpReturned(memory.port, handle, kind);
  }

  // ------------------------------------------------------------ packets

  /**
   * A packet that the core left: it failed, or its handle is watched.
   * False if it is none of a transfer's.
   */
  packet(slot: number, key: number, bytes: number): boolean {
    const { memory, handles, host, counts } = this.#context;
    const record = this.recordOf(slot);
    const kind = this.#u32[(record + Operation.kind) >>> 2] as number;
    if (key === IOCP_KEY_POST) return false;
    const isTransfer =
      kind === OPERATION_RECEIVE ||
      kind === OPERATION_SEND ||
      kind === OPERATION_RECEIVE_FROM ||
      kind === OPERATION_SEND_TO;
    const entry = isTransfer ? handles.get(key - IOCP_KEY_HANDLES) : undefined;
    if (entry === undefined) return false;
    const status = memory.statusOf(record);
    const token = this.#f64[(record + Operation.token) >>> 3] as number;
    this.#returned(entry.handle, kind);
    if (entry.socketClosed) counts.packetsLate++;
    if (status === 0) {
      if (kind === OPERATION_RECEIVE_FROM) this.#readSender(record);
      const isEnd = kind === OPERATION_RECEIVE && bytes === 0 && this.#lends(record);
      if (isEnd && this.#wasReset(entry)) {
        host.complete(token, ERROR_RESET, 0, NOTHING, entry.failure);
      } else host.complete(token, bytes, 0, NOTHING, 0);
    } else {
      const asked = entry.socketClosed || this.#canceled[slot] === token;
      const code = this.#codeOf(entry, record, status);
      if (!asked) this.#remember(entry, code);
      host.complete(
        token,
        classifyWinsock(code, { asked, datagram: entry.kind === 'datagram' }),
        0,
        NOTHING,
        code,
      );
    }
    this.#context.settleClose(entry);
    return true;
  }

  #lends(record: number): boolean {
    return this.#u32[(record + Operation.length) >>> 2] !== 0;
  }

  /**
   * Whether what looks like the peer's end is none. A failed stream does not
   * end cleanly afterwards. And a reset that nobody was told of (it came while
   * no receive was pending) shows by the peer's name being gone, unless our own
   * side has ended too (Wine; on Windows the receive itself fails).
   */
  #wasReset(entry: Entry): boolean {
    if (entry.failure === 0 && !entry.socketClosed && !entry.sendEnded) {
      const { sockets, system } = this.#context;
      if (
        sockets.remoteAddress(entry.socket) === undefined &&
        system.win32.WSAGetLastError() === c.WSAENOTCONN
      ) {
        this.#remember(entry, c.WSAECONNRESET);
      }
    }
    return entry.failure !== 0;
  }

  #readSender(record: number): void {
    const { native } = this.#context.memory;
    const offset = this.#u32[(record + Operation.offset) >>> 2] as number;
    native.sockaddrRead(record + OPERATION_SOCKADDR, offset, c.AF_INET6);
  }

  /** R22: Winsock's own code, as long as the SOCKET is still ours to ask. */
  #codeOf(entry: Entry, record: number, status: number): number {
    if (entry.socketClosed) return winsockOfStatus(status);
    const { memory, system } = this.#context;
    const out = memory.base + memory.scratch;
    const { win32 } = system;
    const ok = win32.WSAGetOverlappedResult(entry.socket, memory.base + record, out, 0, out + 8);
    const code = ok ? 0 : win32.WSAGetLastError();
    // Wine says "invalid" for what it has no number for.
    return code === 0 || code === c.WSAEINVAL ? winsockOfStatus(status) : code;
  }

  /** A stream that broke stays broken, whatever the system says later. */
  #remember(entry: Entry, code: number): void {
    if (entry.kind !== 'stream' || entry.failure !== 0) return;
    if (!BREAKS.has(classifyWinsock(code, { asked: false }))) return;
    entry.failure = code;
    this.#context.memory.watch(entry.handle);
  }

  // ------------------------------------------------------------ cancelling

  /** A request: the packet comes either way. False if no transfer has this token. */
  cancel(token: number): boolean {
    const { memory, handles, system } = this.#context;
    const slot = token & SLOT_MASK;
    const record = this.recordOf(slot);
    if (slot >= this.#handles.length) return false;
    if (this.#f64[(record + Operation.token) >>> 3] !== token) return false;
    const entry = handles.get(this.#handles[slot] as number);
    if (entry === undefined || entry.socketClosed) return false;
    this.#canceled[slot] = token;
    system.win32.CancelIoEx(entry.socket, memory.base + record);
    return true;
  }
}
