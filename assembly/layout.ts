/**
 * Every record that lives in linear memory: its fields, their order, and the
 * numbers that host and core exchange. This file is the one source: the build
 * compiles it, reads offsets and constants out of the compiled module and
 * writes the host's copy from them, so the two cannot differ.
 *
 * Rules: `@unmanaged` classes only; fields ordered so that natural alignment
 * leaves no hole; sizes padded by hand to a multiple of 8. A record embedded
 * in another one is placed by a constant (`CONNECTION_DECODER`), because a
 * field of class type would be a pointer. Numbers of enumerations are part of
 * the ABI: append, never renumber.
 */

// ---------------------------------------------------------------- results
// Results >= 0 are counts, slots or bytes. Negative results are errors of the
// closed set that `OverlappedError.code` names.
export const ERROR_CANCELED: i32 = -1;
export const ERROR_RESET: i32 = -2;
export const ERROR_ABORTED: i32 = -3;
export const ERROR_REFUSED: i32 = -4;
export const ERROR_TIMED_OUT: i32 = -5;
export const ERROR_UNREACHABLE: i32 = -6;
export const ERROR_ADDRESS_IN_USE: i32 = -7;
export const ERROR_ACCESS: i32 = -8;
export const ERROR_NO_BUFFERS: i32 = -9;
export const ERROR_BROKEN_PIPE: i32 = -10;
export const ERROR_FRAME_TOO_LONG: i32 = -11;
export const ERROR_FRAME_MALFORMED: i32 = -12;
export const ERROR_FRAME_TRUNCATED: i32 = -13;
export const ERROR_DUPLICATE_SEQUENCE: i32 = -14;
export const ERROR_STALE_TOKEN: i32 = -15;
export const ERROR_NOT_SUPPORTED: i32 = -16;
export const ERROR_UNKNOWN: i32 = -17;
export const ERROR_OUT_OF_WINDOW: i32 = -18;
export const ERROR_INVALID_OPTION: i32 = -19;
export const ERROR_CLOSED: i32 = -20;
export const ERROR_MESSAGE_MALFORMED: i32 = -21;

/** "Nothing there (yet)": not an error, and not a slot. */
export const NOTHING: i32 = -100;

// ---------------------------------------------------------------- tokens
/** A token is `generation * 2^20 + slot`: an integer below 2^52, exact in a double. */
export const TOKEN_SLOT_BITS: u32 = 20;
export const POOL_CAPACITY_MAX: u32 = 1 << 20;

/** In `PoolLink.next`: the slot is handed out. */
export const LINK_IN_USE: u32 = 0xffffffff;
/** In `PoolLink.next`: the end of the free list. */
export const LINK_END: u32 = 0xfffffffe;

/** A pool of fixed-size slots with generations. */
@unmanaged
export class Pool {
  /** Address of `capacity` PoolLinks. */
  links: usize;
  /** Address of slot 0. */
  slots: usize;
  /** Bytes from one slot to the next. */
  stride: u32;
  capacity: u32;
  /** Slots below this number have been handed out at least once; the rest was never touched. */
  fresh: u32;
  reserved: u32;
  // What follows changes with every slot: on a line of its own, so that whoever only looks up
  // an address does not wait for another thread's cache.
  line1: u64;
  line2: u64;
  line3: u64;
  line4: u64;
  line5: u64;
  /** Free-list head: slot in the low half, a tag against ABA in the high half. */
  head: u64;
  inUse: u32;
}

@unmanaged
export class PoolLink {
  next: u32;
  generation: u32;
}

// ---------------------------------------------------------------- locks
/** Futex states of a lock word (one i32). */
export const LOCK_FREE: i32 = 0;
export const LOCK_HELD: i32 = 1;
export const LOCK_CONTENDED: i32 = 2;
/** Bytes from one lock of a stripe set to the next: a cache line each. */
export const LOCK_STRIDE: u32 = 64;

// ---------------------------------------------------------------- order
/** The in-order store: a power-of-two window indexed by `sequence & mask` (R3). */
@unmanaged
export class InOrderStore {
  lock: i32;
  /** The number that may be processed next. */
  next: u32;
  mask: u32;
  /** 1 while the holder of number `next` processes it (R4). */
  processing: u32;
  stored: u32;
  /** Address of `mask + 1` values of 4 bytes; NOTHING marks an empty place. */
  values: usize;
}

