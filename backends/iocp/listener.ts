/**
 * A listening socket: several AcceptEx pending, each on a socket made in
 * advance. They carry no first bytes (a silent client would stall them).
 */
import { ERROR_CANCELED } from '#generated/layout';
import type { AcceptedSocket, ListenerOptions } from '../backend.ts';
import { type AcceptOwner, type AcceptTable, openAccepted, reportAccepted } from './accepts.ts';
import * as c from './constants.ts';
import { type Context, type Entry, NO_TOKEN, type SocketOwner } from './context.ts';
import { winsockOfStatus } from './errors.ts';
import { ACCEPT_ADDRESS_BYTES } from './memory.ts';
import { WinsockError } from './sockets.ts';
import type { Socket } from './win32.ts';

/** Ends of a connection that nobody has seen yet. */
const GONE_CLIENT: ReadonlySet<number> = new Set([
  c.WSAECONNRESET,
  c.WSAECONNABORTED,
  c.WSAENOTCONN,
  c.WSAENETRESET,
]);

export class Listener implements AcceptOwner, SocketOwner {
  readonly #context: Context;
  readonly #accepts: AcceptTable;
  readonly #options: ListenerOptions;
  /** Set once the socket has its handle. */
  entry!: Entry;
  /** The accept that stays armed, or NO_TOKEN. */
  #token = NO_TOKEN;
  readonly #armed = new Set<number>();
  /** The armed accept is asked back: it ends with its last packet. */
  #canceling = false;
  /** What made it impossible to arm another one. */
  #failure = 0;
  /** Accepted to be handed over, and taken by nobody yet. */
  readonly #kept: AcceptedSocket[] = [];

  constructor(context: Context, accepts: AcceptTable, options: ListenerOptions) {
    this.#context = context;
    this.#accepts = accepts;
    this.#options = options;
  }

  get pending(): number {
    return this.#armed.size;
  }

  get token(): number {
    return this.#token;
  }

  arm(token: number): void {
    this.#token = token;
    this.#canceling = false;
    this.#fill();
    this.#settle();
  }

