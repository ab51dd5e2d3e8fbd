/**
 * A buddy allocator for what has no fixed size. A block of order `k` has
 * `2 ** (ARENA_MIN_LOG2 + k)` bytes and starts at a multiple of that, seen
 * from the base; it merges only with its buddy, whose offset differs in that
 * one bit.
 *
 * Free lists are doubly linked through the first 8 bytes of the free blocks
 * and last in, first out, so what was freed last, and is hot, goes out first.
 * One byte for each smallest block says what starts there (0: nothing does).
 *
 * A block of one of the smaller orders is first put aside as it is, up to
 * ASIDE_MAX of an order in a singly linked list: what a turn frees the next one
 * asks for again, and neither looks for buddies. Where nothing else is found,
 * all that lies aside is merged, and the search begins again; so a block is
 * found exactly where there is one.
 */
import { invariant } from './debug';
import {
  Arena,
  ARENA_HEADS,
  ARENA_MIN_LOG2,
  ARENA_ASIDE,
  ARENA_ASIDE_ORDERS,
  ARENA_ORDERS_MAX,
  LOCK_FREE,
} from './layout';
import { lockAcquire, lockRelease } from './lock';

/** State byte: free, with the order in the low bits; or used, or put aside, likewise. */
const BLOCK_FREE: u32 = 0x80;
const BLOCK_USED: u32 = 0x40;
const BLOCK_ASIDE: u32 = 0x20;
const ORDER_MASK: u32 = 0x1f;
/** Blocks of one order that are put aside: merging all of them must not take long. */
const ASIDE_MAX: u32 = 1024;

/**
 * The arena's memory starts at `base` (a multiple of 64, not 0) and has
 * `2 ** sizeLog2` bytes; `sizeLog2` is ARENA_MIN_LOG2 to 31. `orders`: one
 * byte for each smallest block, all zero.
 */
export function arenaInit(arena: usize, base: usize, sizeLog2: u32, orders: usize): void {
  invariant(base != 0 && (base & 63) == 0);
  invariant(sizeLog2 >= ARENA_MIN_LOG2 && sizeLog2 <= 31);
  const record = changetype<Arena>(arena);
  record.lock = LOCK_FREE;
  record.base = base;
  record.sizeLog2 = sizeLog2;
  record.usedBytes = 0;
  record.orders = orders;
  record.peakBytes = 0;
  for (let order: u32 = 0; order < ARENA_ORDERS_MAX; order++) {
    store<u32>(arena + ARENA_HEADS + order * 4, 0);
  }
  for (let order: u32 = 0; order < ARENA_ASIDE_ORDERS; order++) {
    store<u32>(arena + ARENA_ASIDE + order * 4, 0);
  }
  pushFree(arena, record, base, sizeLog2 - ARENA_MIN_LOG2);
}

/** Address of a block of the next power of two, at least 512 bytes; 0 when there is none. */
export function arenaAlloc(arena: usize, sizeBytes: u32): usize {
  const record = changetype<Arena>(arena);
  if (sizeBytes > (<u32>1) << record.sizeLog2) return 0;
  const order = orderFor(sizeBytes);
  arenaLock(arena);
  const aside = arena + ARENA_ASIDE + order * 4;
  let block: usize = order < ARENA_ASIDE_ORDERS ? <usize>load<u32>(aside) : 0;
  if (block != 0) store<u32>(aside, load<u32>(block));
  else block = split(arena, record, order);
  if (block != 0) {
    setState(record, block, BLOCK_USED | order);
    addUsed(record, blockBytes(order));
  }
  arenaUnlock(arena);
  return block;
}

/** A block out of the free lists; 0 when there is none. */
// @ts-ignore: decorator
@noinline
function split(arena: usize, record: Arena, order: u32): usize {
  const top = record.sizeLog2 - ARENA_MIN_LOG2;
  let block: usize = 0;
  let current = order;
  while ((block = load<u32>(arena + ARENA_HEADS + current * 4)) == 0) {
    if (current < top) current++;
    else if (mergeAside(arena, record)) current = order;
    else return 0;
  }
  removeFree(arena, record, block, current);
  while (current > order) {
    current--;
    pushFree(arena, record, block + blockBytes(current), current);
  }
  return block;
}