/** Sequence numbers of one kind of operation on one connection (R1). */
@unmanaged
export class Sequencer {
  next: u32;
  reserved: u32;
}

// ---------------------------------------------------------------- arena
export const ARENA_ORDERS_MAX: u32 = 24;
/** log2 of the smallest block. */
export const ARENA_MIN_LOG2: u32 = 9;

/** A buddy allocator for what has no fixed size: spanning frames, send chunks, datagrams. */
@unmanaged
export class Arena {
  lock: i32;
  base: usize;
  /** log2 of the arena's size in bytes. */
  sizeLog2: u32;
  usedBytes: u32;
  /** Address of one byte for each smallest block: order and state of the block that starts there. */
  orders: usize;
  peakBytes: u32;
  // ARENA_ORDERS_MAX free-list heads (u32 each) follow: ARENA_HEADS; then one
  // byte each that counts pairs of free buddies not yet merged: ARENA_PAIRS.
}
export const ARENA_HEADS: u32 = 24;
export const ARENA_PAIRS: u32 = 120;
export const ARENA_BYTES: u32 = 144;

// ---------------------------------------------------------------- completion queue
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

// ---------------------------------------------------------------- framing
export const FRAMING_RAW: u32 = 0;
export const FRAMING_LENGTH_FIELD: u32 = 1;
export const FRAMING_VARINT: u32 = 2;
export const FRAMING_DELIMITER: u32 = 3;
export const FRAMING_LINE: u32 = 4;
export const FRAMING_FIXED: u32 = 5;

export const FRAMING_BIG_ENDIAN: u32 = 1;
export const FRAMING_INCLUDES_HEADER: u32 = 2;
export const FRAMING_FAIL_FAST: u32 = 4;
export const FRAMING_DISCARD_OVERSIZE: u32 = 8;
export const FRAMING_DELIVER_UNTERMINATED: u32 = 16;
export const FRAMING_STRIP_DELIMITER: u32 = 32;
/** varint: deliver the whole frame, prefix included. */
export const FRAMING_KEEP_HEADER: u32 = 64;

/** How bytes become frames: immutable once written by the host, shared by every connection of a listener. */
@unmanaged
export class Framing {
  kind: u32;
  flags: u32;
  /** Bytes before the length field or varint. */
  offset: u32;
  /** Bytes of the length field: 1, 2, 3, 4, 8. fixed: the frame's length. delimiter: the longest delimiter's length. */
  size: u32;
  adjustment: i32;
  /** Bytes that leave the front before delivery. */
  strip: u32;
  /** Largest frame on the wire, header and delimiter included. */
  maxFrameBytes: u32;
  /** varint: most bytes of the prefix. */
  maxBytes: u32;
  /** Address of `delimiterCount` FramingDelimiters. */
  delimiters: usize;
  delimiterCount: u32;
}
export const FRAMING_BYTES: u32 = 40;

@unmanaged
export class FramingDelimiter {
  /** Address of the delimiter's bytes. */
  bytes: usize;
  length: u32;
}
export const FRAMING_DELIMITER_BYTES: u32 = 8;

/** What several decoders on one thread share: where memory comes from and what waits to be freed. */
@unmanaged
export class DecodeContext {
  arena: usize;
  /** Chain of assembly blocks whose frames were delivered; freed by `decodeReclaim`. */
  released: usize;
}
export const DECODE_CONTEXT_BYTES: u32 = 8;

/** One connection's decoder. All zero but `framing` and `owner` is a fresh one. */
@unmanaged
export class Decoder {
  framing: usize;
  /** Written into `Event.connection` of each frame. */
  owner: i32;
  /** Negative error once the stream is broken; nothing is decoded after. */
  error: i32;
  /** Bytes of the last input that were taken. */
  consumed: u32;
  /** Assembly block of a frame that spans inputs, or 0. */
  assembly: usize;
  assemblyLength: u32;
  /** Length of the frame on the wire once known, else 0. */
  frameLength: u32;
  /** Bytes of an oversized frame still to be skipped (f64: up to 2^53). */
  skip: f64;
  /** Decoder's own state between inputs. */
  phase: u32;
  /** Bytes copied into assembly blocks so far (wraps): frames that lie in one input add none. */
  copied: u32;
  reserved0: u32;
  reserved1: u32;
}
export const DECODER_BYTES: u32 = 56;

