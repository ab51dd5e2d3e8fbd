/** Ends of lines by `indexOf` in a loop: what most programs that split by a delimiter do. */

/** Writes offset and length of each whole line in `bytes` to `events`; the number of lines. */
export function splitByByte(bytes: Uint8Array, byte: number, events: Int32Array): number {
  let count = 0;
  for (let start = 0; ; ) {
    const at = bytes.indexOf(byte, start);
    if (at < 0) return count;
    events[2 * count] = start;
    events[2 * count + 1] = at - start - (at > start && bytes[at - 1] === 13 ? 1 : 0);
    count++;
    start = at + 1;
  }
}

/** The same for a delimiter of several bytes, in hosts that have `Buffer`. */
export function splitByText(bytes: Buffer, delimiter: Buffer, events: Int32Array): number {
  let count = 0;
  for (let start = 0; ; ) {
    const at = bytes.indexOf(delimiter, start);
    if (at < 0) return count;
    events[2 * count] = start;
    events[2 * count + 1] = at - start;
    count++;
    start = at + delimiter.length;
  }
}
