/** The frames of peer.c: sizes and bytes follow from the seed and the frame's number. */
import { type Framing, lengthField } from '../../src/index.ts';

export const HEADER_BYTES = 2;

/** A run of frames, as both sides know it. */
export interface FramePlan {
  readonly messages: number;
  /** Of a whole frame, its two bytes of length included. */
  readonly sizeBytes: readonly [least: number, most: number];
  readonly seed: number;
}

/** The frames on the wire. */
export function peerFraming(maxFrameBytes = 65_535): Framing {
  return lengthField({ size: 2, endian: 'little', includesHeader: true, maxFrameBytes });
}

function mix(value: number): number {
  let x = value >>> 0;
  x ^= x >>> 16;
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** The message (a frame without its length) with that number. */
export function message({ sizeBytes, seed }: FramePlan, number: number): Uint8Array {
  const [least, most] = sizeBytes;
  let state = mix(Math.imul(seed, 0x9e3779b1) + number + 1);
  const bytes = new Uint8Array(least + (state % (most - least + 1)) - HEADER_BYTES);
  for (let index = 0; index < bytes.length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/** Bytes of all frames on the wire. */
export function wireBytes(plan: FramePlan, messages = plan.messages): number {
  let sum = 0;
  for (let number = 0; number < messages; number += 1) {
    sum += message(plan, number).length + HEADER_BYTES;
  }
  return sum;
}

/** Takes messages in order and remembers the first one that is not the next of the plan. */
export class Checker {
  readonly plan: FramePlan;
  count = 0;
  wrong: string | undefined;

  constructor(plan: FramePlan) {
    this.plan = plan;
  }

  take(bytes: Uint8Array): void {
    const right = message(this.plan, this.count);
    const isRight =
      this.count < this.plan.messages &&
      bytes.length === right.length &&
      right.every((byte, index) => byte === bytes[index]);
    if (!isRight) this.wrong ??= `message ${this.count} of ${bytes.length} bytes`;
    this.count += 1;
  }

  get isComplete(): boolean {
    return this.count === this.plan.messages;
  }
}
