/**
 * The bounded completion queue: many producers, many consumers, after Vyukov.
 * It is the completion port where the kernel has none. A position is claimed
 * by one compare-exchange; the cell's ticket then says whose turn it is:
 * `position` when free for that position, `position + 1` when filled. Tickets
 * are kept minus the cell's index, so zeroed memory is an empty queue and no
 * cell is touched before its first use.
 *
 * Sleeping. A consumer announces itself in `sleepers`, reads `posts`, looks
 * once more and sleeps on `posts`. A producer fills its cell, then reads
 * `sleepers`. One of the two sees the other: either the look finds the cell,
 * or the producer finds a sleeper, adds to `posts` and notifies; a `posts`
 * that changed between the read and the sleep prevents the sleep. With nobody
 * asleep a push makes no system call and leaves `posts` alone.
 *
 * Without threads there are no tickets and no sleep, only the two positions.
 *
 * A wake can reach a consumer that finds nothing yet, because an earlier
 * position is claimed but not filled. So whoever takes a completion while
 * others sleep looks at the next cell and wakes one more if that is filled:
 * the wakes follow the completions.
 */
import {
  atomicAdd,
  atomicCompareExchange,
  atomicExchange,
  atomicLoad,
  atomicOr,
  atomicStore,
  atomicSub,
  FUTEX_TIMED_OUT,
  futexNotify,
  futexWait,
} from './atomic';
import { invariant } from './debug';
import {
  Completion,
  COMPLETION_BYTES,
  CompletionQueue,
  ERROR_CANCELED,
  ERROR_CLOSED,
  ERROR_NO_BUFFERS,
  ERROR_TIMED_OUT,
  NOTHING,
  QUEUE_DEQUEUE,
  QUEUE_ENQUEUE,
} from './layout';

/** In the word at QUEUE_ENQUEUE: no position is given out any more. */
const QUEUE_CLOSED: u64 = 0x100000000;

/**
 * `cells` must be all zero and is not written here. `capacityLog2` is 1 to 26:
 * with a single cell, filled and free for the next round would look alike.
 */
export function queueInit(queue: usize, cells: usize, capacityLog2: u32): void {
  invariant(capacityLog2 >= 1 && capacityLog2 <= 26);
  const record = changetype<CompletionQueue>(queue);
  record.cells = cells;
  record.mask = ((<u32>1) << capacityLog2) - 1;
  record.closed = 0;
  record.sleepers = 0;
  record.posts = 0;
  record.waking = 0;
  store<u64>(queue + QUEUE_ENQUEUE, 0);
  store<u32>(queue + QUEUE_DEQUEUE, 0);
}

/**
 * 0, ERROR_NO_BUFFERS if full, ERROR_CLOSED. Sleeps only where it comes round to a cell that
 * a thread is just taking, which has been held up in between.
 */
export function queuePush(
  queue: usize,
  token: f64,
  result: i32,
  flags: u32,
  buffer: i32,
  systemError: i32,
): i32 {
  return queuePut(queue, token, result, flags, buffer, systemError, 0);
}

export function queuePut(
  queue: usize,
  token: f64,
  result: i32,
  flags: u32,
  buffer: i32,
  systemError: i32,
  connection: i32,
): i32 {
  const record = changetype<CompletionQueue>(queue);
  const mask = record.mask;
  if (!ASC_FEATURE_THREADS) {
    const end = load<u64>(queue + QUEUE_ENQUEUE);
    if (end >= QUEUE_CLOSED) return ERROR_CLOSED;
    const position = <u32>end;
    if (position - load<u32>(queue + QUEUE_DEQUEUE) > mask) return ERROR_NO_BUFFERS;
    const cell = record.cells + <usize>(position & mask) * COMPLETION_BYTES;
    fill(cell, token, result, flags, buffer, systemError, connection);
    store<u64>(queue + QUEUE_ENQUEUE, <u64>(position + 1));
    return 0;
  }
  let enqueue = atomicLoad<u64>(queue + QUEUE_ENQUEUE);
  while (true) {
    // Closing and claiming change the same word, so after a close no position
    // is claimed that a consumer could miss.
    if (enqueue >= QUEUE_CLOSED) return ERROR_CLOSED;
    const position = <u32>enqueue;
    const index = position & mask;
    const cell = record.cells + <usize>index * COMPLETION_BYTES;
    const turn = <i32>(atomicLoad<u32>(cell) + index - position);
    if (turn == 0) {
      const found = atomicCompareExchange<u64>(queue + QUEUE_ENQUEUE, enqueue, <u64>(position + 1));
      if (found == enqueue) {
        fill(cell, token, result, flags, buffer, systemError, connection);
        atomicStore<u32>(cell, position + 1 - index);
        if (ASC_FEATURE_THREADS) {
          if (atomicLoad<i32>(sleepersOf(queue)) > 0) post(queue, 1);
        }
        return 0;
      }
      enqueue = found;
    } else {
      const again = atomicLoad<u64>(queue + QUEUE_ENQUEUE);
      if (turn < 0 && again == enqueue) {
        if (position - atomicLoad<u32>(queue + QUEUE_DEQUEUE) > mask) return ERROR_NO_BUFFERS;
        // Not full: a consumer has claimed the cell a round ago and was held up before freeing it.
        futexWait(cell, turn + <i32>(position - index), 1);
      }
      enqueue = again;
    }
  }
}

