/** Tokens, pools, locks, the in-order store and the arena. */

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

/** Futex states of a lock word (one i32). */
export const LOCK_FREE: i32 = 0;
export const LOCK_HELD: i32 = 1;
export const LOCK_CONTENDED: i32 = 2;
/** Bytes from one lock of a stripe set to the next: a cache line each. */
export const LOCK_STRIDE: u32 = 64;

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
  // ARENA_ORDERS_MAX free-list heads (u32 each) follow: ARENA_HEADS; then those of
  // blocks that were put aside, for the smallest ARENA_ASIDE_ORDERS orders: ARENA_ASIDE.
}
export const ARENA_HEADS: u32 = 24;
export const ARENA_ASIDE: u32 = 120;
/** Up to 128 KiB: what send chunks and most messages have. */
export const ARENA_ASIDE_ORDERS: u32 = 9;
export const ARENA_BYTES: u32 = 160;
