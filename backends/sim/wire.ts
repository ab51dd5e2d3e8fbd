/**
 * A model of calls that nobody synchronises: one direction of a connection, in
 * memory that threads share. Bytes go through it in segments. A segment passes
 * whole, once and in order, whoever takes it: that much a system guards. A call
 * moves many segments, one after the other, and nothing is held in between. So
 * two threads that receive at once each get some of the segments, and two that
 * send at once mix theirs on the wire. There is no chance in it: a call that is
 * alone moves neighbouring bytes, always.
 */
import { CompletionQueue } from '../../src/core/completion-queue.ts';
import type { Core } from '../../src/core/core.ts';
import { Pool } from '../../src/core/pool.ts';
import { pushSurely } from '../shared-receives.ts';

/** Where a wire lies, for other threads. */
export interface WireHandle {
  readonly segments: number;
  readonly queue: number;
}

export interface WireSize {
  readonly segmentBytes: number;
  /** Segments on the wire at once: a power of two. */
  readonly segments: number;
}

/** The last segment of a datagram. */
const LAST = 1;
/** How long a receive waits for a segment. */
const WAIT_MS = 50;

/** What a receive got. */
export interface WireBytes {
  readonly bytes: number;
  /** The sender has finished and nothing is left. */
  readonly ended: boolean;
}

export class Wire {
  readonly #core: Core;
  readonly #segments: Pool;
  readonly #queue: CompletionQueue;
  readonly #datagrams: boolean;
  readonly #segmentBytes: number;

  private constructor(core: Core, { segments, queue }: WireHandle, datagrams: boolean) {
    this.#core = core;
    this.#segments = Pool.attach(core, segments);
    this.#queue = CompletionQueue.attach(core, queue);
    this.#datagrams = datagrams;
    this.#segmentBytes = this.#segments.view(0).length;
  }

  static create(core: Core, { segmentBytes, segments }: WireSize): WireHandle {
    const pool = Pool.create(core, { capacity: segments, strideBytes: segmentBytes });
    const queue = CompletionQueue.create(core, { capacity: segments });
    return { segments: pool.address, queue: queue.address };
  }

  static attach(core: Core, handle: WireHandle, datagrams: boolean): Wire {
    return new Wire(core, handle, datagrams);
  }

  /** How many bytes were taken: fewer where the wire is full, of a datagram all or none. */
  send(address: number, sizeBytes: number): number {
    const needed = Math.ceil(sizeBytes / this.#segmentBytes);
    const pool = this.#segments;
    if (this.#datagrams && pool.capacity - pool.inUse < needed) return 0;
    let taken = 0;
    while (taken < sizeBytes) {
      const slot = pool.acquire();
      if (slot === undefined) break;
      const bytes = Math.min(this.#segmentBytes, sizeBytes - taken);
      const from = address + taken;
      this.#core.u8.copyWithin(pool.slotAddress(slot), from, from + bytes);
      taken += bytes;
      const flags = taken === sizeBytes ? LAST : 0;
      pushSurely(this.#queue, { token: slot, result: bytes, flags });
    }
    return taken;
  }

  /**
   * Fills the range with segments as they come, as MSG_WAITALL does; of
   * datagrams, to the end of one. Returns with what it has when none comes for
   * a while.
   */
  receive(address: number, sizeBytes: number): WireBytes {
    let received = 0;
    while (received + this.#segmentBytes <= sizeBytes) {
      const segment = this.#next();
      if (segment === 'ended') return { bytes: received, ended: received === 0 };
      if (segment === undefined) break;
      const from = this.#segments.slotAddress(segment.token);
      this.#core.u8.copyWithin(address + received, from, from + segment.result);
      this.#segments.release(segment.token);
      received += segment.result;
      if (this.#datagrams && segment.flags === LAST) break;
    }
    return { bytes: received, ended: false };
  }

  /** What is on the wire can still be received. */
  finish(): void {
    this.#queue.close();
  }

  #next() {
    const queue = this.#queue;
    const segment = queue.pop();
    if (segment !== undefined) return segment;
    // Nothing is pushed after the close: what is there now is all there will be.
    if (queue.closed) return queue.pop() ?? 'ended';
    try {
      return queue.popWait(WAIT_MS);
    } catch (error) {
      if (queue.closed) return 'ended';
      throw error;
    }
  }
}
