/** Messages to bytes, in the core, without a connection. */
import { OverlappedError } from '../errors.ts';
import { checkFraming, type Framing } from '../framing.ts';
import type { Arena } from './arena.ts';
import type { Core } from './core.ts';
import { type FrameWorkspaceOptions, frameWorkspace } from './frame-workspace.ts';
import { framingRecordBytes, writeFramingRecord } from './framing-record.ts';

/**
 * Makes frames of messages: the inverse of `FrameDecoder` with the same
 * framing (R28). A message that the decoder would not give back as it is
 * cannot be encoded.
 */
export class FrameEncoder {
  readonly framing: Framing;
  readonly #core: Core;
  readonly #arena: Arena;
  readonly #record: number;
  #closed = false;

  /** @throws OverlappedError INVALID_OPTION; NO_BUFFERS where the memory is used up. */
  constructor(framing: Framing, options: FrameWorkspaceOptions = {}) {
    this.framing = checkFraming(framing);
    const { core, arena } = frameWorkspace(this.framing, options);
    this.#core = core;
    this.#arena = arena;
    this.#record = this.#allocate(framingRecordBytes(this.framing));
    writeFramingRecord(core.memory, this.#record, this.framing);
  }

  /**
   * Bytes of the frame for a message of `length` bytes.
   *
   * @throws OverlappedError FRAME_TOO_LONG, FRAME_MALFORMED, CLOSED
   */
  frameBytes(length: number): number {
    if (this.#closed) throw new OverlappedError('CLOSED', 'the encoder is closed');
    if (length > 0x7fffffff) throw new OverlappedError('FRAME_TOO_LONG');
    return this.#check(this.#core.exports.encodedLength(this.#record, length));
  }

  /**
   * The message's frame, owned.
   *
   * @throws OverlappedError FRAME_TOO_LONG if the frame exceeds `maxFrameBytes`
   *   or its length field; FRAME_MALFORMED if it cannot be a frame of this
   *   framing (it contains a delimiter, has not the fixed length, …);
   *   NO_BUFFERS; CLOSED.
   */
  encode(message: Uint8Array): Uint8Array {
    return this.#withFrame(message, (frame) => frame.slice());
  }

  /**
   * Writes the message's frame into `target` from `offset` on and returns its
   * bytes. Nothing is written if it throws.
   *
   * @throws OverlappedError as `encode`; INVALID_OPTION if it does not fit.
   */
  encodeInto(message: Uint8Array, target: Uint8Array, offset = 0): number {
    return this.#withFrame(message, (frame) => {
      if (!Number.isInteger(offset) || offset < 0 || offset + frame.length > target.length) {
        throw new OverlappedError(
          'INVALID_OPTION',
          `offset: a frame of ${frame.length} bytes does not fit at ${offset} of a target of ${target.length} bytes`,
        );
      }
      target.set(frame, offset);
      return frame.length;
    });
  }

  /** Gives its memory back. Every later call throws CLOSED; closing again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#arena.free(this.#record);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #withFrame<T>(message: Uint8Array, use: (frame: Uint8Array) => T): T {
    const { exports, u8 } = this.#core;
    const block = this.#allocate(this.frameBytes(message.length));
    try {
      const gap = exports.encodeFrame(this.#record, message.length, block);
      u8.set(message, block + gap);
      const bytes = this.#check(exports.encodeSeal(this.#record, message.length, block));
      return use(u8.subarray(block, block + bytes));
    } finally {
      this.#arena.free(block);
    }
  }

  #check(result: number): number {
    if (result < 0) throw OverlappedError.fromResult(result, 'encode');
    return result;
  }

  #allocate(sizeBytes: number): number {
    const address = this.#arena.alloc(sizeBytes);
    if (address !== undefined) return address;
    throw new OverlappedError('NO_BUFFERS', `the arena has no ${sizeBytes} bytes left`);
  }
}
