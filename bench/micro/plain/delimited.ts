/** Lines, and CR LF as a delimiter. */
import { hasBuffer } from './bytes.ts';
import { PlainDecoder } from './decoder-base.ts';

/**
 * Below this many bytes a loop finds the end sooner than `Uint8Array.indexOf`
 * does; `Buffer.indexOf` is always sooner.
 */
const LOOP_BYTES = hasBuffer ? 0 : 256;

abstract class Delimited extends PlainDecoder {
  protected readonly short: boolean;
  constructor(input: Uint8Array, roomBytes: number, capacity: number, lineBytes: number) {
    super(input, roomBytes, capacity);
    this.short = lineBytes < LOOP_BYTES;
  }
}

export class Line extends Delimited {
  protected scan(from: number, end: number): number {
    const { bytes, events } = this;
    let start = from;
    let event = this.count * 2;
    if (this.short) {
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
export class Delimiter extends Delimited {
  protected scan(from: number, end: number): number {
    const { bytes, events } = this;
    let start = from;
    let event = this.count * 2;
    if (this.short) {
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
