/** What the parts of one driver share: its rings, its sockets by handle, its reports. */

import { unlinkSync } from 'node:fs';
import { ERROR_CANCELED, NOTHING } from '#generated/layout';
import type { BackendHost, SocketAddress } from '../backend.ts';
import { linuxErrno } from '../errno.ts';
import { HandleTable } from '../stream/handles.ts';
import * as c from './constants.ts';
import { freshCounts } from './counters.ts';
import type { NativeMemory } from './memory.ts';
import type { CheckedOptions } from './options.ts';
import type { Ring } from './ring.ts';
import type { Family, Sockets } from './sockets.ts';
import { Submitter, TAG_NOBODY } from './submitter.ts';
import { LinuxError, type System } from './system.ts';

/** No token: real ones are not negative. */
export const NO_TOKEN = -1;

/** A socket and its handle. */
export interface Entry {
  readonly handle: number;
  readonly fd: number;
  readonly family: Family;
  readonly kind: 'stream' | 'listener' | 'datagram';
  /** Of a Unix socket: where it is bound, or connected to. */
  readonly path: string | undefined;
  /** Keeps the host's process alive. */
  referenced: boolean;
  /** The close under way, or NO_TOKEN. */
  closeToken: number;
  /** It closes: what is pending is asked back. The descriptor is open until that has come. */
  closing: boolean;
  /** It was reset, so that what closes comes to its end. */
  disconnected: boolean;
  /** A shutdown that waits for the sends before it, or NO_TOKEN. */
  shutdownToken: number;
  /** Its send side was ended from here. */
  sendEnded: boolean;
  /** The error that ended the stream: what comes later is no end of it. */
  failure: number;
  remote: SocketAddress | undefined;
  /** The listener's part of a listening socket. */
  readonly owner?: SocketOwner | undefined;
}

/** What else hangs on a socket. */
export interface SocketOwner {
  /** Nothing is accepted on it any more. */
  closing(): void;
}

/** Numbers of a report that waits. */
const FIELDS = 3;
/** `HandleTable` lets released numbers rest. */
const HANDLES_IDLE = 128;

export class Context {
  readonly host: BackendHost;
  readonly system: System;
  readonly options: CheckedOptions;
  readonly memory: NativeMemory;
  readonly ring: Ring;
  readonly sockets: Sockets;
  readonly submitter: Submitter;
  readonly handles = new HandleTable<Entry>();
  readonly counts = freshCounts();
  /** Open handles that keep the process alive. */
  referenced = 0;
  /** Connects, listens and binds that have no handle yet. */
  opening = 0;
  /** A report waits: see `release`. */
  onReport: () => void = () => {};
  /** What is open, or referenced, has changed. */
  onChange: () => void = () => {};
  /** Another thread wants this one. */
  onRing: () => void = () => {};
  #reports: number[] = [];
  /** Closed, and not yet reported: their handles are not given out again before. */
  #closed: Entry[] = [];

  constructor(
    host: BackendHost,
    system: System,
    options: CheckedOptions,
    memory: NativeMemory,
    ring: Ring,
    sockets: Sockets,
  ) {
    this.host = host;
    this.system = system;
    this.options = options;
    this.memory = memory;
    this.ring = ring;
    this.sockets = sockets;
    this.submitter = new Submitter(ring, memory, this.counts);
  }

  // ------------------------------------------------------------ reports

  /** A final completion that must not come inline: it goes with the next pass (rule 1). */
  report(token: number, result: number, systemError = 0): void {
    this.#reports.push(token, result, systemError);
    this.onReport();
  }

  /** The same for an error number. */
  reportFailure(token: number, code: number): void {
    this.report(token, linuxErrno.resultOf(code), code);
  }

