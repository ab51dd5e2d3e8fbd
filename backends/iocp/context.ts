/** What the parts of one driver share: its port, its sockets by handle, its reports. */
import { ERROR_CANCELED, IOCP_KEY_HANDLES, NOTHING } from '#generated/layout';
import type { BackendHost, SocketAddress } from '../backend.ts';
import { HandleTable } from '../stream/handles.ts';
import * as c from './constants.ts';
import { classifyWinsock } from './errors.ts';
import type { NativeMemory } from './memory.ts';
import type { CheckedOptions } from './options.ts';
import { type Family, type Sockets, WinsockError } from './sockets.ts';
import type { System } from './system.ts';
import type { Handle, Socket } from './win32.ts';

/** No token: real ones are not negative. */
export const NO_TOKEN = -1;

/** A socket and its handle: what the completion key names (R19). */
export interface Entry {
  readonly handle: number;
  readonly socket: Socket;
  readonly family: Family;
  readonly kind: 'stream' | 'listener' | 'datagram';
  /** Keeps the host's process alive. */
  referenced: boolean;
  /** The close under way, or NO_TOKEN. */
  closeToken: number;
  /** `closesocket` was called: the number may be somebody else's by now. */
  socketClosed: boolean;
  /** Its last packet is back, and its close about to be reported. */
  settled: boolean;
  /** What its calls complete at once has no packet. */
  skipsPackets: boolean;
  /** Its send side was ended from here. */
  sendEnded: boolean;
  /** The Winsock error that ended the stream: what comes later is no end of it. */
  failure: number;
  remote: SocketAddress | undefined;
  /** The listener's part of a listening socket. */
  readonly owner?: SocketOwner | undefined;
  /** Called when the handle is no more. */
  onGone?: (() => void) | undefined;
}

/** What makes a socket one that connections come from. */
export interface SocketOwner {
  /** Operations of its own whose packet is due. */
  readonly pending: number;
  /** The accept that stays armed, or NO_TOKEN. */
  readonly token: number;
  arm(token: number): void;
  /** The armed accept is asked back. */
  cancel(): void;
  /** The socket is about to be closed. */
  closing(): void;
}

/** Counters of a driver: see `BackendCounters`. */
export const COUNTERS = [
  'dequeues',
  'packets',
  'waits',
  'waitsFailed',
  'receiveCalls',
  'sendCalls',
  'directSends',
  'directReceives',
  'acceptCalls',
  'acceptsFailed',
  'acceptsRefused',
  'packetsLate',
] as const;
export type Counter = (typeof COUNTERS)[number];

/** Numbers of a report that waits. */
const FIELDS = 3;

export class Context {
  readonly host: BackendHost;
  readonly system: System;
  readonly options: CheckedOptions;
  readonly memory: NativeMemory;
  readonly sockets: Sockets;
  /** The completion port. */
  readonly port: Handle;
  readonly handles = new HandleTable<Entry>();
  readonly counts: { [name in Counter]: number };
  /** Open handles that keep the process alive. */
  referenced = 0;
  /** Connects, listens and binds that have no handle yet. */
  opening = 0;
  /** A report waits: see `release`. */
  onReport: () => void = () => {};
  /** What is open, or referenced, has changed. */
  onChange: () => void = () => {};
  #reports: number[] = [];
  /** Closed, and not yet reported: their handles are not given out again before. */
  #closed: Entry[] = [];

  constructor(
    host: BackendHost,
    system: System,
    options: CheckedOptions,
    memory: NativeMemory,
    sockets: Sockets,
    port: Handle,
  ) {
    this.host = host;
    this.system = system;
    this.options = options;
    this.memory = memory;
    this.sockets = sockets;
    this.port = port;
    this.counts = Object.fromEntries(COUNTERS.map((name) => [name, 0])) as typeof this.counts;
  }

  // ------------------------------------------------------------ reports

  /** A final completion that must not come inline: it goes with the next pass (rule 1). */
  report(token: number, result: number, systemError = 0): void {
    this.#reports.push(token, result, systemError);
    this.onReport();
  }

  /** The same for a Winsock error. */
  reportFailure(token: number, code: number, datagram = false): void {
    this.report(token, classifyWinsock(code, { asked: false, datagram }), code);
  }