// ---------------------------------------------------------------- events
export const EVENT_MESSAGE: u32 = 1; // offset, length of the message
export const EVENT_OVERSIZE: u32 = 2; // a frame was too long and is skipped; length: as announced, at most 2^32 - 1
export const EVENT_OPEN: u32 = 3; // a connection was accepted or connected
export const EVENT_END: u32 = 4; // the peer's side ended
export const EVENT_DRAIN: u32 = 5; // the send queue fell below its mark
export const EVENT_CLOSE: u32 = 6; // last event of a connection; offset: error (0 = clean), length: the system's error
export const EVENT_ERROR: u32 = 7; // offset: error, length: the system's error; the connection closes
export const EVENT_DATAGRAM: u32 = 8; // offset, length of the payload; the address stands ADDRESS_BYTES before offset
export const EVENT_RESULT: u32 = 9; // completion of a host operation; connection: its slot, offset: result, length: the system's error
export const EVENT_DATAGRAM_ERROR: u32 = 10; // offset: error, length: the system's error; the socket goes on

/** What a turn leaves for the host. 16 bytes. */
@unmanaged
export class Event {
  kind: u32;
  connection: i32;
  offset: u32;
  length: u32;
}
export const EVENT_BYTES: u32 = 16;

// ---------------------------------------------------------------- operations
export const OPERATION_LISTEN: u32 = 1;
export const OPERATION_ACCEPT: u32 = 2;
export const OPERATION_CONNECT: u32 = 3;
export const OPERATION_RECEIVE: u32 = 4;
export const OPERATION_SEND: u32 = 5;
export const OPERATION_RECEIVE_FROM: u32 = 6;
export const OPERATION_SEND_TO: u32 = 7;
export const OPERATION_SHUTDOWN: u32 = 8;
export const OPERATION_CANCEL: u32 = 9;
export const OPERATION_CLOSE: u32 = 10;
export const OPERATION_POST: u32 = 11;

/** `Submission.flags` of a close: reset the connection instead of ending it. */
export const CLOSE_RESET: u32 = 1;

/** An address in linear memory: family (4 or 6), port, scope, 16 bytes of IP (IPv4 in the first four). */
@unmanaged
export class Address {
  family: u16;
  port: u16;
  scope: u32;
  ip0: u64;
  ip1: u64;
}
export const ADDRESS_BYTES: u32 = 24;

/**
 * Per-operation data (R19). An OVERLAPPED stands first, so that the address a
 * completion port reports is the record's own; its WSABUF and out-parameters
 * follow, because the kernel may write them until the packet is dequeued.
 */
@unmanaged
export class Operation {
  internal: u64;
  internalHigh: u64;
  overlappedOffset: u32;
  overlappedOffsetHigh: u32;
  event: u64;
  bufferLength: u32;
  bufferPadding: u32;
  bufferAddress: u64;
  bytes: u32;
  flags: u32;
  token: f64;
  kind: u32;
  /** Number within its kind on its connection. */
  sequence: u32;
  /** Slot of the connection, or NOTHING. */
  connection: i32;
  /** Slot of the lent receive buffer, or NOTHING. */
  buffer: i32;
  /** The lent range. */
  offset: u32;
  length: u32;
  /** Bytes done (send) or received (receive, once completed). */
  transferred: u32;
  /** 1 once the final completion was taken: another one is stale, though the record lives on. */
  completed: u32;
  result: i32;
  systemError: i32;
  /** Length of the sockaddr below. */
  addressLength: i32;
  /** Send: address of the chunk the range lies in. */
  chunk: usize;
  // OPERATION_SOCKADDR follows: room for a sockaddr_storage.
}
export const OPERATION_SOCKADDR: u32 = 112;
export const OPERATION_BYTES: u32 = 256;

/** What a backend is asked to do. 32 bytes. */
@unmanaged
export class Submission {
  kind: u32;
  handle: i32;
  token: f64;
  offset: u32;
  length: u32;
  /** close: CLOSE_*; cancel: 0. */
  flags: u32;
  /** Slot of the operation's record. */
  operation: i32;
}
export const SUBMISSION_BYTES: u32 = 32;

