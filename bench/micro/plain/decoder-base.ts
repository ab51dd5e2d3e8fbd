/**
 * Decoders as a good JavaScript programmer would write them by hand: typed
 * arrays, nothing allocated a message, messages reported as offset and length.
 * Input and the room for frames that span chunks are one array, so that putting
 * them together needs no view.
 */

import { searchableBytes } from './bytes.ts';

/** The message of event `i` is `bytes[events[2 i]]` up to `events[2 i + 1]` bytes on. */
export abstract class PlainDecoder {
  readonly bytes: Uint8Array;
  readonly events: Int32Array;
  count = 0;
  /** Two, because a message put together in one is still borrowed while the next begins. */
  readonly #areas: readonly [number, number];
  #area = 0;
  #held = 0;

  constructor(input: Uint8Array, roomBytes: number, capacity: number) {
    this.bytes = searchableBytes(input.length + 1 + 2 * roomBytes);
    this.bytes.set(input);
    // A search that finds nothing in the last chunk stops here.
    this.bytes[input.length] = 10;
    this.events = new Int32Array(2 * capacity);
    this.#areas = [input.length + 1, input.length + 1 + roomBytes];
  }

  /** Decodes `bytes[start]` to `bytes[end - 1]`; the number of messages. */
  decode(start: number, end: number): number {
    this.count = 0;
    let at = start;
    if (this.#held > 0) {
      at = this.#complete(start, end);
      if (this.#held > 0) return this.count;
    }
    at = this.scan(at, end);
    if (at < end) {
      this.bytes.copyWithin(this.#areas[this.#area] as number, at, end);
      this.#held = end - at;
    }
    return this.count;
  }

  #complete(start: number, end: number): number {
    const area = this.#areas[this.#area] as number;
    const held = this.#held;
    const take = this.missing(area, held, start, end);
    this.bytes.copyWithin(area + held, start, start + take);
    this.#held = held + take;
    // What is missing is known in steps: first the header, then the frame.
    if (this.deliver(area, this.#held)) {
      this.#held = 0;
      this.#area ^= 1;
    } else if (start + take < end) return this.#complete(start + take, end);
    return start + take;
  }

  protected report(offset: number, length: number): void {
    const at = this.count++ * 2;
    this.events[at] = offset;
    this.events[at + 1] = length;
  }

  /** Reports the whole frames in the input; returns where the first that is not whole begins. */
  protected abstract scan(from: number, end: number): number;
  /** How many bytes from `start` belong to the frame whose first `held` bytes lie at `area`, as far as known. */
  protected abstract missing(area: number, held: number, start: number, end: number): number;
  /** Reports the frame at `area` if its `held` bytes are all of it. */
  protected abstract deliver(area: number, held: number): boolean;
}

/** What length field, varint and fixed have in common. */
export abstract class MeasuredDecoder extends PlainDecoder {
  /** Bytes of the frame at `at` with its header, 0 while the header is not whole. */
  protected abstract frame(at: number, available: number): number;
  /** Bytes of a header that is whole. */
  protected abstract header(at: number): number;

  protected missing(area: number, held: number, start: number, end: number): number {
    const frame = this.frame(area, held);
    return frame === 0 ? 1 : Math.min(frame - held, end - start);
  }

  protected deliver(area: number, held: number): boolean {
    if (this.frame(area, held) !== held) return false;
    const header = this.header(area);
    this.report(area + header, held - header);
    return true;
  }
}
