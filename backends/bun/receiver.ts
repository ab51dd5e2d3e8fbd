/**
 * The receive side of a socket of Bun, which pushes bytes: into buffers of the
 * pool while a receive is armed, else kept, while the socket is paused.
 *
 * A chunk that fits a buffer is copied without a view on part of it: a view
 * makes Bun give the chunk an ArrayBuffer of its own, which costs more than the
 * copy and fills the heap. Of a larger one the memory is freed at once: linear
 * memory makes the collector's heap look large, so it would come so seldom that
 * each chunk was written to memory out of the cache, often to fresh pages.
 */
import { ERROR_CANCELED, ERROR_NO_BUFFERS } from '#generated/layout';
import { type Deferred, NO_TOKEN, type Reporter } from '../stream/reporter.ts';
import type { TransferableBuffer } from './bun-api.ts';

/** The stream's flow, as the receiver drives it. */
export interface Flow {
  pauseReading(): void;
  resumeReading(): void;
}

/**
 * From this size on a chunk's memory is freed. Below, what that takes (some 300 ns) is about what
 * it saves; at 16 KiB an echo took 4.7 instead of 7.3 µs.
 */
const FREED_BYTES_LEAST = 4096;

/** `#ending` until the stream ends; then the result that ended it, at most 0. */
const OPEN = 1;

export class BunReceiver implements Deferred {
  /** Token of the armed receive, or NO_TOKEN. */
  token = NO_TOKEN;
  bytes = 0;
  readonly #reporter: Reporter;
  readonly #flow: Flow;
  /** Bytes that arrived without a place. Bounded: the stream is paused while there are any. */
  #rest: Uint8Array | undefined;
  #ending = OPEN;
  #discarding = false;
  #endingSystemError = 0;

  constructor(reporter: Reporter, flow: Flow) {
    this.#reporter = reporter;
    this.#flow = flow;
  }

  /** True once the peer's end or an error has come. */
  get ended(): boolean {
    return this.#ending !== OPEN;
  }

  /** Arms a receive. What was kept is placed in the next pass. */
  arm(token: number): void {
    this.token = token;
    if (this.#rest !== undefined || this.#ending !== OPEN) this.#reporter.defer(this);
    else this.#flow.resumeReading();
  }

  /** Deferred part of `arm`. */
  run(): void {
    if (this.token === NO_TOKEN) return;
    const rest = this.#rest;
    if (rest !== undefined) {
      this.#rest = undefined;
      if (!this.#place(rest)) return;
    }
    if (this.#ending !== OPEN) this.#finish(this.#ending, this.#endingSystemError);
    else this.#flow.resumeReading();
  }

  /**
   * Bytes arrived; they are copied before the call returns, and a large chunk is then empty.
   * False: no place for more, reading must pause.
   */
  take(chunk: Uint8Array): boolean {
    const goesOn = this.#take(chunk);
    if (chunk.length >= FREED_BYTES_LEAST) free(chunk);
    return goesOn;
  }

  #take(chunk: Uint8Array): boolean {
    if (this.#discarding) return true;
    if (this.token === NO_TOKEN || this.#rest !== undefined) {
      this.#keep(chunk);
      return false;
    }
    return this.#place(chunk);
  }

  /** The stream ended (`result` 0) or broke (negative). Only the first counts. */
  end(result: number, systemError = 0): void {
    if (this.#ending !== OPEN) return;
    this.#ending = result;
    this.#endingSystemError = systemError;
    if (this.token !== NO_TOKEN && this.#rest === undefined) this.#finish(result, systemError);
  }

  /** Takes the armed receive back. */
  cancel(): void {
    if (this.token === NO_TOKEN) return;
    this.#flow.pauseReading();
    this.#finish(ERROR_CANCELED, 0);
  }

  /** The connection closes: what is kept goes, and what still comes. */
  discard(): void {
    this.#discarding = true;
    this.#rest = undefined;
  }

  #finish(result: number, systemError: number): void {
    const token = this.token;
    this.token = NO_TOKEN;
    this.#reporter.finish(token, result, systemError);
  }

  #keep(bytes: Uint8Array): void {
    const kept = this.#rest;
    const rest = new Uint8Array((kept?.length ?? 0) + bytes.length);
    if (kept !== undefined) rest.set(kept);
    rest.set(bytes, kept?.length ?? 0);
    this.#rest = rest;
  }

  #place(chunk: Uint8Array): boolean {
    const { host } = this.#reporter;
    const memory = host.core.u8;
    const most = host.bufferBytes;
    const end = chunk.length;
    let at = 0;
    while (at < end) {
      const buffer = host.takeBuffer();
      if (buffer < 0) {
        this.#keep(chunk.subarray(at));
        this.#flow.pauseReading();
        this.#finish(ERROR_NO_BUFFERS, 0);
        return false;
      }
      const size = Math.min(end - at, most);
      memory.set(size === end ? chunk : chunk.subarray(at, at + size), host.bufferOffset(buffer));
      this.#reporter.filled(this.token, size, buffer);
      at += size;
    }
    this.bytes += end;
    return true;
  }
}

/** Frees a chunk's memory, if it is the chunk's alone. */
function free(chunk: Uint8Array): void {
  const { buffer, length } = chunk;
  if (buffer.byteLength === length) (buffer as TransferableBuffer).transfer(0);
}
