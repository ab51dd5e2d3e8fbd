/**
 * The packets of the test harness: connection, sequence number and content of
 * each follow from the seed, so that a reply is checked by making the packet
 * again and none is kept.
 */
import { Buffer } from 'node:buffer';
import type { Framing } from '../framing.ts';
import { usageError } from './outcome.ts';

/** Bytes on the wire of the smallest and the largest packet; between them sizes are log-uniform. */
export interface SizeRange {
  readonly min: number;
  readonly max: number;
}

/** The largest packet of the seed's protocol: two bytes of length that count themselves. */
const MIXED_MAX_BYTES = 65_535;
/** Content is a slice of one random block: its start tells packets apart. */
const CONTENT_STARTS = 65_536;

/** `'mixed'`, one size or a range, in bytes on the wire. Returns undefined where `text` is none of these. */
export function parseSize(text: string): SizeRange | 'mixed' | undefined {
  if (text === 'mixed') return 'mixed';
  const [, min, max = min] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text) ?? [];
  const range = { min: Number(min), max: Number(max) };
  return range.min >= 1 && range.min <= range.max ? range : undefined;
}

export class Packets {
  /** Bytes of connection and sequence number at the front of each payload. */
  readonly headerBytes: number;
  readonly maxPayloadBytes: number;
  readonly #framing: Framing;
  readonly #seed: number;
  readonly #isText: boolean;
  readonly #range: SizeRange;
  readonly #logMin: number;
  readonly #logWidth: number;
  readonly #block: Buffer;
  readonly #packet: Buffer;

  /** @throws CommandError where the framing cannot carry packets of this size */
  constructor(framing: Framing, size: SizeRange | 'mixed', seed: number) {
    this.#framing = framing;
    this.#seed = seed | 0;
    // A line may hold no line break: numbers are written in hexadecimal, content is printable.
    this.#isText = framing.kind === 'line';
    this.headerBytes = this.#isText ? 16 : 8;
    const least = wireBytes(framing, this.headerBytes);
    const most = largestFrame(framing);
    this.#range = size === 'mixed' ? { min: least, max: Math.min(MIXED_MAX_BYTES, most) } : size;
    const { min, max } = this.#range;
    if (min < least || max > most) {
      throw usageError(
        `--size: ${min}-${max} is not allowed with this framing; allowed: ${least} to ${most} bytes, mixed`,
      );
    }
    this.#logMin = Math.log(min);
    this.#logWidth = Math.log(max + 1) - this.#logMin;
    this.maxPayloadBytes = payloadBytes(framing, max);
    this.#packet = Buffer.alloc(this.maxPayloadBytes);
    this.#block = randomBlock(CONTENT_STARTS + this.maxPayloadBytes, this.#seed, this.#isText);
  }

  /** Bytes of the payload. The first packet of a connection is the smallest, the second the largest. */
  size(connection: number, sequence: number): number {
    const { min, max } = this.#range;
    if (min === max || sequence < 2) return payloadBytes(this.#framing, sequence === 1 ? max : min);
    const fraction = (mix(this.#seed ^ 0x51ed270b, connection, sequence) >>> 0) / 2 ** 32;
    const wire = Math.floor(Math.exp(this.#logMin + fraction * this.#logWidth));
    return payloadBytes(this.#framing, Math.min(max, Math.max(min, wire)));
  }

  /** The payload, in memory that the next call writes again. */
  make(connection: number, sequence: number): Uint8Array {
    const size = this.size(connection, sequence);
    const packet = this.#packet;
    if (this.#isText) {
      packet.write(hex(connection) + hex(sequence), 'latin1');
    } else {
      packet.writeUInt32LE(connection, 0);
      packet.writeUInt32LE(sequence, 4);
    }
    const start = this.#start(connection, sequence);
    this.#block.copy(packet, this.headerBytes, start, start + size - this.headerBytes);
    return packet.subarray(0, size);
  }

  /** The connection's number in `bytes[offset, offset + size)`; NaN where there is none. */
  connection(bytes: Buffer, offset: number, size: number): number {
    return this.#number(bytes, offset, size, 0);
  }

  /** The sequence number in `bytes[offset, offset + size)`; NaN where there is none. */
  sequence(bytes: Buffer, offset: number, size: number): number {
    return this.#number(bytes, offset, size, 1);
  }

  /** Whether `bytes[offset, offset + size)` is exactly this packet. Its numbers have been compared already. */
  matches(
    bytes: Buffer,
    offset: number,
    size: number,
    connection: number,
    sequence: number,
  ): boolean {
    if (size !== this.size(connection, sequence)) return false;
    const contentBytes = size - this.headerBytes;
    if (contentBytes === 0) return true;
    const start = this.#start(connection, sequence);
    const at = offset + this.headerBytes;
    // Not `compare` with offsets: Deno mixes up its limits.
    const content = this.#block.subarray(start, start + contentBytes);
    return content.equals(bytes.subarray(at, at + contentBytes));
  }

  #start(connection: number, sequence: number): number {
    return mix(this.#seed, connection, sequence) & (CONTENT_STARTS - 1);
  }

  #number(bytes: Buffer, offset: number, size: number, index: number): number {
    if (size < this.headerBytes) return Number.NaN;
    if (!this.#isText) return bytes.readUInt32LE(offset + 4 * index);
    const text = bytes.toString('latin1', offset + 8 * index, offset + 8 * index + 8);
    return /^[0-9a-f]{8}$/.test(text) ? Number.parseInt(text, 16) : Number.NaN;
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

/** A number that looks random for each connection and sequence number (the finisher of MurmurHash3). */
function mix(seed: number, connection: number, sequence: number): number {
  let value = seed ^ Math.imul(connection + 1, 0x9e3779b1) ^ Math.imul(sequence + 1, 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}

function randomBlock(bytes: number, seed: number, printable: boolean): Buffer {
  const block = Buffer.alloc(bytes);
  for (let i = 0; i < bytes; i++) {
    const value = mix(seed ^ 0x2545f491, i, i >>> 5);
    block[i] = printable ? 33 + ((value >>> 0) % 94) : value;
  }
  return block;
}

/** Bytes of the frame around a payload. */
function wireBytes(framing: Framing, payload: number): number {
  switch (framing.kind) {
    case 'lengthField':
      return framing.strip + payload;
    case 'varint':
      return framing.offset + varintBytes(payload) + payload;
    case 'line':
      return payload + 1;
    default:
      throw usageError(
        `--framing: the harness needs frames that carry any payload, not '${framing.kind}'; allowed: u8 to u64be, varint, line`,
      );
  }
}

/** The largest payload whose frame has at most `wire` bytes. */
function payloadBytes(framing: Framing, wire: number): number {
  let payload = wire - wireBytes(framing, 0);
  while (wireBytes(framing, payload) > wire) payload--;
  return payload;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

function largestFrame(framing: Framing): number {
  if (framing.kind === 'raw' || framing.kind === 'fixed') return 0;
  if (framing.kind !== 'lengthField') return framing.maxFrameBytes;
  const value = 256 ** framing.size - 1;
  const header = framing.includesHeader ? 0 : framing.offset + framing.size;
  return Math.min(framing.maxFrameBytes, value + header + framing.adjustment);
}
