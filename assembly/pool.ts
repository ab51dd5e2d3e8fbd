/**
 * Fixed-size slots with generations. The free list is Treiber's stack: its
 * head carries a tag that every removal changes, so a head that was taken and
 * came back is not mistaken for the same one. Last in, first out: the slot
 * handed out next is the one most likely in the cache. Slots that were never
 * handed out are counted, not listed, so that their memory stays untouched.
 */
import { atomicAdd, atomicCompareExchange, atomicLoad, atomicStore, atomicSub } from './atomic';
import { invariant } from './debug';
import {
  ERROR_NO_BUFFERS,
  ERROR_STALE_TOKEN,
  LINK_END,
  LINK_IN_USE,
  Pool,
  POOL_CAPACITY_MAX,
  PoolLink,
  TOKEN_SLOT_BITS,
} from './layout';

const TOKEN_LIMIT: f64 = 4503599627370496; // 2^52: 32 bits of generation, 20 of slot
/** In the top bits of numbers from TOKEN_LIMIT to twice that. */
const TOKEN_EXPONENT: u64 = 0x433;

/** Bytes of links that a pool of `capacity` slots needs. */
export function poolLinksBytes(capacity: u32): u32 {
  return capacity * <u32>offsetof<PoolLink>();
}

/** `links` must be all zero and is not written here. `capacity` is 1 to POOL_CAPACITY_MAX. */
export function poolInit(
  pool: usize,
  links: usize,
  slots: usize,
  stride: u32,
  capacity: u32,
): void {
  invariant(capacity > 0 && capacity <= POOL_CAPACITY_MAX);
  const record = changetype<Pool>(pool);
  record.head = <u64>LINK_END;
  record.links = links;
  record.slots = slots;
  record.stride = stride;
  record.capacity = capacity;
  record.fresh = 0;
  record.inUse = 0;
}

/** A slot, or ERROR_NO_BUFFERS. */
// @ts-ignore: decorator
@noinline
export function poolAcquire(pool: usize): i32 {
  const record = changetype<Pool>(pool);
  while (true) {
    let head = atomicLoad<u64>(pool + offsetof<Pool>('head'));
    while (<u32>head != LINK_END) {
      const slot = <u32>head;
      const link = linkOf(record, slot);
      // If another thread takes this slot meanwhile, `next` is nonsense; the
      // tag has changed then, and the exchange fails.
      const next = atomicLoad<u32>(link + offsetof<PoolLink>('next'));
      const replacement = (((head >> 32) + 1) << 32) | <u64>next;
      const found = atomicCompareExchange<u64>(pool + offsetof<Pool>('head'), head, replacement);
      if (found == head) {
        atomicStore<u32>(link + offsetof<PoolLink>('next'), LINK_IN_USE);
        atomicAdd<u32>(pool + offsetof<Pool>('inUse'), 1);
        return slot;
      }
      head = found;
    }
    const slot = takeFresh(pool, record);
    if (slot >= 0) return slot;
    // A slot may have come back since the list was seen empty.
    if (<u32>atomicLoad<u64>(pool + offsetof<Pool>('head')) == LINK_END) return ERROR_NO_BUFFERS;
  }
}

/** 0, or ERROR_STALE_TOKEN if the slot is not handed out. Of two releases at once one wins. */
export function poolRelease(pool: usize, slot: i32): i32 {
  const record = changetype<Pool>(pool);
  if (<u32>slot >= atomicLoad<u32>(pool + offsetof<Pool>('fresh'))) return ERROR_STALE_TOKEN;
  const link = linkOf(record, slot);
  const next = link + offsetof<PoolLink>('next');
  if (atomicCompareExchange<u32>(next, LINK_IN_USE, LINK_END) != LINK_IN_USE) {
    return ERROR_STALE_TOKEN;
  }
  // The link belongs to this thread alone until it is in the list, so plain
  // stores will do: the exchange of the head publishes them.
  const generation = load<u32>(link + offsetof<PoolLink>('generation')) + 1;
  store<u32>(link + offsetof<PoolLink>('generation'), generation == 0 ? 1 : generation);
  atomicSub<u32>(pool + offsetof<Pool>('inUse'), 1);
  let head = atomicLoad<u64>(pool + offsetof<Pool>('head'));
  while (true) {
    store<u32>(next, <u32>head);
    const replacement = (head & 0xffffffff00000000) | <u64>(<u32>slot);
    const found = atomicCompareExchange<u64>(pool + offsetof<Pool>('head'), head, replacement);
    if (found == head) return 0;
    head = found;
  }
}

