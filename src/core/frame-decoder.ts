/** Bytes to messages, in the core, without a connection. */
import * as layout from '#generated/layout';
import { OverlappedError } from '../errors.ts';
import { checkFraming, type Framing } from '../framing.ts';
import type { Arena } from './arena.ts';
import type { Core } from './core.ts';
import { type FrameWorkspaceOptions, frameWorkspace } from './frame-workspace.ts';
import { framingRecordBytes, writeFramingRecord } from './framing-record.ts';

export interface FrameDecoderOptions extends FrameWorkspaceOptions {
  /** Told of each frame that `onOversize: 'discard'` skips: its bytes on the wire, as far as known then. */
  readonly onOversize?: ((frameBytes: number) => void) | undefined;
}

/** One message. The bytes are borrowed: they end with the call; copy what is kept. */
export type OnMessage = (bytes: Uint8Array) => void;

const STATE_BYTES = 4096;
const CONTEXT = layout.DECODER_BYTES;
const FRAMING = CONTEXT + layout.DECODE_CONTEXT_BYTES;
const STAGING_BYTES = 65_536;

/**
 * Cuts one stream into messages (R28). However the stream is split into
 * chunks, the same messages come out, each with the chunk that completes it.
 *
 * Bytes go into the core's memory by one copy, or none where the chunk is a
 * view on that memory already. A frame within one piece of 64 KiB is delivered
 * where it lies, one that spans pieces is put together in a block that grows
 * with the bytes received.
 */
export class FrameDecoder {
  readonly framing: Framing;
  readonly #core: Core;
  readonly #arena: Arena;
  readonly #onOversize: ((frameBytes: number) => void) | undefined;
  readonly #state: number;
  readonly #events: number;
  readonly #eventCapacity: number;
  #staging = 0;
  #error: OverlappedError | undefined;
  #busy = false;
  #closed = false;

