/** A decoder and an encoder straight on the core's exports, at fixed addresses of one memory. */
import * as layout from '#generated/layout';
import { writeFramingRecord } from '../../../src/core/framing-record.ts';
import type { Framing } from '../../../src/framing.ts';
import type { TestCore } from '../../support/variants.ts';

const DECODER = 1024;
const CONTEXT = 1088;
const FRAMING = 1152;
const ARENA = 4096;
const ORDERS = 8192;
export const ARENA_BASE = 65_536;
export const OWNER = -77;

export interface Decoded {
  readonly kind: 'message' | 'oversize';
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly offset: number;
}

export interface Fed {
  readonly events: readonly Decoded[];
  /** The decoder's error after the last call, 0 if none. */
  readonly error: number;
  /** Bytes of the chunk taken in all calls. */
  readonly taken: number;
  readonly calls: number;
  /** Where the chunk lay. */
  readonly input: number;
  /** Arena bytes in use before the delivered blocks were reclaimed, and after. */
  readonly usedBefore: number;
  readonly usedAfter: number;
}

export class FrameHarness {
  readonly core: TestCore;
  readonly arenaLog2: number;
  readonly u8: Uint8Array;
  readonly view: DataView;

  constructor(core: TestCore, arenaLog2 = 20) {
    this.core = core;
    this.arenaLog2 = arenaLog2;
    this.u8 = new Uint8Array(core.memory.buffer);
    this.view = new DataView(core.memory.buffer);
  }

  field(offset: number): number {
    return this.view.getInt32(DECODER + offset, true);
  }

  get copied(): number {
    return this.field(layout.Decoder.copied) >>> 0;
  }

  get used(): number {
    return this.core.exports.arenaUsed(ARENA) >>> 0;
  }

  /** Everything as new, with this framing. */
  start(framing: Framing): void {
    this.u8.fill(0, 0, ARENA_BASE);
    this.core.exports.arenaInit(ARENA, ARENA_BASE, this.arenaLog2, ORDERS);
    writeFramingRecord(this.core.memory, FRAMING, framing);
    this.view.setUint32(DECODER + layout.Decoder.framing, FRAMING, true);
    this.view.setInt32(DECODER + layout.Decoder.owner, OWNER, true);
    this.view.setUint32(CONTEXT + layout.DecodeContext.arena, ARENA, true);
  }

  /** The input ends where memory ends: reading past it traps. */
  feed(chunk: Uint8Array, capacity = 64): Fed {
    const input = this.u8.length - chunk.length;
    this.u8.set(chunk, input);
    const events: Decoded[] = [];
    let taken = 0;
    let calls = 0;
    do {
      const out = this.#out(capacity);
      const { exports } = this.core;
      const count = exports.decode(
        CONTEXT,
        DECODER,
        input + taken,
        chunk.length - taken,
        out,
        capacity,
      );
      calls++;
      if (count > capacity) throw new Error(`${count} events where ${capacity} fit`);
      events.push(...this.#read(out, count));
      const consumed = this.field(layout.Decoder.consumed);
      taken += consumed;
      if (this.error !== 0) break;
      if (taken < chunk.length && count < capacity) {
        throw new Error(`${taken} of ${chunk.length} bytes taken with room for more events`);
      }
    } while (taken < chunk.length);
    const usedBefore = this.used;
    this.core.exports.decodeReclaim(CONTEXT);
    return { events, error: this.error, taken, calls, input, usedBefore, usedAfter: this.used };
  }

  end(): Pick<Fed, 'events' | 'error'> {
    const out = this.#out(1);
    const count = this.core.exports.decodeEnd(CONTEXT, DECODER, out, 1);
    const events = this.#read(out, count);
    this.core.exports.decodeReclaim(CONTEXT);
    return { events, error: this.error };
  }

  reset(): void {
    this.core.exports.decodeReset(CONTEXT, DECODER);
  }

  get error(): number {
    return this.field(layout.Decoder.error);
  }

  /** The frame of a message by both ways there are, which must agree; or the negative error. */
  encode(message: Uint8Array): Uint8Array | number {
    const { exports } = this.core;
    const at = ARENA_BASE;
    const source = this.u8.length - message.length;
    this.u8.set(message, source);
    const bytes = exports.encodedBytes(FRAMING, source, message.length);
    const bySize = exports.encodedLength(FRAMING, message.length);
    const guard = 64;
    const room = Math.max(bytes, bySize, 0);
    this.u8.fill(0xee, at - guard, at + room + guard);
    if (bytes >= 0) {
      const written = exports.encode(FRAMING, source, message.length, at);
      if (written !== bytes) throw new Error(`${written} bytes written, ${bytes} announced`);
    }
    const frame = this.u8.slice(at, at + room);
    let sealed = bySize;
    if (bySize >= 0) {
      this.u8.fill(0xdd, at, at + room);
      const gap = exports.encodeFrame(FRAMING, message.length, at);
      this.u8.set(message, at + gap);
      sealed = exports.encodeSeal(FRAMING, message.length, at);
    }
    if (sealed !== bytes) throw new Error(`encodeSeal: ${sealed}, encodedBytes: ${bytes}`);
    for (let i = 1; i <= guard; i++) {
      if (this.u8[at - i] !== 0xee || this.u8[at + room + i - 1] !== 0xee) {
        throw new Error('written outside of the frame');
      }
    }
    if (bytes < 0) return bytes;
    const again = this.u8.subarray(at, at + room);
    if (!frame.every((byte, i) => byte === again[i])) throw new Error('the two ways differ');
    return frame;
  }

  /** Events too end where memory might be touched by mistake: a guard follows them. */
  #out(capacity: number): number {
    const out = ARENA_BASE - (capacity + 1) * layout.EVENT_BYTES;
    this.u8.fill(0xaa, out, ARENA_BASE);
    return out;
  }

  #read(out: number, count: number): Decoded[] {
    const events: Decoded[] = [];
    for (let i = 0; i < count; i++) {
      const at = out + i * layout.EVENT_BYTES;
      const kind = this.view.getUint32(at + layout.Event.kind, true);
      const offset = this.view.getUint32(at + layout.Event.offset, true);
      const length = this.view.getUint32(at + layout.Event.length, true);
      if (this.view.getInt32(at + layout.Event.connection, true) !== OWNER) {
        throw new Error('an event without its owner');
      }
      const isMessage = kind === layout.EVENT_MESSAGE;
      if (!isMessage && kind !== layout.EVENT_OVERSIZE) throw new Error(`event of kind ${kind}`);
      events.push({
        kind: isMessage ? 'message' : 'oversize',
        bytes: isMessage ? this.u8.slice(offset, offset + length) : new Uint8Array(),
        length,
        offset,
      });
    }
    for (let i = ARENA_BASE - layout.EVENT_BYTES; i < ARENA_BASE; i++) {
      if (this.u8[i] !== 0xaa) throw new Error('written past the event ring');
    }
    return events;
  }
}