/** `generation * 2^20 + slot` of a slot that is handed out. Never 0: no generation is. */
// @ts-ignore: decorator
@inline
export function poolToken(pool: usize, slot: i32): f64 {
  const record = changetype<Pool>(pool);
  invariant(<u32>slot < record.fresh);
  const generation = atomicLoad<u32>(linkOf(record, slot) + offsetof<PoolLink>('generation'));
  const bits = (TOKEN_EXPONENT << 52) | ((<u64>generation) << TOKEN_SLOT_BITS) | <u64>slot;
  return reinterpret<f64>(bits) - TOKEN_LIMIT;
}

/** The slot that the token names, or ERROR_STALE_TOKEN. Takes any number: tokens come from outside. */
// @ts-ignore: decorator
@noinline
export function poolCheck(pool: usize, token: f64): i32 {
  // An integer from 0 to 2^52 - 1 leaves its digits, and nothing else, in the sum's fraction.
  const sum = token + TOKEN_LIMIT;
  const bits = reinterpret<u64>(sum);
  if (bits >> 52 != TOKEN_EXPONENT || sum - TOKEN_LIMIT != token) return ERROR_STALE_TOKEN;
  const slot = <u32>bits & (POOL_CAPACITY_MAX - 1);
  if (slot >= atomicLoad<u32>(pool + offsetof<Pool>('fresh'))) return ERROR_STALE_TOKEN;
  const link = linkOf(changetype<Pool>(pool), slot);
  // In this order: a slot that is released and handed out again in between
  // has another generation by then.
  if (atomicLoad<u32>(link + offsetof<PoolLink>('next')) != LINK_IN_USE) return ERROR_STALE_TOKEN;
  const generation = atomicLoad<u32>(link + offsetof<PoolLink>('generation'));
  return generation == <u32>(bits >> TOKEN_SLOT_BITS) ? slot : ERROR_STALE_TOKEN;
}

// @ts-ignore: decorator
@noinline
export function poolAddress(pool: usize, slot: i32): usize {
  return slotAddress(pool, slot);
}

/** The same inlined, for what every message or turn passes. */
// @ts-ignore: decorator
@inline
export function slotAddress(pool: usize, slot: i32): usize {
  const record = changetype<Pool>(pool);
  invariant(<u32>slot < record.capacity);
  return record.slots + <usize>slot * record.stride;
}

export function poolInUse(pool: usize): u32 {
  return atomicLoad<u32>(pool + offsetof<Pool>('inUse'));
}

// @ts-ignore: decorator
@noinline
function takeFresh(pool: usize, record: Pool): i32 {
  let fresh = atomicLoad<u32>(pool + offsetof<Pool>('fresh'));
  while (fresh < record.capacity) {
    const found = atomicCompareExchange<u32>(pool + offsetof<Pool>('fresh'), fresh, fresh + 1);
    if (found == fresh) {
      const link = linkOf(record, fresh);
      store<u32>(link + offsetof<PoolLink>('generation'), 1);
      atomicStore<u32>(link + offsetof<PoolLink>('next'), LINK_IN_USE);
      atomicAdd<u32>(pool + offsetof<Pool>('inUse'), 1);
      return fresh;
    }
    fresh = found;
  }
  return ERROR_NO_BUFFERS;
}

// @ts-ignore: decorator
@inline
function linkOf(record: Pool, slot: u32): usize {
  return record.links + <usize>slot * offsetof<PoolLink>();
}
