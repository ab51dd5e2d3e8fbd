/** A connection, listener or datagram socket, and what those of one listener have in common. */

export const PROFILE_READ_ORDER: u32 = 1;
export const PROFILE_WRITE_ORDER: u32 = 2;
export const PROFILE_EAGER_READ: u32 = 4;
export const PROFILE_ALLOW_HALF_OPEN: u32 = 8;
/** Receive nothing while the send queue is above its mark: a peer that does not read is not served further. */
export const PROFILE_HOLD_WHEN_BLOCKED: u32 = 16;

/** Keep one receive pending; `receiveDepth` of them only while they come back full. */
export const PROFILE_ADAPTIVE_DEPTH: u32 = 32;

/** What the connections of one listener have in common; written by the host. */
@unmanaged
export class Profile {
  framing: usize;
  flags: u32;
  receiveDepth: u32;
  sendDepth: u32;
  /** Bytes lent to one receive, at most a receive buffer. */
  receiveBytes: u32;
  highWaterMarkBytes: u32;
  maxQueuedBytes: u32;
  idleTimeoutMs: u32;
  firstMessageTimeoutMs: u32;
  closeTimeoutMs: u32;
  /** Listener: most connections open at once, 0 = no limit of its own. */
  maxConnections: u32;
  /** Log2 of the first send chunk of a burst. */
  chunkLog2: u32;
  reserved: u32;
}
export const PROFILE_BYTES: u32 = 56;

export const CONNECTION_STREAM: u32 = 1;
export const CONNECTION_LISTENER: u32 = 2;
export const CONNECTION_DATAGRAM: u32 = 3;

export const STATE_OPENING: u32 = 1; // connect, listen or bind is pending
export const STATE_OPEN: u32 = 2;
export const STATE_ENDING: u32 = 4; // no more sends are taken; shut down once all is sent
export const STATE_SHUTDOWN_SUBMITTED: u32 = 8;
export const STATE_SEND_DOWN: u32 = 16;
export const STATE_RECEIVE_ENDED: u32 = 32; // no more bytes will come
export const STATE_RECEIVE_FINISHED: u32 = 64; // ... and all that came has been handled
export const STATE_PAUSED: u32 = 128;
export const STATE_DISCARD: u32 = 256; // received bytes are dropped
export const STATE_RESET: u32 = 512; // close by reset
export const STATE_CLOSE_SUBMITTED: u32 = 1024;
export const STATE_FAILED: u32 = 2048; // `error` holds why; reported after what came before it
export const STATE_FAIL_REPORTED: u32 = 4096;
export const STATE_BLOCKED: u32 = 8192; // send said "no more for now"; a DRAIN event is owed
export const STATE_READY: u32 = 16384; // in the worker's ready list
export const STATE_DIRTY: u32 = 32768; // in the worker's dirty list
export const STATE_CANCEL_SUBMITTED: u32 = 65536;
export const STATE_CLOSING: u32 = 131072; // ends in close once both sides are done
export const STATE_GOT_MESSAGE: u32 = 262144;
export const STATE_CLOSED: u32 = 524288; // the CLOSE event is out; the slot is about to be released
export const STATE_HELD: u32 = 2097152; // no more bytes are taken from the system; what came is delivered
export const STATE_PARKED: u32 = 4194304; // accepted beyond its listener's limit: waits, and nobody knows of it
export const STATE_READABLE: u32 = 8388608; // a probe has completed: the next receive finds something
export const STATE_FILLED: u32 = 16777216; // the last receive came back full, and nothing was sent since
export const STATE_CLOSE_DUE: u32 = 67108864; // the close has completed, and was quicker than others (shared ports)
export const STATE_OPEN_DUE: u32 = 33554432; // whoever takes it next reports OPEN (shared ports)
export const STATE_TRUNCATABLE: u32 = 1048576; // the stream's end has not been shown to the decoder yet

/** Per-handle data (R19). CONNECTION_DECODER and the two in-order stores follow, then their windows. */
@unmanaged
export class Connection {
  token: f64;
  bytesReceived: f64;
  bytesSent: f64;
  messagesReceived: f64;
  messagesSent: f64;
  /** Token of the armed receive, accept or connect: what a cancel names. */
  armedToken: f64;
  handle: i32;
  kind: u32;
  state: u32;
  profile: usize;
  /** Next connection in the worker's list of closed ones, or NOTHING. */
  nextClosed: i32;
  error: i32;
  systemError: i32;
  /** Operations in flight, of every kind. */
  operations: u32;
  receives: u32;
  sends: u32;
  /** Received buffers not yet decoded, in order. Listener: parked connections, linked by `nextReady`. */
  pendingHead: i32;
  pendingTail: i32;
  nextReady: i32;
  nextDirty: i32;
  activityMs: u32;
  openedMs: u32;
  closingMs: u32;
  queueHead: usize;
  queueTail: usize;
  /** Chunk whose bytes are submitted next. */
  queueSubmit: usize;
  queuedBytes: u32;
  chunkLog2: u32;
  readSequence: u32;
  writeSequence: u32;
  /** Listener: connections accepted and not yet closed. Datagram socket: receives that failed in a row. */
  accepted: u32;
  /** Chunks of its queue that refer to receive buffers. */
  references: u32;
  /** Token of the listener it came from, or 0. */
  listenerToken: f64;
  // Shared ports only; guarded by the connection's lock but for `nextClaim`.
  /** Index of the worker that has it, or NOTHING. Nobody else touches what is above. */
  owner: i32;
  /** In its owner's list of claims: slot + 1 of the next, CLAIM_END, or 0 if it is in none. */
  nextClaim: i32;
  /** Completions of it in its owner's inbox. */
  forwarded: u32;
  /** 1 while a poke is on its way. */
  poked: u32;
  /** Chain of PostedCalls, in order. */
  callsHead: usize;
  callsTail: usize;
  /** Bytes that they are to send. */
  postedBytes: u32;
  reserved: u32;
}
export const CONNECTION_DECODER: u32 = 192;
export const CONNECTION_READ_STORE: u32 = 248;
export const CONNECTION_WRITE_STORE: u32 = 272;
/** Where the windows of the two stores begin. */
export const CONNECTION_WINDOWS: u32 = 296;
