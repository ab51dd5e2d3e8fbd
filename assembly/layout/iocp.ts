/** Native side of `iocp`: the structures of a completion port, and what is kept beside them. */

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
