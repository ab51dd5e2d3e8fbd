/**
 * The receive side of a stream that the host pushes bytes from: into buffers of
 * the pool while a receive is armed, else kept, while the stream is paused.
 */
import { ERROR_CANCELED, ERROR_NO_BUFFERS } from '#generated/layout';
import { type Deferred, NO_TOKEN, type Reporter } from './reporter.ts';

/** `#ending` until the stream ends; then the result that ended it, at most 0. */
const OPEN = 1;

/**
 * The receive side as a base class: a connection that extends it is one object
 * instead of two, which counts where ten thousand of them are idle.
 */
export abstract class ReceiveSide implements Deferred {
  /** Token of the armed receive, or NO_TOKEN. */
  receiveToken = NO_TOKEN;
  readonly #reporter: Reporter;
  /** Bytes that arrived without a place. Bounded: the stream is paused while there are any. */
  #rest: Uint8Array | undefined;
  #ending = OPEN;
  #discarding = false;
  #endingSystemError = 0;

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  protected abstract pauseReading(): void;
  protected abstract resumeReading(): void;

  /** True once the peer's end or an error has come. */
  get receiveEnded(): boolean {
    return this.#ending !== OPEN;
  }

  /** Arms a receive. What was kept is placed in the next pass. */
  receive(token: number): void {
    this.receiveToken = token;
    if (this.#rest !== undefined || this.#ending !== OPEN) this.#reporter.defer(this);
    else this.resumeReading();
  }

  /** Deferred part of `receive`. */
  run(): void {
    if (this.receiveToken === NO_TOKEN) return;
    const rest = this.#rest;
    if (rest !== undefined) {
      this.#rest = undefined;
      if (!this.#place(rest, 0, rest.length)) return;
    }
    if (this.#ending !== OPEN) this.#finish(this.#ending, this.#endingSystemError);
    else this.resumeReading();
  }

  /**
   * `length` bytes at `offset` of `source` arrived; they are copied before the
   * call returns. False: no place for more, reading must pause.
   */
  takeBytes(source: Uint8Array, offset: number, length: number): boolean {
    if (this.#discarding) return true;
    if (this.receiveToken === NO_TOKEN || this.#rest !== undefined) {
      this.#keep(source, offset, length);
      return false;
    }
    return this.#place(source, offset, length);
  }

  /** The stream ended (`result` 0) or broke (negative). Only the first counts. */
  endReceive(result: number, systemError = 0): void {
    if (this.#ending !== OPEN) return;
    this.#ending = result;
    this.#endingSystemError = systemError;
    if (this.receiveToken !== NO_TOKEN && this.#rest === undefined)
      this.#finish(result, systemError);
  }

  /** Takes the armed receive back. */
  cancelReceive(): void {
    if (this.receiveToken === NO_TOKEN) return;
    this.pauseReading();
    this.#finish(ERROR_CANCELED, 0);
  }

  /** The connection closes: what is kept goes, and what still comes. */
  discardReceived(): void {
    this.#discarding = true;
    this.#rest = undefined;
  }

  #finish(result: number, systemError: number): void {
    const token = this.receiveToken;
    this.receiveToken = NO_TOKEN;
    this.#reporter.finish(token, result, systemError);
  }

  #keep(source: Uint8Array, offset: number, length: number): void {
    const kept = this.#rest;
    const rest = new Uint8Array((kept?.length ?? 0) + length);
    if (kept !== undefined) rest.set(kept);
    rest.set(source.subarray(offset, offset + length), kept?.length ?? 0);
    this.#rest = rest;
  }

  #place(source: Uint8Array, offset: number, length: number): boolean {
    const { host } = this.#reporter;
    const memory = host.core.u8;
    const end = offset + length;
    let at = offset;
    while (at < end) {
      const buffer = host.takeBuffer();
      if (buffer < 0) {
        this.#keep(source, at, end - at);
        this.pauseReading();
        this.#finish(ERROR_NO_BUFFERS, 0);
        return false;
      }
      const size = Math.min(end - at, host.bufferBytes);
      const target = host.bufferOffset(buffer);
      if (source === memory) memory.copyWithin(target, at, at + size);
      else memory.set(source.subarray(at, at + size), target);
      this.#reporter.filled(this.receiveToken, size, buffer);
      at += size;
    }
    return true;
  }
}