/** 1 and 32 bytes at `out` (ticket 0), or NOTHING. Never blocks. */
export function queuePop(queue: usize, out: usize): i32 {
  const record = changetype<CompletionQueue>(queue);
  const mask = record.mask;
  if (!ASC_FEATURE_THREADS) {
    const cell = queueTake(queue);
    if (cell == 0) return NOTHING;
    take(cell, out);
    return 1;
  }
  let position = atomicLoad<u32>(queue + QUEUE_DEQUEUE);
  while (true) {
    const index = position & mask;
    const cell = record.cells + <usize>index * COMPLETION_BYTES;
    const turn = <i32>(atomicLoad<u32>(cell) + index - position - 1);
    if (turn == 0) {
      const found = atomicCompareExchange<u32>(queue + QUEUE_DEQUEUE, position, position + 1);
      if (found == position) {
        take(cell, out);
        atomicStore<u32>(cell, position + mask + 1 - index);
        if (ASC_FEATURE_THREADS) {
          if (atomicLoad<i32>(sleepersOf(queue)) > 0) passOn(queue, record);
        }
        return 1;
      }
      position = found;
    } else {
      const again = atomicLoad<u32>(queue + QUEUE_DEQUEUE);
      if (turn < 0 && again == position) return NOTHING;
      position = again;
    }
  }
}

/**
 * Without threads only: takes the next completion where it lies, which is its cell until the next
 * push. Its address, or 0.
 */
// @ts-ignore: decorator
@inline
export function queueTake(queue: usize): usize {
  const record = changetype<CompletionQueue>(queue);
  const position = load<u32>(queue + QUEUE_DEQUEUE);
  const end = load<u64>(queue + QUEUE_ENQUEUE);
  if (<u32>end == position) return 0;
  if (<u32>end == position + 1) {
    // Empty: begin again at the front, so that a large ring that never holds
    // much stays in the cache, and its other cells stay untouched.
    store<u64>(queue + QUEUE_ENQUEUE, end & QUEUE_CLOSED);
    store<u32>(queue + QUEUE_DEQUEUE, 0);
  } else store<u32>(queue + QUEUE_DEQUEUE, position + 1);
  return record.cells + <usize>(position & record.mask) * COMPLETION_BYTES;
}

// @ts-ignore: decorator
@inline
function fill(
  cell: usize,
  token: f64,
  result: i32,
  flags: u32,
  buffer: i32,
  systemError: i32,
  connection: i32,
): void {
  const completion = changetype<Completion>(cell);
  completion.flags = flags;
  completion.token = token;
  completion.result = result;
  completion.buffer = buffer;
  completion.systemError = systemError;
  completion.connection = connection;
}

// @ts-ignore: decorator
@inline
function take(cell: usize, out: usize): void {
  store<u32>(out, 0);
  store<u32>(out, load<u32>(cell, 4), 4);
  store<u64>(out, load<u64>(cell, 8), 8);
  store<u64>(out, load<u64>(cell, 16), 16);
  store<u64>(out, load<u64>(cell, 24), 24);
}

/**
 * One attempt with at most one sleep of `timeoutMs` (negative or infinite: no
 * bound). With `out` 0 nothing is taken: 1 says that there is something. 1; ERROR_CLOSED: closed and empty; ERROR_TIMED_OUT; ERROR_CANCELED:
 * took a `queueWake`; NOTHING: woken, and another consumer was quicker. The
 * core has no clock: a caller with a deadline calls again with what is left.
 * Without threads it never sleeps and reports ERROR_TIMED_OUT.
 */
