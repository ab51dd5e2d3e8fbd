/** A decoder of the core on memory of its own, driven as the loop drives it: one call a chunk. */
import * as layout from '#generated/layout';
import { framingRecordBytes, writeFramingRecord } from '../../src/core/framing-record.ts';
import { Arena, Core } from '../../src/core/index.ts';
import type { Framing } from '../../src/framing.ts';

export class CoreDecoder {
  readonly core: Core;
  /** Where the input lies. */
  readonly input: number;
  readonly #events: number;
  readonly #capacity: number;
  readonly #decoder: number;
  readonly #context: number;
  count = 0;

  constructor(framing: Framing, input: Uint8Array, arenaBytes: number, capacity: number) {
    const core = Core.create({
      memoryBytes: input.length + 4 * arenaBytes + capacity * 16 + 2 ** 17,
    });
    this.core = core;
    const arena = Arena.create(core, { sizeBytes: arenaBytes });
    this.input = core.reserve(input.length);
    core.u8.set(input, this.input);
    this.#events = core.reserve(capacity * layout.EVENT_BYTES);
    this.#capacity = capacity;
    const record = core.reserve(framingRecordBytes(framing));
    writeFramingRecord(core.memory, record, framing);
    this.#decoder = core.reserve(layout.DECODER_BYTES);
    core.u32[(this.#decoder + layout.Decoder.framing) >>> 2] = record;
    this.#context = core.reserve(layout.DECODE_CONTEXT_BYTES);
    core.u32[(this.#context + layout.DecodeContext.arena) >>> 2] = arena.address;
  }

  /** Decodes the input from `start` to `end`, after giving back what the call before had lent. */
  decode(start: number, end: number): number {
    const { exports } = this.core;
    exports.decodeReclaim(this.#context);
    this.count = exports.decode(
      this.#context,
      this.#decoder,
      this.input + start,
      end - start,
      this.#events,
      this.#capacity,
    );
    return this.count;
  }

  offset(index: number): number {
    return this.core.u32[
      (this.#events + index * layout.EVENT_BYTES + layout.Event.offset) >>> 2
    ] as number;
  }

  length(index: number): number {
    return this.core.u32[
      (this.#events + index * layout.EVENT_BYTES + layout.Event.length) >>> 2
    ] as number;
  }
}
