/** Copies of messages, most of which are short. */

/** Above this `memory.copy`, which leaves the module, is the faster one. */
const SHORT_BYTES: u32 = 256;

/** Copies `length` bytes between ranges that do not overlap. */
export function copyBytes(to: usize, from: usize, length: u32): void {
  if (length > SHORT_BYTES) {
    memory.copy(to, from, length);
    return;
  }
  if (length >= 16) {
    const last = length - 16;
    for (let at: u32 = 0; at < last; at += 16) v128.store(to + at, v128.load(from + at));
    // The tail overlaps what was copied: no shorter steps are needed.
    v128.store(to + last, v128.load(from + last));
    return;
  }
  if (length >= 8) {
    const last = length - 8;
    const tail = load<u64>(from + last);
    store<u64>(to, load<u64>(from));
    store<u64>(to + last, tail);
    return;
  }
  for (let at: u32 = 0; at < length; at++) store<u8>(to + at, load<u8>(from + at));
}

/** As `copyBytes`, inlined for what most messages are: 16 to 128 bytes. */
// @ts-ignore: decorator
@inline
export function copyShort(to: usize, from: usize, length: u32): void {
  if (length - 16 <= 112) {
    const last = length - 16;
    for (let at: u32 = 0; at < last; at += 16) v128.store(to + at, v128.load(from + at));
    v128.store(to + last, v128.load(from + last));
  } else copyBytes(to, from, length);
}
