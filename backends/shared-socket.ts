/**
 * One socket that several threads call, with no lock of its own: what the
 * experiments need (R16, R17), and what no port ever does. A backend may offer
 * it beside its driver, in a file of this name.
 */
import type { Core } from '../src/core/core.ts';

/** How to make a socket that threads share. It is on loopback. */
export interface SharedSocketOptions {
  /** UDP instead of TCP. */
  readonly datagrams: boolean;
  /** Port of the TCP server to connect to; 0 where the backend makes both ends. */
  readonly port: number;
  /** Most receives that are pending at once, in all threads, and packets posted. */
  readonly slots: number;
  /**
   * A receive returns at once and is filled later, receives in the order of
   * their calls; several may be pending. Else it may wait in its call.
   */
  readonly overlapped: boolean;
  /** Receives of a stream complete when their range is full (MSG_WAITALL). */
  readonly waitAll: boolean;
  /** Where the system can be told: bytes of a send that it takes before it says that there is no room. */
  readonly sendBufferBytes?: number;
}

/** A receive that has completed, or a packet that was posted. */
export interface Received {
  /** As it was given to `receive`, or to `post`. */
  readonly slot: number;
  readonly isPosted: boolean;
  /** Bytes; 0 is the end of the stream; -1: nothing came within the time, or it was cancelled. */
  readonly bytes: number;
}

/** One end of a socket, in one thread. Every call may fail with an Error in words. */
export interface SharedSocket {
  /**
   * The call of the experiments: receives into `[address, address + sizeBytes)`
   * of the core's memory, lent until `dequeue` returns the slot. Whether two
   * threads are in it at once is the caller's business.
   */
  receive(slot: number, address: number, sizeBytes: number): void;
  /** Any thread's completed receive or posted packet; waits `timeoutMs` for one. */
  dequeue(timeoutMs: number): Received | undefined;
  /**
   * Sends bytes of the core's memory and returns how many were taken, perhaps
   * fewer, 0 where there is no room. Not made safe against other threads' either.
   */
  send(address: number, sizeBytes: number): number;
  /** Posts a packet of the caller's own: one thread's `dequeue` returns it (R7). */
  post(packet: number): void;
  /** Nothing more is sent: the other end hears the end. */
  finish(): void;
}

/** A socket that was made, as its maker holds it. */
export interface OpenedSocket {
  /** For `attach` in other threads: can be posted to them. */
  readonly handle: unknown;
  /** Its own UDP port; 0 else. */
  readonly port: number;
  /** Closes it once no thread calls it any more; resolves when nothing is lent any more. */
  close(): Promise<void>;
}

/** What a backend offers. */
export interface SharedSockets {
  /** The calls, in words for a person. */
  readonly calls: string;
  /** Both ends are of the backend's making, and `attach` gives either. */
  readonly bothEnds: boolean;
  /** @param core on shared memory */
  open(core: Core, options: SharedSocketOptions): Promise<OpenedSocket>;
  /** In a thread that has a core on the same memory. `peer`: the other end. */
  attach(core: Core, handle: unknown, peer: boolean): SharedSocket;
}
