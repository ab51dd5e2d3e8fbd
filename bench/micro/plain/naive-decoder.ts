/**
 * Decoders as many people write them: the rest of the last chunk and the new
 * one are put together, and each message is a view.
 */

import { hasBuffer } from './bytes.ts';

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  if (hasBuffer) return Buffer.concat([first, second]);
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}

/** The bytes of the first frame at `at`, and how many of them stand before and after its message. */
type FindFrame = (
  bytes: Uint8Array,
  at: number,
) => { readonly end: number; readonly header: number; readonly trailer: number } | undefined;

export class NaiveDecoder {
  messages: Uint8Array[] = [];
  #rest: Uint8Array = new Uint8Array(0);
  readonly #find: FindFrame;

  constructor(find: FindFrame) {
    this.#find = find;
  }

  decode(chunk: Uint8Array): number {
    this.messages = [];
    let bytes = concat(this.#rest, chunk);
    for (;;) {
      const frame = this.#find(bytes, 0);
      if (frame === undefined) break;
      this.messages.push(bytes.subarray(frame.header, frame.end - frame.trailer));
      bytes = bytes.subarray(frame.end);
    }
    this.#rest = bytes;
    return this.messages.length;
  }
}

/** Length field of 4 bytes, the highest first. */
export const findBigEndian4: FindFrame = (bytes, at) => {
  if (bytes.length - at < 4) return undefined;
  const length = hasBuffer
    ? (bytes as Buffer).readUInt32BE(at)
    : new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
  const end = at + 4 + length;
  return end > bytes.length ? undefined : { end, header: 4, trailer: 0 };
};

export const findLine: FindFrame = (bytes, at) => {
  const end = bytes.indexOf(10, at);
  if (end < 0) return undefined;
  return { end: end + 1, header: 0, trailer: end > at && bytes[end - 1] === 13 ? 2 : 1 };
};