export function queuePopStep(queue: usize, out: usize, timeoutMs: f64): i32 {
  const found = look(queue, out);
  if (found != NOTHING) return found;
  if (ASC_FEATURE_THREADS) {
    if (timeoutMs == 0) return ERROR_TIMED_OUT;
    atomicAdd<i32>(sleepersOf(queue), 1);
    const posts = atomicLoad<i32>(postsOf(queue));
    // The last look, after the announcement and after `posts` was read.
    let result = look(queue, out);
    if (result == NOTHING) {
      const woken = futexWait(postsOf(queue), posts, timeoutMs);
      result = look(queue, out);
      if (result == NOTHING && woken == FUTEX_TIMED_OUT) result = ERROR_TIMED_OUT;
    }
    atomicSub<i32>(sleepersOf(queue), 1);
    return result;
  }
  return ERROR_TIMED_OUT;
}

/**
 * 1; NOTHING on time-out, after a `queueWake`, and, with a finite time-out,
 * when woken for a completion that another consumer took; ERROR_CLOSED when
 * closed and empty. Without threads it never blocks.
 */
export function queuePopWait(queue: usize, out: usize, timeoutMs: f64): i32 {
  const unbounded = !(timeoutMs >= 0 && timeoutMs < Infinity);
  while (true) {
    const result = queuePopStep(queue, out, timeoutMs);
    if (result == 1 || result == ERROR_CLOSED) return result;
    if (result != NOTHING || !unbounded) return NOTHING;
  }
}

/** No more pushes; what is queued can still be popped. Wakes every consumer. */
export function queueClose(queue: usize): void {
  atomicOr<u64>(queue + QUEUE_ENQUEUE, QUEUE_CLOSED);
  atomicStore<u32>(queue + offsetof<CompletionQueue>('closed'), 1);
  post(queue, -1);
}

/**
 * One consumer returns from its wait without a completion: one that sleeps,
 * or else the next that finds the queue empty. Wakes do not add up.
 */
export function queueWake(queue: usize): void {
  atomicStore<i32>(queue + offsetof<CompletionQueue>('waking'), 1);
  post(queue, -1);
}

/** Every consumer that sleeps looks again. */
export function queueRouse(queue: usize): void {
  post(queue, -1);
}

/** Completions queued or being written: exact when nobody else is at work. */
export function queueLength(queue: usize): u32 {
  const dequeue = atomicLoad<u32>(queue + QUEUE_DEQUEUE);
  const length = <u32>atomicLoad<u64>(queue + QUEUE_ENQUEUE) - dequeue;
  const capacity = changetype<CompletionQueue>(queue).mask + 1;
  return length < capacity ? length : capacity;
}

function look(queue: usize, out: usize): i32 {
  if (out == 0 ? queueLength(queue) != 0 : queuePop(queue, out) == 1) return 1;
  if (isFinished(queue)) return ERROR_CLOSED;
  return takeWake(queue) ? ERROR_CANCELED : NOTHING;
}

/** Closed, and every position that was claimed has been taken. */
function isFinished(queue: usize): bool {
  const enqueue = atomicLoad<u64>(queue + QUEUE_ENQUEUE);
  return enqueue >= QUEUE_CLOSED && <u32>enqueue == atomicLoad<u32>(queue + QUEUE_DEQUEUE);
}

function takeWake(queue: usize): bool {
  const waking = queue + offsetof<CompletionQueue>('waking');
  return atomicLoad<i32>(waking) != 0 && atomicExchange<i32>(waking, 0) != 0;
}

/** After a pop, with others asleep: see the head of this file. */
function passOn(queue: usize, record: CompletionQueue): void {
  if (atomicLoad<u64>(queue + QUEUE_ENQUEUE) >= QUEUE_CLOSED) {
    // Perhaps the last one: sleepers must see that nothing more will come.
    post(queue, -1);
    return;
  }
  const position = atomicLoad<u32>(queue + QUEUE_DEQUEUE);
  const index = position & record.mask;
  const ticket = atomicLoad<u32>(record.cells + <usize>index * COMPLETION_BYTES);
  if (ticket + index == position + 1) post(queue, 1);
}

// @ts-ignore: decorator
@noinline
function post(queue: usize, count: i32): void {
  atomicAdd<i32>(postsOf(queue), 1);
  futexNotify(postsOf(queue), count);
}

// @ts-ignore: decorator
@inline
function sleepersOf(queue: usize): usize {
  return queue + offsetof<CompletionQueue>('sleepers');
}

// @ts-ignore: decorator
@inline
function postsOf(queue: usize): usize {
  return queue + offsetof<CompletionQueue>('posts');
}