  /** @throws OverlappedError INVALID_OPTION; NO_BUFFERS where the memory is used up. */
  constructor(framing: Framing, options: FrameDecoderOptions = {}) {
    this.framing = checkFraming(framing);
    const { core, arena } = frameWorkspace(this.framing, options);
    this.#core = core;
    this.#arena = arena;
    this.#onOversize = options.onOversize;
    this.#state = allocate(arena, STATE_BYTES);
    core.u8.fill(0, this.#state, this.#state + STATE_BYTES);
    const framingAt = this.#state + FRAMING;
    writeFramingRecord(core.memory, framingAt, this.framing);
    core.u32[(this.#state + layout.Decoder.framing) >>> 2] = framingAt;
    core.u32[(this.#state + CONTEXT + layout.DecodeContext.arena) >>> 2] = arena.address;
    this.#events = (framingAt + framingRecordBytes(this.framing) + 15) & ~15;
    this.#eventCapacity = Math.floor(
      (this.#state + STATE_BYTES - this.#events) / layout.EVENT_BYTES,
    );
  }

  /** Why the stream is broken; undefined while it is not. */
  get error(): OverlappedError | undefined {
    return this.#error;
  }

  /** Bytes copied to put frames together that spanned pieces (wraps at 2^32). */
  get copiedBytes(): number {
    return this.#closed ? 0 : this.#field(layout.Decoder.copied);
  }

  /**
   * Decodes a chunk of any size and calls `onMessage` for each message in it.
   * An exception out of `onMessage` leaves the stream broken: what came after
   * that message is lost.
   *
   * @throws OverlappedError FRAME_TOO_LONG, FRAME_MALFORMED or NO_BUFFERS after
   *   all messages before it were delivered, and again in every later call;
   *   CLOSED; NOT_SUPPORTED if `onMessage` calls back into this decoder.
   */
  decode(chunk: Uint8Array, onMessage: OnMessage): void {
    this.#run(onMessage, (deliver) => {
      const inMemory = chunk.buffer === this.#core.memory.buffer;
      for (let done = 0; done < chunk.length; ) {
        const length = inMemory ? chunk.length : Math.min(chunk.length - done, STAGING_BYTES);
        const input = inMemory
          ? chunk.byteOffset
          : this.#stage(length === chunk.length ? chunk : chunk.subarray(done, done + length));
        this.#decodePiece(input, length, deliver);
        done += length;
      }
    });
  }

  /**
   * The messages that a chunk completes, as owned copies. An error that comes
   * after some messages is thrown by the next call, and is in `error` at once.
   *
   * @throws OverlappedError as `decode`.
   */
  decodeAll(chunk: Uint8Array): Uint8Array[] {
    return this.#collect((onMessage) => this.decode(chunk, onMessage));
  }

  /**
   * The stream has ended. With `unterminated: 'deliver'` the rest of it is one
   * more message. The decoder is ready for another stream then.
   *
   * @throws OverlappedError FRAME_TRUNCATED if it ended inside a frame; as `decode`.
   */
  end(onMessage: OnMessage): void {
    this.#run(onMessage, (deliver) => {
      const { exports } = this.#core;
      const context = this.#state + CONTEXT;
      const count = exports.decodeEnd(context, this.#state, this.#events, this.#eventCapacity);
      this.#deliver(count, deliver);
    });
  }

  /** As `end`, with the message as an owned copy. */
  endAll(): Uint8Array[] {
    return this.#collect((onMessage) => this.end(onMessage));
  }

  /** Gives its memory back. Every later call throws CLOSED; closing again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#busy) this.#free();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #run(onMessage: OnMessage, work: (deliver: OnMessage) => void): void {
    if (this.#closed) throw new OverlappedError('CLOSED', 'the decoder is closed');
    if (this.#busy) {
      throw new OverlappedError('NOT_SUPPORTED', 'a decoder was called by its own handler');
    }
    if (this.#error !== undefined) throw this.#error;
    this.#busy = true;
    let finished = false;
    try {
      work(onMessage);
      finished = true;
    } finally {
      this.#busy = false;
      if (!finished && this.#error === undefined) {
        this.#error = new OverlappedError('ABORTED', 'the handler of a message failed');
      }
      if (this.#closed) this.#free();
    }
  }

  #collect(call: (onMessage: OnMessage) => void): Uint8Array[] {
    const messages: Uint8Array[] = [];
    try {
      call((bytes) => messages.push(bytes.slice()));
    } catch (error) {
      if (messages.length === 0) throw error;
    }
    return messages;
  }

  #stage(chunk: Uint8Array): number {
    if (this.#staging === 0) this.#staging = allocate(this.#arena, STAGING_BYTES);
    this.#core.u8.set(chunk, this.#staging);
    return this.#staging;
  }

  #decodePiece(input: number, length: number, onMessage: OnMessage): void {
    const { exports } = this.#core;
    const context = this.#state + CONTEXT;
    let taken = 0;
    while (taken < length) {
      const count = exports.decode(
        context,
        this.#state,
        input + taken,
        length - taken,
        this.#events,
        this.#eventCapacity,
      );
      taken += this.#field(layout.Decoder.consumed);
      this.#deliver(count, onMessage);
      if (this.#closed) return;
    }
  }

  /** Hands out the events, frees what they lay in, and throws the error that came after them. */
  #deliver(count: number, onMessage: OnMessage): void {
    const { exports, u8, u32 } = this.#core;
    try {
      for (let i = 0; i < count && !this.#closed; i++) {
        const event = (this.#events + i * layout.EVENT_BYTES) >>> 2;
        const length = u32[event + (layout.Event.length >>> 2)] as number;
        if (u32[event + (layout.Event.kind >>> 2)] === layout.EVENT_OVERSIZE) {
          this.#onOversize?.(length);
        } else {
          const offset = u32[event + (layout.Event.offset >>> 2)] as number;
          onMessage(u8.subarray(offset, offset + length));
        }
      }
    } finally {
      exports.decodeReclaim(this.#state + CONTEXT);
    }
    const error = this.#field(layout.Decoder.error) | 0;
    if (error === 0 || this.#closed) return;
    this.#error = OverlappedError.fromResult(error, 'decode');
    throw this.#error;
  }

  #field(offset: number): number {
    return this.#core.u32[(this.#state + offset) >>> 2] as number;
  }

  #free(): void {
    this.#core.exports.decodeReset(this.#state + CONTEXT, this.#state);
    this.#arena.free(this.#state);
    if (this.#staging !== 0) this.#arena.free(this.#staging);
  }
}

function allocate(arena: Arena, sizeBytes: number): number {
  const address = arena.alloc(sizeBytes);
  if (address !== undefined) return address;
  throw new OverlappedError('NO_BUFFERS', `the arena has no ${sizeBytes} bytes left`);
}
