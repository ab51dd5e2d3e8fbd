/** What a backend is asked to do, and the record that it is done with. */

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
