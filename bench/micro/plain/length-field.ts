/** Length fields: one class a size and byte order, as one writes them by hand. */
import { MeasuredDecoder } from './decoder-base.ts';

export class Field1 extends MeasuredDecoder {
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

export class Field2Little extends MeasuredDecoder {
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

export class Field3Big extends MeasuredDecoder {
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

export class Field4Big extends MeasuredDecoder {
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

export class Field8Little extends MeasuredDecoder {
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
