/**
 * The tight loops over frames whose length stands in a field. They go from one
 * field's 8 bytes (`Framing.window`) to the next and read only the lowest byte
 * of the value, or the lowest two, whatever the field's size and order: the
 * next frame then waits for a short load and one addition. That the other bytes
 * are 0 is only checked, and nothing waits for that. Each loop is a function of
 * its own with few values alive, so that they are in registers.
 */
import { EVENT_BYTES, Framing } from '../layout';

/** The lowest byte of a value, or the lowest two. */
// @ts-ignore: decorator
@inline
function lowest(isBig: bool, pair: bool, at: usize): usize {
  if (!isBig) return pair ? load<u16>(at) : load<u8>(at);
  const low: usize = load<u8>(at, 7);
  return pair ? low | (usize(load<u8>(at, 6)) << 8) : low;
}

/**
 * Delivers frames behind which another one's 8 bytes are there: those before
 * `last`, which is where the last 8 bytes of the input begin.
 */
// @ts-ignore: decorator
@inline
function walk(
  isBig: bool,
  pair: bool,
  above: u64,
  framing: Framing,
  head: u64,
  from: usize,
  last: usize,
  out: usize,
  stop: usize,
): u64 {
  const least = framing.least;
  const spread = framing.spread;
  const step: usize = framing.uncounted;
  const toMessage: usize = framing.toMessage;
  const toLength: usize = framing.toLength;
  let at = from;
  let cell = out;
  let value = lowest(isBig, pair, at);
  while (cell != stop) {
    if ((load<u64>(at) & above) != 0) break;
    if (u32(value) - least > spread) break;
    const next = at + step + value;
    if (next > last) break;
    store<u64>(cell, head);
    store<u32>(cell, at + toMessage, 8);
    store<u32>(cell, value + toLength, 12);
    cell += EVENT_BYTES;
    // Read here and not above: an address that was just added up needs no conversion.
    value = lowest(isBig, pair, next);
    at = next;
  }
  return (u64(cell) << 32) | u64(at);
}

// @ts-ignore: decorator
@noinline
function walkLittle(f: Framing, head: u64, at: usize, last: usize, out: usize, stop: usize): u64 {
  return walk(false, false, f.above8, f, head, at, last, out, stop);
}

// @ts-ignore: decorator
@noinline
function walkLittlePair(
  f: Framing,
  head: u64,
  at: usize,
  last: usize,
  out: usize,
  stop: usize,
): u64 {
  return walk(false, true, f.above16, f, head, at, last, out, stop);
}

// @ts-ignore: decorator
@noinline
function walkBig(f: Framing, head: u64, at: usize, last: usize, out: usize, stop: usize): u64 {
  return walk(true, false, f.above8, f, head, at, last, out, stop);
}

// @ts-ignore: decorator
@noinline
function walkBigPair(f: Framing, head: u64, at: usize, last: usize, out: usize, stop: usize): u64 {
  return walk(true, true, f.above16, f, head, at, last, out, stop);
}

/**
 * Delivers frames from the one whose 8 bytes are at `at` on, as long as values
 * are below 2^8 (with `pair` 2^16) and as another frame's 8 bytes follow.
 * `last` is where the last 8 bytes of the input begin, and no address up to the
 * greatest frame's length behind it wraps.
 * @returns the 8 bytes that it stopped at, and above them the cell after the last event
 */
// @ts-ignore: decorator
@inline
export function walkFields(
  framing: Framing,
  isBig: bool,
  pair: bool,
  head: u64,
  at: usize,
  last: usize,
  out: usize,
  stop: usize,
): u64 {
  if (isBig) {
    return pair
      ? walkBigPair(framing, head, at, last, out, stop)
      : walkBig(framing, head, at, last, out, stop);
  }
  return pair
    ? walkLittlePair(framing, head, at, last, out, stop)
    : walkLittle(framing, head, at, last, out, stop);
}
