/**
 * The core's decoder on a stream whose bytes several threads hand in, one at a
 * time: its state lies in the shared memory, whole frames come out.
 */
import * as layout from '#generated/layout';
import type { Arena } from '../core/arena.ts';
import type { Core } from '../core/core.ts';
import { framingRecordBytes, writeFramingRecord } from '../core/framing-record.ts';
import { OverlappedError } from '../errors.ts';
import { lengthField } from '../framing.ts';

/** The documents' frames: two bytes of length that count themselves (R10). */
export const FRAMING = lengthField({ size: 2, endian: 'little', includesHeader: true, strip: 0 });

const CONTEXT = layout.DECODER_BYTES;
const RECORD = CONTEXT + layout.DECODE_CONTEXT_BYTES;
const EVENTS = (RECORD + framingRecordBytes(FRAMING) + 15) & ~15;
const EVENT_CAPACITY = 64;
const STATE_BYTES = EVENTS + EVENT_CAPACITY * layout.EVENT_BYTES;

export class StreamDecoder {
  readonly #core: Core;
  readonly #state: number;

  private constructor(core: Core, state: number) {
    this.#core = core;
    this.#state = state;
  }

  /** Returns the address for `attach`. */
  static create(core: Core, arena: Arena): number {
    const state = core.reserve(STATE_BYTES);
    writeFramingRecord(core.memory, state + RECORD, FRAMING);
    core.u32[(state + layout.Decoder.framing) >>> 2] = state + RECORD;
    core.u32[(state + CONTEXT + layout.DecodeContext.arena) >>> 2] = arena.address;
    return state;
  }

  static attach(core: Core, state: number): StreamDecoder {
    return new StreamDecoder(core, state);
  }

  /**
   * The next bytes of the stream. Calls `onFrame` for each frame that they
   * complete; where it lies is borrowed.
   * @throws OverlappedError FRAME_MALFORMED, FRAME_TOO_LONG: the stream is broken, now and later
   */
  decode(address: number, sizeBytes: number, onFrame: (at: number, bytes: number) => void): void {
    const { exports, u32 } = this.#core;
    const state = this.#state;
    this.#check();
    for (let taken = 0; taken < sizeBytes; ) {
      const count = exports.decode(
        state + CONTEXT,
        state,
        address + taken,
        sizeBytes - taken,
        state + EVENTS,
        EVENT_CAPACITY,
      );
      taken += u32[(state + layout.Decoder.consumed) >>> 2] as number;
      for (let i = 0; i < count; i++) {
        const event = state + EVENTS + i * layout.EVENT_BYTES;
        const offset = u32[(event + layout.Event.offset) >>> 2] as number;
        onFrame(offset, u32[(event + layout.Event.length) >>> 2] as number);
      }
      exports.decodeReclaim(state + CONTEXT);
      this.#check();
    }
  }

  #check(): void {
    const error = this.#core.i32[(this.#state + layout.Decoder.error) >>> 2] as number;
    if (error !== 0) throw OverlappedError.fromResult(error, 'decode');
  }
}
