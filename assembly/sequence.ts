/** Numbers of operations (R1): one counter for each kind on each connection; wraps at 2^32. */
import { atomicAdd, atomicLoad, atomicStore } from './atomic';

/**
 * Takes the next number. The step is atomic, but the order of *submissions*
 * is only that of the numbers while a lock is held around both (R2).
 */
export function sequenceTake(ptr: usize): u32 {
  return atomicAdd<u32>(ptr, 1);
}

/** The number that the next `sequenceTake` returns. */
export function sequencePeek(ptr: usize): u32 {
  return atomicLoad<u32>(ptr);
}

export function sequenceReset(ptr: usize, next: u32): void {
  atomicStore<u32>(ptr, next);
}