/** A pointer that is not an allocated block's is a bug: the debug build stops, release ignores it. */
export function arenaFree(arena: usize, ptr: usize): void {
  const record = changetype<Arena>(arena);
  arenaLock(arena);
  if (isUsed(record, ptr)) {
    const order = stateOf(record, ptr) & ORDER_MASK;
    record.usedBytes -= blockBytes(order);
    const aside = arena + ARENA_ASIDE + order * 4;
    const head: usize = order < ARENA_ASIDE_ORDERS ? <usize>load<u32>(aside) : 0;
    const length: u32 = head == 0 ? 1 : load<u32>(head, 4) + 1;
    if (order < ARENA_ASIDE_ORDERS && length <= ASIDE_MAX) {
      store<u32>(ptr, <u32>head);
      store<u32>(ptr, length, 4);
      store<u32>(aside, <u32>ptr);
      setState(record, ptr, BLOCK_ASIDE | order);
    } else merge(arena, record, ptr, order);
  } else {
    invariant(false);
  }
  arenaUnlock(arena);
}

/** Usable bytes of an allocated block; 0 if none starts at `ptr`, which may be any number. */
export function arenaBlockBytes(arena: usize, ptr: usize): u32 {
  const record = changetype<Arena>(arena);
  // No lock: the byte of a used block changes only at its owner's hands.
  return isUsed(record, ptr) ? blockBytes(stateOf(record, ptr) & ORDER_MASK) : 0;
}

/** The same of a block that is known to be allocated. */
// @ts-ignore: decorator
@inline
export function arenaBytesOf(arena: usize, block: usize): u32 {
  return blockBytes(stateOf(changetype<Arena>(arena), block) & ORDER_MASK);
}

/**
 * Makes the block at `ptr` hold `sizeBytes` where it stands, if the buddies
 * above it are free; false, and nothing changed, if not.
 */
export function arenaGrow(arena: usize, ptr: usize, sizeBytes: u32): bool {
  const record = changetype<Arena>(arena);
  if (sizeBytes > (<u32>1) << record.sizeLog2) return false;
  const wanted = orderFor(sizeBytes);
  arenaLock(arena);
  let grown = false;
  if (isUsed(record, ptr)) {
    const order = stateOf(record, ptr) & ORDER_MASK;
    grown = wanted <= order;
    // Only the lower block of a pair can grow in place, at each step.
    if (!grown && ((ptr - record.base) & (blockBytes(wanted) - 1)) == 0) {
      if (canAbsorb(record, ptr, order, wanted)) {
        grown = true;
      } else if (mergeAside(arena, record)) {
        grown = canAbsorb(record, ptr, order, wanted);
      }
      if (grown) {
        for (let current = order; current < wanted; current++) {
          removeFree(arena, record, ptr + blockBytes(current), current);
        }
        setState(record, ptr, BLOCK_USED | wanted);
        addUsed(record, blockBytes(wanted) - blockBytes(order));
      }
    }
  } else {
    invariant(false);
  }
  arenaUnlock(arena);
  return grown;
}

/** Bytes in allocated blocks, each counted whole. */
export function arenaUsed(arena: usize): u32 {
  return changetype<Arena>(arena).usedBytes;
}

function canAbsorb(record: Arena, ptr: usize, order: u32, wanted: u32): bool {
  for (let current = order; current < wanted; current++) {
    if (stateOf(record, ptr + blockBytes(current)) != (BLOCK_FREE | current)) return false;
  }
  return true;
}

