/**
 * Loops over the core's own functions, compiled with them for the benchmarks
 * only: they call as a turn calls, without the boundary to the host between
 * two calls. Nothing of them is part of the core that ships.
 */
import { encode, encodedBytes } from '../../../assembly/frame/encode';
import { NOTHING } from '../../../assembly/layout';
import { lockAcquire, lockRelease } from '../../../assembly/lock';
import { poolAcquire, poolCheck, poolRelease, poolToken } from '../../../assembly/pool';
import { queuePop, queuePopWait, queuePush } from '../../../assembly/queue';
import {
  storeGetNext,

  storeProcessAndGetNext,

} from '../../../assembly/reorder';
import { sequenceTake } from '../../../assembly/sequence';

/** Encodes `count` messages that lie `stride` bytes apart; returns the end of the last frame, 0 if one is refused. */
export function runEncode(
  framing: usize,
  messages: usize,
  stride: u32,
  length: u32,
  count: u32,
  out: usize,
): usize {
  let at = out;
  for (let index: u32 = 0; index < count; index++) {
    const message = messages + <usize>index * stride;
    if (encodedBytes(framing, message, length) < 0) return 0;
    at += encode(framing, message, length, at);
  }
  return at;
}

/**
 * Hands in `base + numbers[i]` with the value i, for each i; writes the values to
 * `out` as their turn comes. Returns how many.
 */
export function runStore(store: usize, numbers: usize, count: u32, base: u32, out: usize): u32 {
  let at = out;
  for (let index: u32 = 0; index < count; index++) {
    const sequence = base + load<u32>(numbers + (<usize>index << 2));
    let value = storeGetNext(store, sequence, index);
    while (value >= 0) {
      store_(at, value);
      at += 4;
      value = storeProcessAndGetNext(store);
    }
  }
  return u32(at - out) >> 2;
}

// @ts-ignore: decorator
@inline
function store_(at: usize, value: i32): void {
  store<i32>(at, value);
}

/** `count` times: takes the lock, a number, and gives the lock back. Returns the sum of the numbers. */
export function runLock(lock: usize, sequencer: usize, count: u32): u32 {
  let sum: u32 = 0;
  for (let index: u32 = 0; index < count; index++) {
    lockAcquire(lock);
    sum += sequenceTake(sequencer);
    lockRelease(lock);
  }
  return sum;
}

/**
 * `count` times what one operation costs in order: a number under the lock of
 * its connection, the store's `getNext` and `processAndGetNext`, and the lock's
 * release. Returns the sum of what was processed.
 */
export function runOperation(
  lock: usize,
  sequencer: usize,
  store: usize,
  count: u32,
): u32 {
  let sum: u32 = 0;
  for (let index: u32 = 0; index < count; index++) {
    lockAcquire(lock);
    const sequence = sequenceTake(sequencer);
    let value = storeGetNext(store, sequence, sequence & 0xffff);
    while (value >= 0) {
      sum += value;
      value = storeProcessAndGetNext(store);
    }
    lockRelease(lock);
  }
  return sum;
}

/** Takes `count` slots with their tokens into `tokens`, checks each token and gives its slot back. */
export function runPool(pool: usize, tokens: usize, count: u32): u32 {
  for (let index: u32 = 0; index < count; index++) {
    const slot = poolAcquire(pool);
    if (slot < 0) return 0;
    store<f64>(tokens + (<usize>index << 3), poolToken(pool, slot));
  }
  let done: u32 = 0;
  for (let index: u32 = 0; index < count; index++) {
    const slot = poolCheck(pool, load<f64>(tokens + (<usize>index << 3)));
    if (slot >= 0 && poolRelease(pool, slot) == 0) done++;
  }
  return done;
}

/** Pushes `count` completions and takes them out again; returns the sum of their results. */
export function runQueue(queue: usize, scratch: usize, first: u32, count: u32): u32 {
  for (let index: u32 = 0; index < count; index++) {
    const value = first + index;
    if (queuePush(queue, <f64>value, <i32>value, 0, NOTHING, 0) < 0) return 0;
  }
  let sum: u32 = 0;
  while (queuePop(queue, scratch) == 1) sum = sum * 31 + <u32>load<i32>(scratch, 16);
  return sum;
}

/** Pushes the numbers from `first` on until the queue is full; returns how many it took. */
export function runPush(queue: usize, first: u32, count: u32): u32 {
  for (let index: u32 = 0; index < count; index++) {
    const value = first + index;
    if (queuePush(queue, <f64>value, <i32>value, 0, NOTHING, 0) < 0) return index;
  }
  return count;
}

/** Takes `count` completions, asleep where there is none; adds their results to the u32 at `sum`. Returns how many it got. */
export function runPop(queue: usize, scratch: usize, count: u32, sum: usize): u32 {
  for (let index: u32 = 0; index < count; index++) {
    if (queuePopWait(queue, scratch, 50) != 1) return index;
    store<u32>(sum, load<u32>(sum) + <u32>load<i32>(scratch, 16));
  }
  return count;
}

