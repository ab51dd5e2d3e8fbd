/** What backends report, and the queue that it goes through. */

export const COMPLETION_MORE: u32 = 1; // further completions with this token follow
export const COMPLETION_BUFFER: u32 = 2; // `buffer` names a receive buffer that the backend took
/** Not of a backend: somebody is to look at the connection that `token` names (shared ports). */
export const COMPLETION_POKE: u32 = 4;

/** One completion: what a backend reports. 32 bytes. */
@unmanaged
export class Completion {
  /** The cell's turn in the bounded queue; not the business of a backend. */
  ticket: u32;
  flags: u32;
  token: f64;
  /** Bytes, a handle, or a negative error. */
  result: i32;
  /** Slot of the receive buffer, or NOTHING. */
  buffer: i32;
  /** The system's own error number, 0 if none. */
  systemError: i32;
  /** In a worker's inbox: slot of the connection. */
  connection: i32;
}
export const COMPLETION_BYTES: u32 = 32;

/** Bounded queue, many producers, many consumers. Positions keep to a cache line each. */
@unmanaged
export class CompletionQueue {
  cells: usize;
  mask: u32;
  closed: u32;
  /** Consumers asleep. */
  sleepers: i32;
  /** Futex word: counts the posts that somebody may have slept through. */
  posts: i32;
  /** 1: a wake waits for a consumer to take it. */
  waking: i32;
  // QUEUE_ENQUEUE (u64: position, and QUEUE_CLOSED above it) and QUEUE_DEQUEUE
  // (u32) follow on lines of their own.
}
export const QUEUE_ENQUEUE: u32 = 64;
export const QUEUE_DEQUEUE: u32 = 128;
export const QUEUE_BYTES: u32 = 192;
