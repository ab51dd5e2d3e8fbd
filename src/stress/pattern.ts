/** The stream of the receive experiment (R16): 0, 1, …, max, 0, 1, … */

/** Fills a range with the stream from `value` on; returns the value that comes next. */
export function fillPattern(
  bytes: Uint8Array,
  start: number,
  end: number,
  value: number,
  max: number,
): number {
  let next = value;
  for (let i = start; i < end; i++) {
    bytes[i] = next;
    next = next === max ? 0 : next + 1;
  }
  return next;
}

/**
 * Where the slice `[start, end)` first does not count up by one, whatever it
 * begins with; `end` if it does all the way.
 */
export function checkPattern(bytes: Uint8Array, start: number, end: number, max: number): number {
  let expected = bytes[start] as number;
  if (expected > max) return start;
  for (let i = start + 1; i < end; i++) {
    expected = expected === max ? 0 : expected + 1;
    if (bytes[i] !== expected) return i;
  }
  return end;
}
