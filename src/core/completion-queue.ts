/** The bounded completion queue as an object: a completion port between threads. */
import {
  COMPLETION_BYTES,
  Completion as cell,
  ERROR_CLOSED,
  ERROR_NO_BUFFERS,
  CompletionQueue as layout,
  NOTHING,
  QUEUE_BYTES,
} from '#generated/layout';
import { OverlappedError } from '../errors.ts';
import type { Core } from './core.ts';
import { mayBlock, requirePowerOfTwo } from './memory.ts';

/** What is put into a `CompletionQueue` and comes out of it. */
export interface CompletionRecord {
  /** The caller's own number for the operation: any double. */
  readonly token: number;
  /** Bytes or a handle, or a negative error (i32). */
  readonly result: number;
  /** Bits, u32. */
  readonly flags: number;
  /** Slot of a buffer (i32), or -100 for none. */
  readonly buffer: number;
  /** The system's own error number (i32), 0 if none. */
  readonly systemError: number;
}

/** How to make a `CompletionQueue`. */
export interface CompletionQueueOptions {
  /** Most completions queued: a power of two, 2 to 2^26. */
  readonly capacity: number;
}

/**
 * A bounded queue for any number of producers and consumers on one shared
 * memory. Pushing never blocks; consumers may sleep until something comes.
 * Each completion is taken once; those of one producer are taken in the order
 * of its pushes.
 */
export class CompletionQueue {
  readonly address: number;
  readonly #core: Core;
  /** Where the core copies a completion to; each window on the queue has its own. */
  readonly #out: number;

  private constructor(core: Core, address: number) {
    this.#core = core;
    this.address = address;
    this.#out = core.reserve(COMPLETION_BYTES);
  }

  /** @throws OverlappedError `INVALID_OPTION`; `NO_BUFFERS` when the memory is used up. */
  static create(core: Core, { capacity }: CompletionQueueOptions): CompletionQueue {
    const capacityLog2 = requirePowerOfTwo('capacity', capacity, 2, 2 ** 26);
    const address = core.reserve(QUEUE_BYTES);
    core.exports.queueInit(address, core.reserve(capacity * COMPLETION_BYTES), capacityLog2);
    return new CompletionQueue(core, address);
  }

  /**
   * A queue that another thread created, at its `address`. Takes 64 bytes of
   * the memory for good: attach once a thread.
   */
  static attach(core: Core, address: number): CompletionQueue {
    return new CompletionQueue(core, address);
  }

  /**
   * Queues a completion and wakes a consumer; false if the queue is full.
   *
   * @throws OverlappedError `CLOSED` after `close`.
   */
  push(completion: Pick<CompletionRecord, 'token'> & Partial<CompletionRecord>): boolean {
    const { token, result = 0, flags = 0, buffer = NOTHING, systemError = 0 } = completion;
    const { exports } = this.#core;
    const pushed = exports.queuePush(this.address, token, result, flags, buffer, systemError);
    if (pushed === 0) return true;
    if (pushed === ERROR_NO_BUFFERS) return false;
    throw OverlappedError.fromResult(pushed, 'push');
  }

  /** The oldest completion, or undefined if there is none. Never blocks. */
  pop(): CompletionRecord | undefined {
    const result = this.#core.exports.queuePop(this.address, this.#out);
    return result === 1 ? this.#read() : undefined;
  }

  /**
   * The oldest completion; sleeps up to `timeoutMs` for one (default: for
   * ever). undefined: the time ran out, or somebody called `wake`. On unshared
   * memory it never sleeps.
   *
   * @throws OverlappedError `CLOSED` if the queue is closed and empty;
   *   `NOT_SUPPORTED` if this thread would have to sleep and may not (a
   *   browser's main thread).
   */
  popWait(timeoutMs: number = Infinity): CompletionRecord | undefined {
    const { exports, shared } = this.#core;
    const deadline = performance.now() + timeoutMs;
    let leftMs = shared && mayBlock() ? timeoutMs : 0;
    for (;;) {
      const result = exports.queuePopStep(this.address, this.#out, Math.max(leftMs, 0));
      if (result === 1) return this.#read();
      if (result === ERROR_CLOSED) throw OverlappedError.fromResult(result, 'popWait');
      if (shared && timeoutMs > 0 && !mayBlock()) {
        throw new OverlappedError('NOT_SUPPORTED', 'this thread may not sleep: use pop');
      }
      // NOTHING: another consumer was quicker, so there is time left to wait.
      if (result !== NOTHING) return undefined;
      leftMs = deadline - performance.now();
    }
  }

  /** No more pushes; what is queued can still be popped. Wakes every consumer. */
  close(): void {
    this.#core.exports.queueClose(this.address);
  }

  /** Makes one `popWait`, the one that sleeps or else the next, return undefined. */
  wake(): void {
    this.#core.exports.queueWake(this.address);
  }

  /** Completions queued; a momentary value while others push and pop. */
  get length(): number {
    return this.#core.exports.queueLength(this.address) >>> 0;
  }

  get capacity(): number {
    return Atomics.load(this.#core.u32, (this.address + layout.mask) >>> 2) + 1;
  }

  get closed(): boolean {
    return Atomics.load(this.#core.u32, (this.address + layout.closed) >>> 2) !== 0;
  }

  #read(): CompletionRecord {
    const { i32, u32, f64 } = this.#core;
    const out = this.#out;
    return {
      token: f64[(out + cell.token) >>> 3] as number,
      result: i32[(out + cell.result) >>> 2] as number,
      flags: u32[(out + cell.flags) >>> 2] as number,
      buffer: i32[(out + cell.buffer) >>> 2] as number,
      systemError: i32[(out + cell.systemError) >>> 2] as number,
    };
  }
}