/** Into the free lists, as one block with its buddies as far as they are free. */
function merge(arena: usize, record: Arena, ptr: usize, from: u32): void {
  const top = record.sizeLog2 - ARENA_MIN_LOG2;
  let block = ptr;
  let order = from;
  setState(record, block, 0);
  while (order < top) {
    const buddy = buddyOf(record, block, order);
    if (stateOf(record, buddy) != (BLOCK_FREE | order)) break;
    removeFree(arena, record, buddy, order);
    if (buddy < block) block = buddy;
    order++;
  }
  pushFree(arena, record, block, order);
}

/** Merges all that lies aside; false if nothing did. */
function mergeAside(arena: usize, record: Arena): bool {
  let found = false;
  for (let order: u32 = 0; order < ARENA_ASIDE_ORDERS; order++) {
    const aside = arena + ARENA_ASIDE + order * 4;
    let block: usize = load<u32>(aside);
    store<u32>(aside, 0);
    while (block != 0) {
      const next: usize = load<u32>(block);
      invariant(stateOf(record, block) == (BLOCK_ASIDE | order));
      merge(arena, record, block, order);
      found = true;
      block = next;
    }
  }
  return found;
}

/** Into the list of its order. */
function pushFree(arena: usize, record: Arena, block: usize, order: u32): void {
  const headPtr = arena + ARENA_HEADS + order * 4;
  const head = load<u32>(headPtr);
  store<u32>(block, head);
  store<u32>(block, 0, 4);
  if (head != 0) store<u32>(head, <u32>block, 4);
  store<u32>(headPtr, <u32>block);
  setState(record, block, BLOCK_FREE | order);
}

/** Out of the list; nothing starts at the block any more. */
function removeFree(arena: usize, record: Arena, block: usize, order: u32): void {
  invariant(stateOf(record, block) == (BLOCK_FREE | order));
  const next = load<u32>(block);
  const previous = load<u32>(block, 4);
  if (previous != 0) store<u32>(previous, next);
  else store<u32>(arena + ARENA_HEADS + order * 4, next);
  if (next != 0) store<u32>(next, previous, 4);
  setState(record, block, 0);
}

/** True if an allocated block starts at `ptr`; safe for any number. */
function isUsed(record: Arena, ptr: usize): bool {
  const offset = ptr - record.base;
  if (offset >> record.sizeLog2 != 0) return false;
  if ((offset & ((1 << ARENA_MIN_LOG2) - 1)) != 0) return false;
  return (stateOf(record, ptr) & BLOCK_USED) != 0;
}

function addUsed(record: Arena, bytes: u32): void {
  const used = record.usedBytes + bytes;
  record.usedBytes = used;
  if (used > record.peakBytes) record.peakBytes = used;
}

function orderFor(sizeBytes: u32): u32 {
  if (sizeBytes <= (<u32>1) << ARENA_MIN_LOG2) return 0;
  return 32 - <u32>clz<u32>(sizeBytes - 1) - ARENA_MIN_LOG2;
}

// @ts-ignore: decorator
@inline
function blockBytes(order: u32): u32 {
  return (<u32>1) << (ARENA_MIN_LOG2 + order);
}

// @ts-ignore: decorator
@inline
function buddyOf(record: Arena, block: usize, order: u32): usize {
  return record.base + ((block - record.base) ^ <usize>blockBytes(order));
}

// @ts-ignore: decorator
@inline
function stateOf(record: Arena, block: usize): u32 {
  return load<u8>(record.orders + ((block - record.base) >> ARENA_MIN_LOG2));
}

// @ts-ignore: decorator
@inline
function setState(record: Arena, block: usize, state: u32): void {
  store<u8>(record.orders + ((block - record.base) >> ARENA_MIN_LOG2), <u8>state);
}

// @ts-ignore: decorator
@inline
function arenaLock(arena: usize): void {
  if (ASC_FEATURE_THREADS) lockAcquire(arena + offsetof<Arena>('lock'));
}

// @ts-ignore: decorator
@inline
function arenaUnlock(arena: usize): void {
  if (ASC_FEATURE_THREADS) lockRelease(arena + offsetof<Arena>('lock'));
}