  cancel(): void {
    if (this.#canceling) return;
    this.#canceling = true;
    const { memory, sockets } = this.#context;
    for (const index of this.#armed) {
      sockets.win32.CancelIoEx(this.entry.socket, memory.base + memory.acceptRecord(index));
    }
    this.#settle();
  }

  /** The socket closes: its AcceptEx operations come back by that. */
  closing(): void {
    for (const { socket } of this.#kept.splice(0)) this.#context.sockets.reset(socket);
    if (this.#token === NO_TOKEN) return;
    this.cancel();
  }

  accepted(index: number, socket: Socket, status: number): void {
    this.#armed.delete(index);
    const { entry } = this;
    if (entry.socketClosed) this.#context.sockets.reset(socket);
    else if (status === 0) this.#open(index, socket);
    else this.#failed(socket, status);
    this.#accepts.free(index);
    if (!this.#canceling && !entry.socketClosed) this.#fill();
    this.#settle();
  }

  #open(index: number, socket: Socket): void {
    const { sockets, system, memory, counts } = this.#context;
    const { family } = this.entry;
    // Its value is the listening SOCKET itself; without it getpeername and shutdown fail.
    const listener = new BigInt64Array([BigInt(this.entry.socket)]);
    const bytes = new Uint8Array(listener.buffer);
    try {
      sockets.check(
        'setsockopt',
        system.win32.setsockopt(socket, c.SOL_SOCKET, c.SO_UPDATE_ACCEPT_CONTEXT, bytes, 8),
      );
      const accepted = { socket, family, remote: this.#peerOf(memory.acceptRecord(index)) };
      if (this.#options.handOver !== undefined) {
        this.#kept.push(accepted);
        this.#handOver();
        return;
      }
      const connection = openAccepted(this.#context, accepted, this.#options);
      reportAccepted(this.#context, this.#token, connection);
    } catch (error) {
      if (!(error instanceof WinsockError)) throw error;
      counts.acceptsRefused++;
      sockets.reset(socket);
    }
  }

  /** Somebody may take what nobody took before. */
  offer(): void {
    this.#handOver();
    if (this.#token === NO_TOKEN || this.#canceling || this.entry.socketClosed) return;
    this.#fill();
    this.#settle();
  }

  /** In the order of their coming; it stops where nobody takes one. */
  #handOver(): void {
    for (;;) {
      const [first] = this.#kept;
      if (first === undefined || this.#options.handOver?.(first) !== true) return;
      this.#kept.shift();
      this.#context.sockets.giveAway();
    }
  }

  #peerOf(record: number) {
    const { memory, system, sockets } = this.#context;
    const { core, base, scratch } = memory;
    // Where the four out-parameters go: two pointers, two lengths.
    const out = base + scratch + 64;
    system.extensions.GetAcceptExSockaddrs(
      base + memory.acceptOutput(record),
      0,
      ACCEPT_ADDRESS_BYTES,
      ACCEPT_ADDRESS_BYTES,
      out,
      out + 16,
      out + 8,
      out + 24,
    );
    const word = (scratch + 64 + 8) >>> 2;
    const pointer = (core.u32[word] as number) + (core.u32[word + 1] as number) * 2 ** 32;
    const offset = pointer - base;
    // The system answers with a place in the output: anything else is not read.
    if (!(offset >= record && offset < memory.acceptOutput(record) + 2 * ACCEPT_ADDRESS_BYTES)) {
      return undefined;
    }
    return sockets.readAddress(offset);
  }

  /**
   * A client that was gone before it was accepted (ERROR_NETNAME_DELETED, a
   * reset) is no failure of the listener: it goes on.
   */
  #failed(socket: Socket, status: number): void {
    this.#context.sockets.reset(socket);
    if (this.#canceling) return;
    this.#context.counts.acceptsFailed++;
    const code = winsockOfStatus(status);
    if (!GONE_CLIENT.has(code)) this.#failure = code;
  }

  /**
   * Keeps `acceptDepth` of them pending, as far as sockets can be had. While
   * nobody takes what was accepted, the others wait in the system's queue.
   */
  #fill(): void {
    if (this.#kept.length > 0) return;
    const { options, hasRoom } = this.#context;
    while (this.#failure === 0 && this.#armed.size < options.acceptDepth && hasRoom) {
      if (!this.#begin()) return;
    }
    if (!hasRoom && this.#armed.size === 0) this.#failure = c.WSAEMFILE;
  }

  #begin(): boolean {
    const { sockets, memory, system, counts } = this.#context;
    let socket: Socket;
    try {
      socket = sockets.create(this.entry.family, true);
    } catch (error) {
      this.#failure = (error as WinsockError).code;
      return false;
    }
    const index = this.#accepts.take(this, socket);
    if (index < 0) {
      sockets.close(socket);
      if (this.#armed.size === 0) this.#failure = c.WSAENOBUFS;
      return false;
    }
    const record = memory.clearAccept(index);
    const { base } = memory;
    counts.acceptCalls++;
    const done = system.extensions.AcceptEx(
      this.entry.socket,
      socket,
      base + memory.acceptOutput(record),
      0,
      ACCEPT_ADDRESS_BYTES,
      ACCEPT_ADDRESS_BYTES,
      base + memory.acceptReceived(record),
      base + record,
    );
    const code = done ? 0 : system.win32.WSAGetLastError();
    if (code !== 0 && code !== c.WSA_IO_PENDING) {
      this.#accepts.free(index);
      sockets.close(socket);
      this.#failure = code;
      return false;
    }
    this.#armed.add(index);
    return true;
  }

  /** The armed accept ends once nothing is pending and nothing more can be. */
  #settle(): void {
    if (this.#armed.size > 0) return;
    const token = this.#token;
    if (token !== NO_TOKEN && (this.#canceling || this.#failure !== 0)) {
      this.#token = NO_TOKEN;
      const failure = this.#failure;
      this.#failure = 0;
      if (this.#canceling) this.#context.report(token, ERROR_CANCELED, c.WSA_OPERATION_ABORTED);
      else this.#context.reportFailure(token, failure);
    }
    this.#context.settleClose(this.entry);
  }
}
