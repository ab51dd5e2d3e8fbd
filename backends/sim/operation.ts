/** What the sockets of a driver share: operations, and how they end. */
import type { NetworkAddress } from './addresses.ts';
import type { LentRange } from './lent.ts';

/** A place in virtual time after which something may be reported. */
export interface Moment {
  timeMs: number;
  order: number;
}

/** Called with the socket of `target`, or without one where there is no `socketKind`. */
export type Perform = (operation: Operation, socket: Socket | undefined) => void;

/** One submitted operation, from submission to its final completion. */
export interface Operation extends Moment {
  readonly token: number;
  readonly kind: string;
  readonly offset: number;
  readonly length: number;
  /** The handle that it is for, with `socketKind`; else 0. */
  readonly target: number;
  /** Of what kind its handle must be; undefined for an operation without one. */
  readonly socketKind: Socket['kind'] | undefined;
  /** What the next flush does with it. */
  readonly perform: Perform;
  readonly lent: LentRange | undefined;
  /** Bytes of a send that were accepted. */
  done: number;
  /** The outcome stands; a cancel comes too late. */
  isDecided: boolean;
  /** Calls the operation off where it stands; undefined until it was performed. */
  cancel: ((operation: Operation) => void) | undefined;
  /** The socket it belongs to, if any: its close is reported after it. */
  socket: Socket | undefined;
}

/** How an operation ends, or goes on. */
export interface Outcome {
  readonly result: number;
  readonly flags?: number;
  readonly buffer?: number;
  /** Bytes to be written to the lent range. */
  readonly bytes?: Uint8Array;
  /** An Address record to be written before the bytes. */
  readonly from?: NetworkAddress;
}

/** Something with a handle. */
export interface Socket extends Moment {
  readonly handle: number;
  readonly kind: 'listener' | 'stream' | 'datagram';
  isReferenced: boolean;
  /** `close` was submitted: nothing further may be. */
  isClosing: boolean;
  readonly local: NetworkAddress;
  readonly remote: NetworkAddress | undefined;
  /** Cancels what is pending and gives up the network's part. */
  close(reset: boolean): void;
}

/** What sockets need of their driver. */
export interface Reporter {
  /** Decides an operation; the completion is reported by the pump, perhaps later. */
  finish(operation: Operation, outcome: Outcome): void;
  /** Reports at once: only from an event of the network. */
  reportNow(operation: Operation, outcome: Outcome): void;
}
