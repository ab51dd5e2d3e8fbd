/** Receive buffers, send chunks and replies: bytes between a connection and its operations. */

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

/** One message to send: written by the host's batch path, read by `sendList`. 12 bytes. */
@unmanaged
export class Reply {
  connection: i32;
  offset: u32;
  length: u32;
}
export const REPLY_BYTES: u32 = 12;
