/**
 * Decoders as a good JavaScript programmer would write them by hand: typed
 * arrays, nothing allocated a message, messages reported as offset and length.
 * Input and the room for frames that span chunks are one array, so that putting
 * them together needs no view.
 */

import { hasBuffer, searchableBytes } from './bytes.ts';

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
abstract class MeasuredDecoder extends PlainDecoder {
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

class Field1 extends MeasuredDecoder {
  protected scan(from: number, end: number): number {
    const { bytes, events } = this;
    let at = from;
    let event = this.count * 2;
    while (at < end) {
      const length = bytes[at] as number;
      if (length + 1 > end - at) break;
      events[event] = at + 1;
      events[event + 1] = length;
      event += 2;
      at += length + 1;
    }
    this.count = event >> 1;
    return at;
  }
  protected frame(at: number): number {
    return (this.bytes[at] as number) + 1;
  }
  protected header(): number {
    return 1;
  }
}

class Field2Little extends MeasuredDecoder {
  protected scan(from: number, end: number): number {
    const { bytes, events } = this;
    let at = from;
    let event = this.count * 2;
    while (end - at >= 2) {
      const length = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
      if (length + 2 > end - at) break;
      events[event] = at + 2;
      events[event + 1] = length;
      event += 2;
      at += length + 2;
    }
    this.count = event >> 1;
    return at;
  }
  protected frame(at: number, available: number): number {
    if (available < 2) return 0;
    return ((this.bytes[at] as number) | ((this.bytes[at + 1] as number) << 8)) + 2;
  }
  protected header(): number {
    return 2;
  }
}

class Field3Big extends MeasuredDecoder {
  protected scan(from: number, end: number): number {
    const { bytes, events } = this;
    let at = from;
    let event = this.count * 2;
    while (end - at >= 3) {
      const length =
        ((bytes[at] as number) << 16) |
        ((bytes[at + 1] as number) << 8) |
        (bytes[at + 2] as number);
      if (length + 3 > end - at) break;
      events[event] = at + 3;
      events[event + 1] = length;
      event += 2;
      at += length + 3;
    }
    this.count = event >> 1;
    return at;
  }
  protected frame(at: number, available: number): number {
    if (available < 3) return 0;
    const { bytes } = this;
    return (
      (((bytes[at] as number) << 16) |
        ((bytes[at + 1] as number) << 8) |
        (bytes[at + 2] as number)) +
      3
    );
  }
  protected header(): number {
    return 3;
  }
}

class Field4Big extends MeasuredDecoder {
  protected scan(from: number, end: number): number {
    const { bytes, events } = this;
    let at = from;
    let event = this.count * 2;
    while (end - at >= 4) {
      const length =
        (((bytes[at] as number) << 24) |
          ((bytes[at + 1] as number) << 16) |
          ((bytes[at + 2] as number) << 8) |
          (bytes[at + 3] as number)) >>>
        0;
      if (length + 4 > end - at) break;
      events[event] = at + 4;
      events[event + 1] = length;
      event += 2;
      at += length + 4;
    }
    this.count = event >> 1;
    return at;
  }
  protected frame(at: number, available: number): number {
    if (available < 4) return 0;
    const { bytes } = this;
    return (
      ((((bytes[at] as number) << 24) |
        ((bytes[at + 1] as number) << 16) |
        ((bytes[at + 2] as number) << 8) |
        (bytes[at + 3] as number)) >>>
        0) +
      4
    );
  }
  protected header(): number {
    return 4;
  }
}

class Field8Little extends MeasuredDecoder {
  protected scan(from: number, end: number): number {
    const { events } = this;
    let at = from;
    let event = this.count * 2;
    while (end - at >= 8) {
      const frame = this.frame(at, 8);
      if (frame > end - at) break;
      events[event] = at + 8;
      events[event + 1] = frame - 8;
      event += 2;
      at += frame;
    }
    this.count = event >> 1;
    return at;
  }
  protected frame(at: number, available: number): number {
    if (available < 8) return 0;
    const { bytes } = this;
    const low =
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24)) >>>
      0;
    const high =
      ((bytes[at + 4] as number) |
        ((bytes[at + 5] as number) << 8) |
        ((bytes[at + 6] as number) << 16) |
        ((bytes[at + 7] as number) << 24)) >>>
      0;
    return high * 2 ** 32 + low + 8;
  }
  protected header(): number {
    return 8;
  }
}

class Varint extends MeasuredDecoder {
  protected scan(from: number, end: number): number {
    const { bytes, events } = this;
    let at = from;
    let event = this.count * 2;
    while (at < end) {
      let length = bytes[at] as number;
      let header = 1;
      if (length >= 128) {
        const frame = this.frame(at, end - at);
        if (frame === 0) break;
        header = this.header(at);
        length = frame - header;
      }
      if (header + length > end - at) break;
      events[event] = at + header;
      events[event + 1] = length;
      event += 2;
      at += header + length;
    }
    this.count = event >> 1;
    return at;
  }
  protected frame(at: number, available: number): number {
    const { bytes } = this;
    let value = 0;
    for (let index = 0; index < available && index < 5; index++) {
      const group = bytes[at + index] as number;
      value |= (group & 127) << (7 * index);
      if (group < 128) return (value >>> 0) + index + 1;
    }
    return 0;
  }
  protected header(at: number): number {
    const { bytes } = this;
    let count = 1;
    while ((bytes[at + count - 1] as number) >= 128) count++;
    return count;
  }
}