// ---------------------------------------------------------------- the loop
/** A receive buffer between its completion and its release. */
@unmanaged
export class BufferLink {
  /** Next buffer of the same list, as slot, or NOTHING. */
  next: i32;
  /** First byte not yet decoded, from the buffer's front. */
  start: u32;
  /** End of the received bytes, from the buffer's front. */
  end: u32;
  /** 1 while a backend that selects buffers has it. */
  lent: u32;
  /** 1 while it holds received bytes that are not handled yet. */
  holds: u32;
  /** Sends out of it that are queued or in flight. */
  references: u32;
}
export const BUFFER_LINK_BYTES: u32 = 24;

/**
 * Bytes waiting to be sent, or being sent: a block of the arena with this
 * header, which the bytes follow, unless they are those of a receive buffer.
 */
@unmanaged
export class SendChunk {
  next: usize;
  /** Addresses: bytes are in [header end, end); those before `submitted` have been submitted. */
  submitted: usize;
  end: usize;
  /** End of the block. */
  limit: usize;
  /** Operations in flight on this chunk. */
  pending: u32;
  /** 1: the queue was empty when it was made. */
  first: u32;
  /** Slot of the receive buffer that its bytes lie in, or NOTHING. */
  buffer: i32;
  reserved2: u32;
}
export const SEND_CHUNK_HEADER: u32 = 32;

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

/** One message to send: written by the host's batch path, read by `sendList`. 12 bytes. */
@unmanaged
export class Reply {
  connection: i32;
  offset: u32;
  length: u32;
}
export const REPLY_BYTES: u32 = 12;

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

// ---------------------------------------------------------------- native: iocp
/** OVERLAPPED_ENTRY: a packet as GetQueuedCompletionStatusEx reports it. */
@unmanaged
export class IocpEntry {
  /** IOCP_KEY_* or, from IOCP_KEY_HANDLES on, the handle's number (R19). */
  key: u64;
  /** Address of the OVERLAPPED, 0 for a posted packet without one. */
  overlapped: u64;
  internal: u64;
  bytes: u32;
  reserved: u32;
}
export const IOCP_ENTRY_BYTES: u32 = 32;

/** A packet that only ends a wait. */
export const IOCP_KEY_WAKE: u32 = 0;
/** A packet posted for an operation of its own (R7). */
export const IOCP_KEY_POST: u32 = 1;
/** Completion keys of sockets: this plus the handle. */
export const IOCP_KEY_HANDLES: u32 = 2;

/**
 * Per-handle data of the native side. Several threads dequeue: the counts and
 * `watched` change by atomic steps.
 */
@unmanaged
export class IocpHandle {
  /** Operations whose packet is due. */
  pending: u32;
  /** Of these, sends: a further one must queue behind them. */
  sends: u32;
  /** 4 or 6: what its addresses look like. */
  family: u32;
  /** 1: its packets go to the host one by one (it closes, or has failed). */
  watched: u32;
}
export const IOCP_HANDLE_BYTES: u32 = 16;

/** In the result of `iocpShare`: a packet that only ends a wait was among them. */
export const IOCP_WOKEN: u32 = 0x10000;

/**
 * A completion port at work: written by the backend before its first call. The
 * driver has one; so has each thread that dequeues beside it, its seat.
 */
@unmanaged
export class IocpPort {
  /** Address of linear memory's first byte in the process. */
  base: u64;
  /** Address of the first Operation; a token's slot is its index. */
  operations: usize;
  operationCount: u32;
  completions: usize;
  entries: usize;
  /** Address of `handleCount` IocpHandles. */
  handles: usize;
  handleCount: u32;
  /** Address of the slots of operations that completed as they were submitted. */
  direct: usize;
  /** A CompletionQueue of packets that the driver itself must look at; 0 without seats. */
  looks: usize;
  /** A seat's: packets that the system has put into `entries`. */
  removed: u32;
  /** Of these, the first that is not dealt with. */
  next: u32;
  /** A seat's: IOCP_SEAT_*. The driver's: IOCP_CLOSED, or 0. Atomic. */
  state: u32;
  /** The driver's: 1 while it waits for a packet. Atomic. */
  waiting: u32;
  /** A seat's: changes whenever a thread comes to have it, or is gone. Atomic. */
  holder: u32;
}
export const IOCP_PORT_BYTES: u32 = 56;

