/**
 * What the threads that dispatch to a pool share with the thread that opened
 * it, beside the core's own records. Only JavaScript reads these. Offsets in
 * bytes.
 */

/** One dispatch of an attached thread, at its slot's address. */
export const TicketRecord = {
  /** u32: one of `TicketState`. */
  state: 0,
  /** u32: 1 + number of the thread's record. */
  dispatcher: 4,
  /** u32: one of `KeyKind`. */
  keyKind: 8,
  /** u32: bytes of a key that is text, UTF-8, behind the job's own. */
  keyBytes: 12,
  /** u32: address of the block with the job's bytes and its key's, 0 for none. */
  block: 16,
  lengthBytes: 20,
  /** u32: one of `TicketOutcome`. */
  outcome: 24,
  /** u32: address of the block with the result's bytes, 0 for none. */
  output: 28,
  outputBytes: 32,
  /** f64: a key that is a number. */
  key: 40,
  /** f64: a result that is a number. */
  number: 48,
  $size: 64,
} as const;

export const TicketState = {
  FREE: 0,
  /** The attached thread's: being written, or in the queue of requests. */
  ASKED: 1,
  /** The pool's: a job, or about to be one. */
  ACCEPTED: 2,
  /** Answered; in the thread's queue of answers, or with that thread. */
  ANSWERED: 3,
} as const;

export const KeyKind = { NONE: 0, NUMBER: 1, TEXT: 2 } as const;

export const TicketOutcome = {
  NOTHING: 0,
  NUMBER: 1,
  BYTES: 2,
  /** A value, as serialized bytes. */
  VALUE: 3,
  /** What the handler threw, as serialized bytes. */
  EXCEPTION: 4,
  /** An OverlappedError, as the bytes of its record. */
  ERROR: 5,
  /** There was no memory for what was to be said. */
  LOST: 6,
} as const;

/** One thread that dispatches. */
export const DispatcherRecord = {
  /** u32: one of `DispatcherState`. */
  state: 0,
  /** u32: how often the record was given back: who remembers another has lost it. */
  epoch: 4,
  /** u32: 1 while the thread wants to be woken. */
  wake: 8,
  /** i32: the word that it sleeps on in its event loop. */
  bell: 12,
  /** u32: turns of its event loop that the bell has seen. */
  beats: 16,
  /** u32: address of its queue of answers; made with the record's first use. */
  answers: 20,
  /** Where the core copies a packet to: 32 bytes. */
  packet: 64,
  $size: 128,
} as const;

export const DispatcherState = {
  FREE: 0,
  ATTACHED: 1,
  /** Its thread has ended, or has closed it: what it left is to be cleared away. */
  GONE: 2,
} as const;

/** What all attached threads look at. */
export const DeskRecord = {
  /** u32: one of `DeskStage`. */
  stage: 0,
  /** i32: the word that the pool's thread sleeps on. */
  bell: 4,
  /** u32: 1 while the pool's thread wants to be woken. */
  wake: 8,
  /** u32: 1 while a result waits for a thread to say that it is done with another. */
  wantsSaid: 12,
  /** u32: dispatches that the pool has accepted and not answered. */
  load: 16,
  /** u32: 1 if an attached thread waits for room. */
  roomWanted: 20,
  /** u32: threads that have left: told by the bell. */
  departures: 24,
  $size: 64,
} as const;

export const DeskStage = {
  OPEN: 0,
  /** No new dispatches. */
  CLOSING: 1,
  /** No more answers. */
  CLOSED: 2,
} as const;

/** Most threads attached to a pool at one time. */
export const DISPATCHERS_MAX = 64;
/** Most dispatches of attached threads under way, whatever `capacity` and `maxWaiting` are. */
export const TICKETS_MAX = 2 ** 16;