class Fixed extends MeasuredDecoder {
  readonly #size: number;
  constructor(input: Uint8Array, roomBytes: number, capacity: number, size: number) {
    super(input, roomBytes, capacity);
    this.#size = size;
  }
  protected scan(from: number, end: number): number {
    const { events } = this;
    const size = this.#size;
    let at = from;
    let event = this.count * 2;
    while (end - at >= size) {
      events[event] = at;
      events[event + 1] = size;
      event += 2;
      at += size;
    }
    this.count = event >> 1;
    return at;
  }
  protected frame(): number {
    return this.#size;
  }
  protected header(): number {
    return 0;
  }
}

class Raw extends PlainDecoder {
  protected scan(from: number, end: number): number {
    this.report(from, end - from);
    return end;
  }
  protected missing(): number {
    return 0;
  }
  protected deliver(): boolean {
    return true;
  }
}

/**
 * Below this many bytes a loop finds the end sooner than `Uint8Array.indexOf`
 * does; `Buffer.indexOf` is always sooner.
 */
const LOOP_BYTES = hasBuffer ? 0 : 256;

class Line extends PlainDecoder {
  readonly #short: boolean;
  constructor(input: Uint8Array, roomBytes: number, capacity: number, lineBytes: number) {
    super(input, roomBytes, capacity);
    this.#short = lineBytes < LOOP_BYTES;
  }
  protected scan(from: number, end: number): number {
    const { bytes, events } = this;
    let start = from;
    let event = this.count * 2;
    if (this.#short) {
      for (let at = from; at < end; at++) {
        if (bytes[at] !== 10) continue;
        events[event] = start;
        events[event + 1] = at - start - (at > start && bytes[at - 1] === 13 ? 1 : 0);
        event += 2;
        start = at + 1;
      }
    } else {
      for (;;) {
        const at = bytes.indexOf(10, start);
        if (at < 0 || at >= end) break;
        events[event] = start;
        events[event + 1] = at - start - (at > start && bytes[at - 1] === 13 ? 1 : 0);
        event += 2;
        start = at + 1;
      }
    }
    this.count = event >> 1;
    return start;
  }
  protected missing(_area: number, _held: number, start: number, end: number): number {
    const at = this.bytes.indexOf(10, start);
    return at < 0 || at >= end ? end - start : at + 1 - start;
  }
  protected deliver(area: number, held: number): boolean {
    const { bytes } = this;
    if (bytes[area + held - 1] !== 10) return false;
    this.report(area, held - 1 - (held > 1 && bytes[area + held - 2] === 13 ? 1 : 0));
    return true;
  }
}

/** CR LF. */
class Delimiter extends PlainDecoder {
  readonly #short: boolean;
  constructor(input: Uint8Array, roomBytes: number, capacity: number, lineBytes: number) {
    super(input, roomBytes, capacity);
    this.#short = lineBytes < LOOP_BYTES;
  }
  protected scan(from: number, end: number): number {
    const { bytes, events } = this;
    let start = from;
    let event = this.count * 2;
    if (this.#short) {
      for (let at = from + 1; at < end; at++) {
        if (bytes[at] !== 10 || bytes[at - 1] !== 13 || at - 1 < start) continue;
        events[event] = start;
        events[event + 1] = at - 1 - start;
        event += 2;
        start = at + 1;
      }
    } else {
      for (let at = from; ; at++) {
        at = bytes.indexOf(10, at);
        if (at < 0 || at >= end) break;
        if (at - 1 < start || bytes[at - 1] !== 13) continue;
        events[event] = start;
        events[event + 1] = at - 1 - start;
        event += 2;
        start = at + 1;
      }
    }
    this.count = event >> 1;
    return start;
  }
  protected missing(area: number, held: number, start: number, end: number): number {
    const { bytes } = this;
    let before = bytes[area + held - 1];
    for (let at = start; at < end; at++) {
      const byte = bytes[at];
      if (byte === 10 && before === 13) return at + 1 - start;
      before = byte;
    }
    return end - start;
  }
  protected deliver(area: number, held: number): boolean {
    const { bytes } = this;
    if (held < 2 || bytes[area + held - 1] !== 10 || bytes[area + held - 2] !== 13) return false;
    this.report(area, held - 2);
    return true;
  }
}

const BY_NAME: Readonly<
  Record<
    string,
    new (
      input: Uint8Array,
      roomBytes: number,
      capacity: number,
      frameBytes: number,
    ) => PlainDecoder
  >
> = {
  lengthField1: Field1,
  lengthField2le: Field2Little,
  lengthField3be: Field3Big,
  lengthField4be: Field4Big,
  lengthField8le: Field8Little,
  varint: Varint,
  fixed: Fixed,
  raw: Raw,
  line: Line,
  delimiter: Delimiter,
};

export function plainDecoder(
  shape: string,
  input: Uint8Array,
  roomBytes: number,
  capacity: number,
  frameBytes: number,
): PlainDecoder {
  const Decoder = BY_NAME[shape];
  if (Decoder === undefined) throw new Error(`no decoder by hand for ${shape}`);
  return new Decoder(input, roomBytes, capacity, frameBytes);
}
