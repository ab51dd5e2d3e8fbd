/**
 * The in-order store (R3, R4): operations complete in any order, on any
 * thread, and are processed in the order of their numbers, by one thread at a
 * time. A thread whose number is not the next leaves its value here and goes
 * on; the thread that processes takes the successor out when it is done.
 *
 * The window holds the numbers from `next` to `next + mask`, each at the
 * place `sequence & mask`. All comparisons are differences modulo 2^32, so
 * wrap-around needs no case of its own.
 */
import { invariant } from './debug';
import {
  ERROR_DUPLICATE_SEQUENCE,
  ERROR_INVALID_OPTION,
  ERROR_OUT_OF_WINDOW,
  InOrderStore,
  LOCK_FREE,
  NOTHING,
} from './layout';
import { lockAcquire, lockRelease } from './lock';

/** `values`: address of `2 ** windowLog2` values of 4 bytes. `windowLog2` is 0 to 30. */
export function storeInit(store: usize, values: usize, windowLog2: u32, next: u32): void {
  invariant(windowLog2 <= 30);
  const record = changetype<InOrderStore>(store);
  record.lock = LOCK_FREE;
  record.next = next;
  record.mask = ((<u32>1) << windowLog2) - 1;
  record.processing = 0;
  record.stored = 0;
  record.values = values;
  const end = values + ((<usize>4) << windowLog2);
  for (let place = values; place < end; place += 4) {
    storePlace(place, NOTHING);
  }
}

/**
 * The value to process now, or NOTHING if it was stored for later. Errors:
 * ERROR_DUPLICATE_SEQUENCE (stored, being processed, or processed already),
 * ERROR_OUT_OF_WINDOW, ERROR_INVALID_OPTION (a negative value).
 *
 * The successor of a processed number is handed out in the same step that
 * advances, so a stored value never waits for a call of this function.
 */
// @ts-ignore: decorator
@inline
export function storeGetNext(store: usize, sequence: u32, value: i32): i32 {
  if (value < 0) return ERROR_INVALID_OPTION;
  const record = changetype<InOrderStore>(store);
  const distance = sequence - record.next;
  if (distance == 0) {
    if (record.processing) return ERROR_DUPLICATE_SEQUENCE;
    invariant(load<i32>(placeOf(record, sequence)) == NOTHING);
    record.processing = 1;
    return value;
  }
  if (<i32>distance < 0) return ERROR_DUPLICATE_SEQUENCE;
  if (distance > record.mask) return ERROR_OUT_OF_WINDOW;
  const place = placeOf(record, sequence);
  if (load<i32>(place) != NOTHING) return ERROR_DUPLICATE_SEQUENCE;
  storePlace(place, value);
  record.stored += 1;
  return NOTHING;
}

/**
 * The number `next` is processed: advances, and returns the value to process
 * now or NOTHING. ERROR_INVALID_OPTION, and no advance, if none is being
 * processed.
 */
// @ts-ignore: decorator
@inline
export function storeProcessAndGetNext(store: usize): i32 {
  const record = changetype<InOrderStore>(store);
  if (!record.processing) return ERROR_INVALID_OPTION;
  const next = record.next + 1;
  record.next = next;
  const place = placeOf(record, next);
  const value = load<i32>(place);
  if (value == NOTHING) {
    record.processing = 0;
    return NOTHING;
  }
  storePlace(place, NOTHING);
  record.stored -= 1;
  return value;
}

export function storeGetNextLocked(store: usize, sequence: u32, value: i32): i32 {
  storeLock(store);
  const result = storeGetNext(store, sequence, value);
  storeUnlock(store);
  return result;
}

export function storeProcessAndGetNextLocked(store: usize): i32 {
  storeLock(store);
  const result = storeProcessAndGetNext(store);
  storeUnlock(store);
  return result;
}

/**
 * For teardown: takes a stored value out, lowest number first, whether its
 * turn has come or not; NOTHING if none is stored.
 */
export function storeDrain(store: usize): i32 {
  const record = changetype<InOrderStore>(store);
  if (record.stored == 0) return NOTHING;
  const mask = record.mask;
  for (let distance: u32 = 1; distance <= mask; distance++) {
    const place = placeOf(record, record.next + distance);
    const value = load<i32>(place);
    if (value != NOTHING) {
      storePlace(place, NOTHING);
      record.stored -= 1;
      return value;
    }
  }
  invariant(false);
  return NOTHING;
}

// Without threads the two cost nothing.

// @ts-ignore: decorator
@inline
function storeLock(store: usize): void {
  if (ASC_FEATURE_THREADS) lockAcquire(store + offsetof<InOrderStore>('lock'));
}

// @ts-ignore: decorator
@inline
function storeUnlock(store: usize): void {
  if (ASC_FEATURE_THREADS) lockRelease(store + offsetof<InOrderStore>('lock'));
}

// @ts-ignore: decorator
@inline
function placeOf(record: InOrderStore, sequence: u32): usize {
  return record.values + ((<usize>(sequence & record.mask)) << 2);
}

// @ts-ignore: decorator
@inline
function storePlace(place: usize, value: i32): void {
  store<i32>(place, value);
}
