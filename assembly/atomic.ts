/**
 * The only door to atomics. With `--enable threads` each function is the
 * instruction of the same name (sequentially consistent); without it (the
 * unshared build, one thread) each is the plain operation at the plain price.
 */
import { ERROR_NOT_SUPPORTED } from './layout';

// @ts-ignore: decorator
@inline
export function atomicLoad<T>(ptr: usize): T {
  if (ASC_FEATURE_THREADS) return atomic.load<T>(ptr);
  return load<T>(ptr);
}

// @ts-ignore: decorator
@inline
export function atomicStore<T>(ptr: usize, value: T): void {
  if (ASC_FEATURE_THREADS) atomic.store<T>(ptr, value);
  else store<T>(ptr, value);
}

/** Returns the value before the addition. */
// @ts-ignore: decorator
@inline
export function atomicAdd<T>(ptr: usize, value: T): T {
  if (ASC_FEATURE_THREADS) return atomic.add<T>(ptr, value);
  const old = load<T>(ptr);
  store<T>(ptr, (old + value) as T);
  return old;
}

/** Returns the value before the subtraction. */
// @ts-ignore: decorator
@inline
export function atomicSub<T>(ptr: usize, value: T): T {
  if (ASC_FEATURE_THREADS) return atomic.sub<T>(ptr, value);
  const old = load<T>(ptr);
  store<T>(ptr, (old - value) as T);
  return old;
}

/** Returns the value before the disjunction. */
// @ts-ignore: decorator
@inline
export function atomicOr<T>(ptr: usize, value: T): T {
  if (ASC_FEATURE_THREADS) return atomic.or<T>(ptr, value);
  const old = load<T>(ptr);
  store<T>(ptr, (old | value) as T);
  return old;
}

/** Returns the value before the exchange. */
// @ts-ignore: decorator
@inline
export function atomicExchange<T>(ptr: usize, value: T): T {
  if (ASC_FEATURE_THREADS) return atomic.xchg<T>(ptr, value);
  const old = load<T>(ptr);
  store<T>(ptr, value);
  return old;
}

/** Returns the value found: `expected` if `replacement` was stored. */
// @ts-ignore: decorator
@inline
export function atomicCompareExchange<T>(ptr: usize, expected: T, replacement: T): T {
  if (ASC_FEATURE_THREADS) return atomic.cmpxchg<T>(ptr, expected, replacement);
  const old = load<T>(ptr);
  if (old == expected) store<T>(ptr, replacement);
  return old;
}

// What futexWait returns.
export const FUTEX_WOKEN: i32 = 0;
export const FUTEX_CHANGED: i32 = 1;
export const FUTEX_TIMED_OUT: i32 = 2;

/** Longest sleep in milliseconds that is counted; longer ones last for ever. */
const FOREVER_MS: f64 = 9.0e12;

/**
 * Sleeps while the i32 at `ptr` holds `expected`, for `timeoutMs` at the most:
 * negative, NaN, infinite or above 9e12 is for ever. FUTEX_WOKEN,
 * FUTEX_CHANGED or FUTEX_TIMED_OUT; without threads ERROR_NOT_SUPPORTED at
 * once. A host thread that may not block (a browser's main thread) traps, so
 * no timeout of 0 reaches the instruction.
 */
export function futexWait(ptr: usize, expected: i32, timeoutMs: f64): i32 {
  if (ASC_FEATURE_THREADS) {
    if (timeoutMs == 0) {
      return atomic.load<i32>(ptr) == expected ? FUTEX_TIMED_OUT : FUTEX_CHANGED;
    }
    const finite = timeoutMs > 0 && timeoutMs < FOREVER_MS;
    return atomic.wait<i32>(ptr, expected, finite ? i64(timeoutMs * 1.0e6) : -1);
  }
  return ERROR_NOT_SUPPORTED;
}

/** Wakes up to `count` sleepers (-1: all) and returns how many; 0 without threads. */
export function futexNotify(ptr: usize, count: i32): i32 {
  if (ASC_FEATURE_THREADS) return atomic.notify(ptr, count);
  return 0;
}