/** No thread dequeues here; one does; it sleeps; it is in a call that takes packets. */
export const IOCP_SEAT_FREE: u32 = 0;
export const IOCP_SEAT_AWAKE: u32 = 1;
export const IOCP_SEAT_ASLEEP: u32 = 2;
export const IOCP_SEAT_CALLING: u32 = 3;
/** Workers are to take nothing more: the process ends. */
export const IOCP_CLOSED: u32 = 4;

// ---------------------------------------------------------------- native: uring
/** io_uring_sqe: what the kernel is asked to do. */
@unmanaged
export class UringSqe {
  opcode: u8;
  flags: u8;
  /** Flags of the operation's kind. */
  priority: u16;
  fd: i32;
  /** `off`, `addr2`. */
  offset: u64;
  address: u64;
  length: u32;
  /** `msg_flags`, `accept_flags`, `cancel_flags`, `poll32_events`. */
  operationFlags: u32;
  userData: u64;
  bufferGroup: u16;
  personality: u16;
  fileIndex: i32;
  address3: u64;
  reserved: u64;
}
export const URING_SQE_BYTES: u32 = 64;

/** io_uring_cqe: what became of it. */
@unmanaged
export class UringCqe {
  userData: u64;
  result: i32;
  flags: u32;
}
export const URING_CQE_BYTES: u32 = 16;

/** io_uring_buf: a receive buffer that the kernel may fill. */
@unmanaged
export class UringBuffer {
  address: u64;
  length: u32;
  id: u16;
  /** Of the first one: the ring's tail. */
  tail: u16;
}
export const URING_BUFFER_BYTES: u32 = 16;

/** msghdr: lies over the OVERLAPPED and WSABUF of an Operation, which nobody needs here. */
@unmanaged
export class UringMessage {
  name: u64;
  nameLength: u32;
  namePadding: u32;
  vector: u64;
  vectorLength: u64;
  control: u64;
  controlLength: u64;
  flags: u32;
  /** Padding in C: the handle that the operation is on. */
  handle: u32;
}
/** Where a record has its iovec: behind the sockaddr_storage. */
export const URING_OPERATION_VECTOR: u32 = 240;

/** An operation's `user_data` is its token; the bits above tell who else asked. */
export const URING_TAG_SHIFT: u32 = 52;

/** Its final completions go to the host one by one (it closes, or has failed). */
export const URING_HANDLE_WATCHED: u32 = 1;
/** Its addresses are IPv6 ones. */
export const URING_HANDLE_INET6: u32 = 2;
/** Nothing is sent on it without a copy: that was tried. */
export const URING_HANDLE_COPIES: u32 = 4;

/** Per-handle data of the native side. */
@unmanaged
export class UringHandle {
  /** The descriptor, or -1: nothing may be begun on it. */
  fd: i32;
  /** Operations whose final completion is due. */
  pending: u32;
  /** Of these, sends. */
  sends: u32;
  /** URING_HANDLE_*. */
  flags: u32;
}
export const URING_HANDLE_BYTES: u32 = 16;

/** A pair of rings at work: written by the backend before its first call. */
@unmanaged
export class UringPort {
  /** Address of linear memory's first byte in the process. */
  base: u64;
  /** The Port, whose receive buffers the kernel is given. */
  port: usize;
  /** Address of the first Operation; a token's slot is its index. */
  operations: usize;
  operationCount: u32;
  completions: usize;
  /** Address of the UringHandles. */
  handles: usize;
  /** Addresses of the words that the kernel shares with us, and of the entries. */
  sqHead: usize;
  sqTail: usize;
  sqes: usize;
  sqMask: u32;
  cqHead: usize;
  cqes: usize;
  cqMask: u32;
  /** Address of the ring of UringBuffers. */
  buffers: usize;
  bufferMask: u32;
  /** Address of one number for each: the pool's slot plus one, 0 while nothing is provided there. */
  bufferSlots: usize;
  bufferTail: u32;
  /** Buffers to keep provided; grows as they run out, up to the limit, and shrinks again. */
  bufferTarget: u32;
  bufferLimit: u32;
  /** `priority` of a stream's receive: multishot, where the kernel has it. */
  receivePriority: u32;
  /** Fewest buffers that the kernel had left for a while. */
  bufferLeast: u32;
  /** Sends of so many bytes and more are not copied by the kernel. */
  zeroCopyBytes: u32;
  reserved: u32;
}
export const URING_PORT_BYTES: u32 = 96;
