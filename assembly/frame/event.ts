import { EVENT_BYTES } from '../layout';

/** The first half of an Event as one number: a loop over frames computes it once. */
// @ts-ignore: decorator
@inline
export function eventHead(kind: u32, connection: i32): u64 {
  return u64(kind) | (u64(u32(connection)) << 32);
}

/** Writes one Event as two stores. */
// @ts-ignore: decorator
@inline
export function writeEvent(cell: usize, head: u64, offset: usize, length: u32): void {
  store<u64>(cell, head);
  store<u64>(cell, u64(offset) | (u64(length) << 32), 8);
}

// @ts-ignore: decorator
@inline
export function eventCell(out: usize, index: u32): usize {
  return out + <usize>index * EVENT_BYTES;
}
