/** What several workers on one port have in common, and the calls that they post. */

/** In `Connection.nextClaim` and `Worker.claimHead`: nothing follows. */
export const CLAIM_END: i32 = -1;

export const CALL_SEND: u32 = 1;
export const CALL_SEND_RAW: u32 = 2;
export const CALL_END: u32 = 3;
export const CALL_CLOSE: u32 = 4;
export const CALL_ABORT: u32 = 5; // `value`: the error that CLOSE reports
export const CALL_PAUSE: u32 = 6;
export const CALL_RESUME: u32 = 7;
export const CALL_HOLD: u32 = 8;

/** A call on a connection that another thread has (R7): a block of the arena; its bytes follow. */
@unmanaged
export class PostedCall {
  next: usize;
  kind: u32;
  length: u32;
  value: i32;
}
export const POSTED_CALL_HEADER: u32 = 16;

/** What the workers of a shared port have in common, beside what their Port records name. */
@unmanaged
export class SharedPort {
  /** Address of the addresses of the Workers; number 0 is the I/O thread's. */
  workers: usize;
  workerCount: u32;
  /** Address of `lockCount` locks among which the connections are spread (R6). */
  locks: usize;
  lockCount: u32;
  /** Lock around taking and claiming a completion, where completions of one token must not overtake. */
  dequeueLock: usize;
  /** CompletionQueue of what the workers submit. */
  submissions: usize;
  // The rest of the line that everybody reads.
  line1: u64;
  line2: u64;
  line3: u64;
  line4: u64;
  line5: u64;
  /** IO_*: whether the I/O thread has to be told that something waits for it. */
  io: i32;
  reserved: u32;
}
export const SHARED_PORT_BYTES: u32 = 72;

export const IO_QUIET: i32 = 0;
export const IO_DUE: i32 = 1; // something waits, and nobody has told the I/O thread
export const IO_TOLD: i32 = 2; // ... somebody has, and it has not begun to look