  /** An operation that was asked back before it reached the system. */
  reportCanceled(token: number): void {
    this.report(token, ERROR_CANCELED, c.ECANCELED);
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
   * Gives a socket its handle.
   * @throws LinuxError EMFILE; the socket stays the caller's
   */
  adopt(
    fd: number,
    family: Family,
    kind: Entry['kind'],
    path: string | undefined = undefined,
    owner: ((entry: Entry) => SocketOwner) | undefined = undefined,
  ): Entry {
    if (!this.hasRoom) throw new LinuxError('handle', c.EMFILE);
    const entry: { -readonly [name in keyof Entry]: Entry[name] } = {
      handle: 0,
      fd,
      family,
      kind,
      path,
      referenced: true,
      closeToken: NO_TOKEN,
      closing: false,
      disconnected: false,
      shutdownToken: NO_TOKEN,
      sendEnded: false,
      failure: 0,
      remote: undefined,
      owner: undefined,
    };
    entry.handle = this.handles.add(entry);
    this.memory.openHandle(entry.handle, fd, family === 6);
    entry.owner = owner?.(entry);
    this.referenced++;
    this.onChange();
    return entry;
  }

  /** The handle's last completion has come: the number may be given out again. */
  forget(entry: Entry): void {
    this.handles.release(entry.handle);
    if (entry.referenced) this.referenced--;
    this.onChange();
  }

  setReferenced(entry: Entry, referenced: boolean): void {
    if (entry.referenced === referenced) return;
    entry.referenced = referenced;
    this.referenced += referenced ? 1 : -1;
    this.onChange();
  }

  /**
   * Asks back what is pending; the descriptor is closed once that has come, so
   * that no operation can meet a successor of the same number.
   */
  closeHandle(entry: Entry, reset: boolean): void {
    if (entry.closing) return;
    entry.closing = true;
    entry.owner?.closing();
    this.memory.closeHandle(entry.handle);
    if (reset && entry.kind === 'stream') this.sockets.resetOnClose(entry.fd);
    if (entry.shutdownToken !== NO_TOKEN) {
      this.reportCanceled(entry.shutdownToken);
      entry.shutdownToken = NO_TOKEN;
    }
    if (this.memory.pendingOf(entry.handle) > 0) this.#cancelAll(entry);
    this.settleClose(entry);
  }

  #cancelAll(entry: Entry): void {
    this.counts.cancels++;
    const isPut = this.submitter.put({
      opcode: c.IORING_OP_ASYNC_CANCEL,
      fd: entry.fd,
      tag: TAG_NOBODY,
      flags: c.IORING_ASYNC_CANCEL_FD | c.IORING_ASYNC_CANCEL_ALL,
    });
    if (!isPut) this.submitter.wait(() => this.#cancelAll(entry));
  }

  /** Asks one operation back; it completes either way. */
  cancelOperation(token: number, targetTag: number): void {
    this.counts.cancels++;
    const isPut = this.submitter.put({
      opcode: c.IORING_OP_ASYNC_CANCEL,
      fd: -1,
      tag: TAG_NOBODY,
      address: token,
      targetTag,
    });
    if (!isPut) this.submitter.wait(() => this.cancelOperation(token, targetTag));
  }

  /** Ends the send side, once what was sent before is with the system. */
  shutDown(entry: Entry, token: number): void {
    if (this.memory.sendsOf(entry.handle) > 0) {
      entry.shutdownToken = token;
      this.memory.watch(entry.handle);
      return;
    }
    entry.shutdownToken = NO_TOKEN;
    entry.sendEnded = true;
    const { libc } = this.system;
    if (libc.shutdown(entry.fd, c.SHUT_WR) === 0) this.report(token, 0);
    else this.reportFailure(token, libc.errno());
  }

  /**
   * What is sent without a copy cannot be asked back: it ends as the peer has it
   * all, or with the connection, which is therefore reset.
   */
  #disconnect(entry: Entry): void {
    if (this.options.zeroCopyBytes === 0 || entry.kind !== 'stream' || entry.disconnected) return;
    const { handle, fd } = entry;
    // Others are asked back first, or they would end as if the peer had reset it.
    if (this.memory.pendingOf(handle) > this.memory.sendsOf(handle)) return;
    entry.disconnected = true;
    this.sockets.disconnect(fd);
  }

  /** Ends the handle once nothing is pending on it. */
  settleClose(entry: Entry): void {
    if (!entry.closing) return;
    if (this.memory.pendingOf(entry.handle) > 0) {
      this.#disconnect(entry);
      return;
    }
    this.sockets.close(entry.fd);
    this.memory.forgetHandle(entry.handle);
    if (entry.kind === 'listener' && entry.path !== undefined) removeFile(entry.path);
    this.#closed.push(entry);
    this.onReport();
  }
}

/** The file of a Unix socket of ours; one in the system's own name space has none. */
export function removeFile(path: string): void {
  if (path.startsWith('\0')) return;
  try {
    unlinkSync(path);
  } catch {
    // Somebody else has removed it.
  }
}
