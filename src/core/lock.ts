/** Locks in linear memory, for threads that share it. */
import { LOCK_FREE, LOCK_STRIDE, NOTHING } from '#generated/layout';
import { OverlappedError } from '../errors.ts';
import type { Core } from './core.ts';
import { mayBlock, requireInteger } from './memory.ts';

/**
 * A mutex between threads (a futex after Drepper's "mutex2"): not recursive,
 * not fair. A thread that waits sleeps, after a few dozen looks; a browser's
 * main thread, which may not sleep, looks on.
 */
export class Lock {
  readonly address: number;
  readonly #core: Core;

  private constructor(core: Core, address: number) {
    this.#core = core;
    this.address = address;
  }

  /** A free lock on a cache line of its own. */
  static create(core: Core): Lock {
    return new Lock(core, core.reserve(LOCK_STRIDE));
  }

  /** A lock that another thread created, at its `address`. */
  static attach(core: Core, address: number): Lock {
    return new Lock(core, address);
  }

  /** Takes the lock if it is free; never waits. */
  tryAcquire(): boolean {
    return this.#core.exports.lockTryAcquire(this.address) !== 0;
  }

  /**
   * Takes the lock, for as long as it needs.
   *
   * @throws OverlappedError `NOT_SUPPORTED` if the lock is held and the memory
   *   is not shared: nobody else is there to release it.
   */
  acquire(): void {
    if (!this.tryAcquire()) this.#wait(Infinity);
  }

  /**
   * Takes the lock within `timeoutMs` milliseconds; false if it could not.
   *
   * @throws OverlappedError `NOT_SUPPORTED`, as `acquire` does.
   */
  acquireWithin(timeoutMs: number): boolean {
    return this.tryAcquire() || (timeoutMs > 0 && this.#wait(timeoutMs));
  }

  /**
   * Gives the lock back and wakes a thread that waits for it.
   *
   * @throws OverlappedError `INVALID_OPTION` if nobody holds it.
   */
  release(): void {
    if (Atomics.load(this.#core.i32, this.address >>> 2) === LOCK_FREE) {
      throw new OverlappedError('INVALID_OPTION', 'the lock is not held');
    }
    this.#core.exports.lockRelease(this.address);
  }

  /** Calls `work` with the lock held, and releases it whatever happens. */
  run<T>(work: () => T): T {
    this.acquire();
    try {
      return work();
    } finally {
      this.release();
    }
  }

  #wait(timeoutMs: number): boolean {
    const { exports, shared } = this.#core;
    if (!shared) {
      throw new OverlappedError(
        'NOT_SUPPORTED',
        'the lock is held, and on unshared memory nobody else can release it',
      );
    }
    if (timeoutMs === Infinity && mayBlock()) {
      exports.lockAcquire(this.address);
      return true;
    }
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return false;
      const result = exports.lockAcquireStep(this.address, mayBlock() ? leftMs : 0);
      if (result === 1) return true;
      if (result !== NOTHING && mayBlock()) return false;
    }
  }
}

/** A fixed set of locks among which slots are spread (R6): 1 lock is one for all. */
export class StripedLock {
  readonly address: number;
  readonly count: number;
  readonly #locks: readonly Lock[];

  private constructor(core: Core, address: number, count: number) {
    this.address = address;
    this.count = count;
    this.#locks = Array.from({ length: count }, (_, slot) =>
      Lock.attach(core, core.exports.stripeOf(address, count, slot) >>> 0),
    );
  }

  /** `count` free locks, each on a cache line of its own; 1 to 65536. */
  static create(core: Core, count: number): StripedLock {
    requireInteger('count', count, 1, 65536);
    return new StripedLock(core, core.reserve(count * LOCK_STRIDE), count);
  }

  /** Locks that another thread created: its `address` and `count`. */
  static attach(core: Core, address: number, count: number): StripedLock {
    return new StripedLock(core, address, requireInteger('count', count, 1, 65536));
  }

  /** The lock that guards `slot`, a non-negative integer. */
  lockFor(slot: number): Lock {
    return this.#locks[slot % this.count] as Lock;
  }
}
