/** The other kinds whose frames say or have their length, and raw. */
import { MeasuredDecoder, PlainDecoder } from './decoder-base.ts';

export class Varint extends MeasuredDecoder {
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

export class Fixed extends MeasuredDecoder {
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

export class Raw extends PlainDecoder {
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
