/** The business of the pools in the order experiment: a checksum, over which some packets take longer than others. */

const ROUNDS_MOST = 8;

export function checksum(bytes: Uint8Array, start: number, count: number): number {
  let sum = 0x811c9dc5;
  const rounds = 1 + ((bytes[start + count - 1] as number) % ROUNDS_MOST);
  for (let round = 0; round < rounds; round++) {
    for (let i = start; i < start + count; i++) {
      sum = Math.imul(sum ^ (bytes[i] as number), 0x01000193);
    }
  }
  return sum >>> 0;
}