  get hasReports(): boolean {
    return this.#reports.length + this.#closed.length > 0;
  }

  /** Hands over what waited: closes last, each being its handle's last completion. */
  release(): void {
    const reports = this.#reports;
    const closed = this.#closed;
    if (reports.length + closed.length === 0) return;
    this.#reports = [];
    this.#closed = [];
    for (let at = 0; at < reports.length; at += FIELDS) {
      this.host.complete(
        reports[at] as number,
        reports[at + 1] as number,
        0,
        NOTHING,
        reports[at + 2] as number,
      );
    }
    for (const entry of closed) {
      this.forget(entry);
      if (entry.closeToken !== NO_TOKEN) this.host.complete(entry.closeToken, 0);
    }
  }

  // ------------------------------------------------------------ handles

  /** True while another socket can have a handle. */
  get hasRoom(): boolean {
    // Numbers are not given out again at once, so some lie idle.
    return this.handles.open + HANDLES_IDLE < this.memory.handleCapacity;
  }

  /**
   * Gives a socket its handle, and associates it with the port under that.
   * @throws WinsockError; the socket stays the caller's
   */
  adopt(
    socket: Socket,
    family: Family,
    kind: Entry['kind'],
    owner: ((handle: number) => SocketOwner) | undefined = undefined,
  ): Entry {
    if (!this.hasRoom) throw new WinsockError('handle', c.WSAEMFILE);
    const entry: { -readonly [name in keyof Entry]: Entry[name] } = {
      handle: 0,
      socket,
      family,
      kind,
      referenced: true,
      closeToken: NO_TOKEN,
      socketClosed: false,
      settled: false,
      skipsPackets: false,
      sendEnded: false,
      failure: 0,
      remote: undefined,
      owner: undefined,
    };
    entry.handle = this.handles.add(entry);
    this.memory.openHandle(entry.handle, family);
    try {
      this.sockets.associate(socket, this.port, IOCP_KEY_HANDLES + entry.handle);
    } catch (error) {
      this.handles.release(entry.handle);
      throw error;
    }
    this.memory.keepSocket(entry.handle, socket);
    entry.owner = owner?.(entry.handle);
    this.referenced++;
    this.onChange();
    return entry;
  }

  /** From now on what the socket's calls complete at once has no packet, where that can be had. */
  skipPackets(entry: Entry): void {
    entry.skipsPackets = this.options.skipPackets && this.sockets.skipPackets(entry);
  }

  /** The handle's last packet was dequeued: the number may be given out again. */
  forget(entry: Entry): void {
    this.handles.release(entry.handle);
    if (entry.referenced) this.referenced--;
    this.onChange();
    entry.onGone?.();
  }

  setReferenced(entry: Entry, referenced: boolean): void {
    if (entry.referenced === referenced) return;
    entry.referenced = referenced;
    this.referenced += referenced ? 1 : -1;
    this.onChange();
  }

  /** Closes the SOCKET; what is pending on it comes back as packets, asked for. */
  closeSocket(entry: Entry, reset: boolean): void {
    const { sockets, memory } = this;
    entry.owner?.closing();
    memory.watch(entry.handle);
    if (reset && entry.kind === 'stream') sockets.resetOnClose(entry.socket);
    if (memory.pendingOf(entry.handle) > 0) {
      // Closing alone does not end pending sends everywhere (layered providers, Wine).
      sockets.win32.CancelIoEx(entry.socket, 0);
    }
    entry.socketClosed = true;
    // Before: its number may be another socket's as soon as it is closed.
    memory.keepSocket(entry.handle, 0);
    sockets.close(entry.socket);
    this.settleClose(entry);
  }

  /** Ends the handle once nothing is pending on it. Several threads may see that. */
  settleClose(entry: Entry): void {
    if (!entry.socketClosed || entry.settled || this.memory.pendingOf(entry.handle) > 0) return;
    if ((entry.owner?.pending ?? 0) > 0) return;
    entry.settled = true;
    this.#closed.push(entry);
    this.onReport();
  }

  /** An operation that was asked back before it reached the system. */
  reportCanceled(token: number): void {
    this.report(token, ERROR_CANCELED, c.WSA_OPERATION_ABORTED);
  }
}

/** `HandleTable` lets released numbers rest. */
const HANDLES_IDLE = 128;
