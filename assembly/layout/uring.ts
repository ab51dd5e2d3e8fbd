/** Native side of `uring`: the structures of io_uring, and what is kept beside them. */

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
