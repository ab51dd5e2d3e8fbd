/**
 * The packets of the sender experiment (R17). Everything about packet `n`
 * follows from its number: size, and every byte.
 *
 * On the wire first comes the instance's number (4 bytes); then the packets,
 * each of it: the instance's number again, the size of the whole, the packet's
 * number (4 bytes each, little-endian), content.
 */

export const PACKET_HEADER_BYTES = 12;
export const INSTANCE_BYTES = 4;

export interface PacketPlan {
  readonly instance: number;
  readonly packets: number;
  readonly leastBytes: number;
  readonly mostBytes: number;
}

export function packetSize({ leastBytes, mostBytes }: PacketPlan, number: number): number {
  return leastBytes + (mix(number) % (mostBytes - leastBytes + 1));
}

/** Writes packet `number` at `start`; returns its size. */
export function writePacket(
  bytes: Uint8Array,
  start: number,
  plan: PacketPlan,
  number: number,
): number {
  const size = packetSize(plan, number);
  writeWord(bytes, start, plan.instance);
  writeWord(bytes, start + 4, size);
  writeWord(bytes, start + 8, number);
  const salt = mix(number ^ 0x5bd1e995);
  for (let i = PACKET_HEADER_BYTES; i < size; i++) bytes[start + i] = contentByte(salt, i);
  return size;
}

/** Whether packet `number`, whose header is right, is whole. */
export function isWholePacket(
  bytes: Uint8Array,
  start: number,
  size: number,
  number: number,
): boolean {
  const salt = mix(number ^ 0x5bd1e995);
  for (let i = PACKET_HEADER_BYTES; i < size; i++) {
    if (bytes[start + i] !== (contentByte(salt, i) & 0xff)) return false;
  }
  return true;
}

export function readWord(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = bytes.subarray(at, at + 4);
  return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
}

export function writeWord(bytes: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < 4; i++) bytes[at + i] = value >>> (8 * i);
}

/** Neighbouring bytes differ, and bytes 64 apart too. */
function contentByte(salt: number, i: number): number {
  return (salt >>> (i & 15)) + i * 7 + (i >>> 6) * 13;
}

/** The finisher of MurmurHash3. */
function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
