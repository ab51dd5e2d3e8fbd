/** Frames by hand: header and message written into one typed array, nothing allocated. */
import type { Shape } from '../streams.ts';

/** Shorter messages are copied faster by a loop than by a call. */
const LOOP_BYTES = 20;

/** Writes frames of `count` messages of `length` bytes at `from`, one behind the other, from `to` on; returns the end, or -1. */
export type PlainEncoder = (from: number, length: number, count: number, to: number) => number;

export function plainEncoder(
  { kind, fieldBytes, bigEndian }: Shape,
  bytes: Uint8Array,
): PlainEncoder {
  function copy(from: number, length: number, to: number): void {
    if (length > LOOP_BYTES) bytes.copyWithin(to, from, from + length);
    else for (let index = 0; index < length; index++) bytes[to + index] = bytes[from + index]!;
  }

  /**
   * Copies a message and writes a line feed behind it, which stops the search
   * for one inside; false if there is a delimiter that must not be there.
   */
  function copyChecked(from: number, length: number, to: number, pair: boolean): boolean {
    copy(from, length, to);
    const end = to + length;
    bytes[end] = 10;
    let found = bytes.indexOf(10, to);
    while (pair && found < end && (found === to || bytes[found - 1] !== 13)) {
      found = bytes.indexOf(10, found + 1);
    }
    return found === end && (pair || length === 0 || bytes[end - 1] !== 13);
  }

  switch (kind) {
    case 'lengthField':
      return (from, length, count, to) => {
        let at = to;
        let message = from;
        for (let index = 0; index < count; index++) {
          if (bigEndian) {
            for (let place = fieldBytes - 1, rest = length; place >= 0; place--) {
              bytes[at + place] = rest;
              rest >>>= 8;
            }
          } else {
            for (let place = 0, rest = length; place < fieldBytes; place++) {
              bytes[at + place] = rest;
              rest >>>= 8;
            }
          }
          copy(message, length, at + fieldBytes);
          at += fieldBytes + length;
          message += length;
        }
        return at;
      };
    case 'varint':
      return (from, length, count, to) => {
        let at = to;
        let message = from;
        for (let index = 0; index < count; index++) {
          let rest = length;
          for (; rest >= 128; rest >>>= 7) bytes[at++] = rest | 128;
          bytes[at++] = rest;
          copy(message, length, at);
          at += length;
          message += length;
        }
        return at;
      };
    case 'line':
    case 'delimiter': {
      const pair = kind === 'delimiter';
      return (from, length, count, to) => {
        let at = to;
        let message = from;
        for (let index = 0; index < count; index++) {
          if (!copyChecked(message, length, at, pair)) return -1;
          at += length;
          message += length;
          if (pair) bytes[at++] = 13;
          bytes[at++] = 10;
        }
        return at;
      };
    }
    default:
      return (from, length, count, to) => {
        let at = to;
        let message = from;
        for (let index = 0; index < count; index++) {
          copy(message, length, at);
          at += length;
          message += length;
        }
        return at;
      };
  }
}
