/**
 * A mutex in one i32, after "mutex2" of Drepper's "Futexes Are Tricky": free,
 * held, or held with sleepers. An uncontended acquire and release are one
 * atomic instruction each; a release makes a wake call only if somebody may
 * sleep. Not recursive, not fair.
 */
import {
  atomicCompareExchange,
  atomicExchange,
  atomicLoad,
  FUTEX_TIMED_OUT,
  futexNotify,
  futexWait,
} from './atomic';
import { invariant } from './debug';
import {
  ERROR_TIMED_OUT,
  LOCK_CONTENDED,
  LOCK_FREE,
  LOCK_HELD,
  LOCK_STRIDE,
  NOTHING,
} from './layout';

/** Looks at a held lock before sleeping: about the length of a short critical section. */
const LOCK_SPINS: i32 = 40;

export function lockTryAcquire(ptr: usize): bool {
  return atomicCompareExchange<i32>(ptr, LOCK_FREE, LOCK_HELD) == LOCK_FREE;
}

/** Without threads nobody could release a held lock: acquiring it is a bug. */
export function lockAcquire(ptr: usize): void {
  if (lockTryAcquire(ptr)) return;
  if (ASC_FEATURE_THREADS) {
    if (spin(ptr)) return;
    while (atomicExchange<i32>(ptr, LOCK_CONTENDED) != LOCK_FREE) {
      futexWait(ptr, LOCK_CONTENDED, -1);
    }
  } else {
    invariant(false);
  }
}

export function lockRelease(ptr: usize): void {
  const old = atomicExchange<i32>(ptr, LOCK_FREE);
  invariant(old != LOCK_FREE);
  if (ASC_FEATURE_THREADS) {
    if (old == LOCK_CONTENDED) futexNotify(ptr, 1);
  }
}

/**
 * One attempt with at most one sleep: 1 if acquired, ERROR_TIMED_OUT, or
 * NOTHING if woken and somebody else was quicker. The core has no clock: a
 * caller with a deadline calls again with the time that is left.
 */
export function lockAcquireStep(ptr: usize, timeoutMs: f64): i32 {
  if (lockTryAcquire(ptr)) return 1;
  if (ASC_FEATURE_THREADS) {
    if (timeoutMs == 0) return ERROR_TIMED_OUT;
    if (spin(ptr)) return 1;
    // Once this thread has marked the word, it must go on marking it: other
    // sleepers may depend on the mark.
    if (atomicExchange<i32>(ptr, LOCK_CONTENDED) == LOCK_FREE) return 1;
    const woken = futexWait(ptr, LOCK_CONTENDED, timeoutMs);
    // A wake that is not passed on would be lost, so the lock is tried once
    // more in every case, and as "contended".
    if (atomicExchange<i32>(ptr, LOCK_CONTENDED) == LOCK_FREE) return 1;
    return woken == FUTEX_TIMED_OUT ? ERROR_TIMED_OUT : NOTHING;
  }
  return ERROR_TIMED_OUT;
}

/** Address of the lock that guards `slot` among `count` locks that start at `base`. */
export function stripeOf(base: usize, count: u32, slot: u32): usize {
  invariant(count > 0);
  return base + (slot % count) * LOCK_STRIDE;
}

function spin(ptr: usize): bool {
  for (let i = 0; i < LOCK_SPINS; i++) {
    if (atomicLoad<i32>(ptr) == LOCK_FREE && lockTryAcquire(ptr)) return true;
  }
  return false;
}
