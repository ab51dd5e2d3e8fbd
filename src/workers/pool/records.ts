/**
 * What the threads of an ordered pool share beside the core's own records.
 * Only JavaScript reads these, on both sides, so they have no counterpart in
 * the core. Offsets in bytes.
 */

/** One job, at its slot's address. */
export const JobRecord = {
  /** u32: one of `JobState`, and from bit 8 on the thread that has the job. */
  state: 0,
  /** u32: the job's number in its lane. */
  sequence: 4,
  /** u32: address of the in-order store of the job's key, 0 without a key. */
  lane: 8,
  /** u32: 1 if the job's turn has come already: do not ask the store. */
  resumed: 12,
  /** u32: address of the block with the job's bytes, 0 if it has none. */
  block: 16,
  lengthBytes: 20,
  /** u32: one of `Outcome`. */
  outcome: 24,
  /** u32: address of the result's bytes: the job's own block, or another. */
  output: 28,
  outputBytes: 32,
  /** f64: a result that is a number. */
  number: 40,
  $size: 64,
} as const;

/** The life of a job record. Changes out of QUEUED and WITHDRAWN are compare-exchanges. */
export const JobState = {
  FREE: 0,
  /** In the queue: whoever changes this has the job. */
  QUEUED: 1,
  /** In the queue, but its dispatcher has given up. */
  WITHDRAWN: 2,
  /** A thread took it; it runs next, or lies in its key's in-order store. */
  TAKEN: 3,
  /** The same of a withdrawn job: its number must pass the store as well. */
  SKIPPING: 4,
  /** In the handler. */
  RUNNING: 5,
  /** The outcome is written; a packet says so, or is about to. */
  DONE: 6,
} as const;

export const STATE_MASK = 0xff;
export const STATE_THREAD_SHIFT = 8;

export const Outcome = {
  NOTHING: 0,
  NUMBER: 1,
  BYTES: 2,
  /** The value lies in the thread's message port. */
  VALUE: 3,
  /** The exception lies in the thread's message port. */
  EXCEPTION: 4,
  WITHDRAWN: 5,
} as const;

/** One thread. */
export const ThreadRecord = {
  /** u32: one of `ThreadState`. */
  state: 0,
  /** u32: 1 + slot of the job in hand, 0 for none. */
  current: 4,
  /** u32: address of the in-order store whose number this thread processes, else 0. */
  lane: 8,
  /** u32: that number. */
  sequence: 12,
  /** f64: when the handler was called, in milliseconds of `Date.now`. */
  calledAtMs: 16,
  /** Where the core copies a packet to: 32 bytes. */
  packet: 64,
  $size: 128,
} as const;

export const ThreadState = { STARTING: 0, IDLE: 1, BUSY: 2 } as const;

/** `flags` of a packet in the queue of jobs: a job, or the order to end. */
export const PACKET_JOB = 0;
export const PACKET_EXIT = 1;

/** Most jobs of one key that the threads have at a time; the rest waits in front of the queue. */
export const LANE_JOBS_MAX = 64;
/**
 * Window of a key's in-order store. More than LANE_JOBS_MAX: a job may be
 * answered, and make room for another, before its thread has advanced the store.
 */
export const LANE_WINDOW = 128;
