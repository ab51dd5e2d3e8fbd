/** A port, and one thread at work on it. */

/** The backend selects receive buffers itself (see `Limits.selectsBuffers`). */
export const PORT_SELECTS_BUFFERS: u32 = 1;

/**
 * A receive without a range, which completes with 0 once bytes or the end are
 * there, takes the place of one that lends a buffer: while few are free, or
 * always (see `Limits.probes`).
 */
export const PORT_PROBES_WHEN_SCARCE: u32 = 2;
export const PORT_PROBES_ALWAYS: u32 = 4;
/** 1 / 2^n of the buffers is kept for connections that have something to receive. */
export const PROBE_RESERVE_LOG2: u32 = 2;

/** A port as one worker sees it. Written by the host before the first turn. */
@unmanaged
export class Port {
  completions: usize;
  operations: usize;
  connections: usize;
  buffers: usize;
  /** Address of one BufferLink for each receive buffer. */
  bufferLinks: usize;
  arena: usize;
  flags: u32;
  maxTransferBytes: u32;
  bufferBytes: u32;
  readWindowLog2: u32;
  writeWindowLog2: u32;
  /** Coarse clock in milliseconds, set by the host each turn. */
  nowMs: u32;
  /** Receive buffers that a system holds ready for whatever comes: lent, and yet free. */
  provided: u32;
  /** Address of the SharedPort, 0 if one worker has the port for itself. */
  shared: usize;
  /** The user's part of a connection's record: where it begins, and its size. */
  stateOffset: u32;
  stateBytes: u32;
  // Counters, exact below 2^53.
  completed: f64;
  /** Completions whose token names nothing any more. */
  stale: f64;
  /** Completions that came after their connection was told to close. */
  late: f64;
  /** Connections closed at once because no record was free. */
  rejected: f64;
  accepted: f64;
  connected: f64;
  closed: f64;
  failed: f64;
  oversize: f64;
  timeouts: f64;
  /** Receives that found no buffer free. */
  starved: f64;
  datagramsReceived: f64;
  datagramsSent: f64;
  submitted: f64;
  turns: f64;
}
export const PORT_BYTES: u32 = 184;

/** One thread at work on a port. */
@unmanaged
export class Worker {
  port: usize;
  /** Address of `eventCapacity` Events; the turn fills them from the front. */
  events: usize;
  eventCapacity: u32;
  eventCount: u32;
  submissions: usize;
  submissionCapacity: u32;
  submissionCount: u32;
  replies: usize;
  replyCapacity: u32;
  /** Where a completion is copied to when it leaves the queue. */
  scratch: usize;
  readyHead: i32;
  readyTail: i32;
  dirtyHead: i32;
  dirtyTail: i32;
  /** Buffers whose messages were handed out in this turn. */
  releaseHead: i32;
  /** Connections whose CLOSE event was handed out in this turn. */
  closedHead: i32;
  /** 1 if the turn stopped with work left. */
  more: u32;
  /** Its number among the port's workers. */
  index: i32;
  /** CompletionQueue of what others took for connections that this worker has (shared ports). */
  inbox: usize;
  /** The connections that it has claimed, linked by `nextClaim`: slot + 1, or CLAIM_END. */
  claimHead: i32;
  /** Most completions that one turn takes (shared ports): the rest is for the others. */
  batch: u32;
  /** Events of the turn that are no messages. */
  others: u32;
  // DecodeContext follows: WORKER_DECODE_CONTEXT.
}
export const WORKER_DECODE_CONTEXT: u32 = 88;
export const WORKER_BYTES: u32 = 96;
