/** The two rings of a `CompletionLoop`, read entry by entry without an object for each. */
import * as layout from '#generated/layout';
import type { Core } from './core.ts';

/** `LoopEvents.kind`. */
export const LoopEventKind = {
  message: layout.EVENT_MESSAGE,
  oversize: layout.EVENT_OVERSIZE,
  open: layout.EVENT_OPEN,
  end: layout.EVENT_END,
  drain: layout.EVENT_DRAIN,
  close: layout.EVENT_CLOSE,
  error: layout.EVENT_ERROR,
  datagram: layout.EVENT_DATAGRAM,
  result: layout.EVENT_RESULT,
  datagramError: layout.EVENT_DATAGRAM_ERROR,
} as const;

/** `LoopSubmissions.kind`. */
export const LoopOperation = {
  accept: layout.OPERATION_ACCEPT,
  receive: layout.OPERATION_RECEIVE,
  send: layout.OPERATION_SEND,
  receiveFrom: layout.OPERATION_RECEIVE_FROM,
  sendTo: layout.OPERATION_SEND_TO,
  shutdown: layout.OPERATION_SHUTDOWN,
  cancel: layout.OPERATION_CANCEL,
  close: layout.OPERATION_CLOSE,
} as const;

const EVENT_WORDS = layout.EVENT_BYTES / 4;
const SUBMISSION_WORDS = layout.SUBMISSION_BYTES / 4;

/** Where a loop's records lie: what its cursors read. */
export interface CursorRegions {
  readonly worker: number;
  readonly events: number;
  readonly submissions: number;
  readonly connections: number;
}

/**
 * The events of the last turn, in order. `next` steps to the first and then to
 * each further one; the properties describe the one it stands on, and are
 * meaningless before `next` and after it returned false.
 */
export class LoopEvents {
  readonly #core: Core;
  readonly #regions: CursorRegions;
  #word = 0;
  #end = 0;

  /** @internal */
  constructor(core: Core, regions: CursorRegions) {
    this.#core = core;
    this.#regions = regions;
  }

  /** @internal */
  show(count: number): void {
    this.#word = (this.#regions.events >>> 2) - EVENT_WORDS;
    this.#end = this.#word + (count + 1) * EVENT_WORDS;
  }

  /** Steps to the next event; false when there is none. */
  next(): boolean {
    this.#word += EVENT_WORDS;
    return this.#word < this.#end;
  }

  /** One of `LoopEventKind`. */
  get kind(): number {
    return this.#core.u32[this.#word] as number;
  }

  /** Slot of the connection's record: an index below `maxConnections`, used again after `close`. */
  get slot(): number {
    return this.#core.i32[this.#word + 1] as number;
  }

  /** Token of the connection: names this one and no later one in the same slot. */
  get connection(): number {
    const record = this.#core.exports.poolAddress(this.#regions.connections, this.slot);
    return this.#core.f64[((record >>> 0) + layout.Connection.token) >>> 3] as number;
  }

  /** message, datagram: offset in linear memory of the bytes, borrowed until `finish`. */
  get offset(): number {
    return this.#core.u32[this.#word + 2] as number;
  }

  /** message, datagram: bytes. oversize: bytes of the frame that is skipped, as far as known. */
  get length(): number {
    return this.#core.u32[this.#word + 3] as number;
  }

  /** error, close, result, datagramError: the result, a negative error; 0 where a close was clean. */
  get result(): number {
    return this.#core.i32[this.#word + 2] as number;
  }

  /** error, close, result, datagramError: the system's own error number, 0 if none. */
  get systemError(): number {
    return this.#core.i32[this.#word + 3] as number;
  }

  /** The bytes of a message or datagram: a view that is borrowed until `finish`. Allocates the view. */
  bytes(): Uint8Array {
    const { offset } = this;
    return this.#core.u8.subarray(offset, offset + this.length);
  }
}

/**
 * What a backend is asked to do, in order. `next` steps as in `LoopEvents`; once
 * it has returned false the ring is empty and has room again.
 */
export class LoopSubmissions {
  readonly #core: Core;
  readonly #first: number;
  readonly #count: number;
  #taken = 0;
  #word = 0;

  /** @internal */
  constructor(core: Core, regions: CursorRegions) {
    this.#core = core;
    this.#first = regions.submissions >>> 2;
    this.#count = (regions.worker + layout.Worker.submissionCount) >>> 2;
  }

  /** Steps to the next submission; false, and the ring is empty, when there is none. */
  next(): boolean {
    if (this.#taken === (this.#core.u32[this.#count] as number)) {
      this.#core.u32[this.#count] = 0;
      this.#taken = 0;
      return false;
    }
    this.#word = this.#first + this.#taken++ * SUBMISSION_WORDS;
    return true;
  }

  /** One of `LoopOperation`. */
  get kind(): number {
    return this.#core.u32[this.#word + layout.Submission.kind / 4] as number;
  }

  /** What the operation that opened the connection completed with. */
  get handle(): number {
    return this.#core.i32[this.#word + layout.Submission.handle / 4] as number;
  }

  /** To complete it with. cancel: the token of the operation that is to be cancelled. */
  get token(): number {
    return this.#core.f64[(this.#word >>> 1) + layout.Submission.token / 8] as number;
  }

  /** First byte of the lent range: the backend's alone until the final completion. */
  get offset(): number {
    return this.#core.u32[this.#word + layout.Submission.offset / 4] as number;
  }

  /** Bytes of the lent range. */
  get length(): number {
    return this.#core.u32[this.#word + layout.Submission.length / 4] as number;
  }

  /** close: by reset instead of in order. */
  get isReset(): boolean {
    return this.#core.u32[this.#word + layout.Submission.flags / 4] === layout.CLOSE_RESET;
  }
}
