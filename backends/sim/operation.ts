/** What the sockets of a driver share: operations, and how they end. */
import type { NetworkAddress } from './addresses.ts';
import type { Chunk } from './byte-queue.ts';
import { Scheduled } from './scheduler.ts';

/** A place in virtual time after which something may be reported. */
export interface Moment {
  timeMs: number;
  order: number;
}

/** Called with the socket of `target`, or without one where there is no `socketKind`. */
export type Perform = (operation: Operation, socket: Socket | undefined) => void;

const unperformed: Perform = () => {};

/** What is lent with an operation, and how that is checked. */
export type Lent = 'nothing' | 'summed' | 'filled';

/**
 * One submitted operation, from submission to its final completion; that is
 * scheduled as the operation itself. Its own moment is that of its last report.
 * One that is over serves again for another token: whoever keeps one beyond its
 * end has to compare tokens.
 */
export class Operation extends Scheduled {
  token = 0;
  kind = '';
  offset = 0;
  length = 0;
  /** The handle that it is for, with `socketKind`; else 0. */
  target = 0;
  /** Of what kind its handle must be; undefined for an operation without one. */
  socketKind: Socket['kind'] | undefined = undefined;
  /** What the next flush does with it. */
  perform: Perform = unperformed;
  lent: Lent = 'nothing';
  /** The sum of the range, or the byte that fills it. */
  lentMark = 0;
  /** Bytes of a send that were accepted. */
  done = 0;
  /** The outcome stands; a cancel comes too late. */
  isDecided = false;
  /** Calls the operation off where it stands; undefined until it was performed. */
  cancel: ((operation: Operation) => void) | undefined = undefined;
  /** The socket it belongs to, if any: its close is reported after it. */
  socket: Socket | undefined = undefined;
  /** Of its final completion. */
  result = 0;
  /** Bytes to be written to the lent range: `bytesCount` of `bytes` from `bytesStart` on. */
  bytes: Chunk | undefined = undefined;
  bytesStart = 0;
  bytesCount = 0;
  /** An Address record to be written before the bytes. */
  from: NetworkAddress | undefined = undefined;

  constructor() {
    super(0, 0, 'network', undefined);
  }

  /** As new, for another token. */
  begin(
    kind: string,
    token: number,
    target: number,
    socketKind: Socket['kind'] | undefined,
    offset: number,
    length: number,
    perform: Perform,
  ): void {
    this.timeMs = 0;
    this.order = 0;
    this.kind = kind;
    this.token = token;
    this.target = target;
    this.socketKind = socketKind;
    this.offset = offset;
    this.length = length;
    this.perform = perform;
    this.lent = 'nothing';
    this.done = 0;
    this.isDecided = false;
  }

  /** It is over, and holds nothing of what it was. */
  rest(): void {
    this.cancel = undefined;
    this.socket = undefined;
    this.bytes = undefined;
    this.from = undefined;
  }
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
  finish(operation: Operation, result: number): void;
  /** As `finish`, with bytes for the lent range: `count` of `bytes` from `start` on. */
  fill(operation: Operation, result: number, bytes: Chunk, start: number, count: number): void;
  /** The operation goes on; what it brought is reported as by `finish`. */
  goOn(operation: Operation, result: number): void;
  /** Reports at once that a buffer was filled: only from an event of the network. */
  reportBuffer(operation: Operation, result: number, buffer: number): void;
}
