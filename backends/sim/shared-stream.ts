/**
 * One direction of a connection as a completion port's system has it, in
 * memory that threads share: receives are pending and are filled in the order
 * of their calls, by whoever brings the bytes. Each call is one step here, so
 * that nothing is ever mixed: `wire.ts` is the model of calls that are not.
 */
import type { Core } from '../../src/core/core.ts';
import { Lock } from '../../src/core/lock.ts';
import type { SharedReceives } from '../shared-receives.ts';

/** Words, from the record's address on. */
const Word = { head: 16, tail: 17, ended: 18, firstPending: 19, lastPending: 20 } as const;
const LOCK_BYTES = 64;
const RECORD_BYTES = 128;
/** Slot, address, bytes. */
const PENDING_WORDS = 3;

export interface SharedStreamHandle {
  readonly record: number;
  readonly ring: number;
  /** A power of two. */
  readonly ringBytes: number;
  readonly pending: number;
  /** A power of two. */
  readonly slots: number;
}

export class SharedStream {
  readonly #core: Core;
  readonly #handle: SharedStreamHandle;
  readonly #lock: Lock;
  readonly #words: Uint32Array;
  readonly #pending: Uint32Array;
  readonly #received: SharedReceives;

  /** @param received where completed receives go */
  constructor(core: Core, handle: SharedStreamHandle, received: SharedReceives) {
    const { record, pending, slots } = handle;
    this.#core = core;
    this.#handle = handle;
    this.#lock = Lock.attach(core, record);
    this.#words = core.u32.subarray(record >>> 2, (record + RECORD_BYTES) >>> 2);
    this.#pending = core.u32.subarray(pending >>> 2, (pending >>> 2) + slots * PENDING_WORDS);
    this.#received = received;
  }

  /** @param ringBytes a power of two @param receives most that are pending */
  static create(core: Core, ringBytes: number, receives: number): SharedStreamHandle {
    const slots = 2 ** Math.ceil(Math.log2(receives));
    return {
      record: core.reserve(RECORD_BYTES + LOCK_BYTES),
      ring: core.reserve(ringBytes),
      ringBytes,
      pending: core.reserve(slots * PENDING_WORDS * 4),
      slots,
    };
  }

  receive(slot: number, address: number, sizeBytes: number): void {
    this.#lock.run(() => {
      const last = this.#get('lastPending');
      if ((last - this.#get('firstPending')) >>> 0 >= this.#handle.slots) {
        throw new Error('more receives are pending than the socket was made for');
      }
      const at = (last % this.#handle.slots) * PENDING_WORDS;
      this.#pending.set([slot, address, sizeBytes], at);
      this.#set('lastPending', last + 1);
      this.#match();
    });
  }

  /** How many bytes there was room for. */
  send(address: number, sizeBytes: number): number {
    return this.#lock.run(() => {
      const { ringBytes } = this.#handle;
      const tail = this.#get('tail');
      const bytes = Math.min(sizeBytes, ringBytes - ((tail - this.#get('head')) >>> 0));
      for (let done = 0; done < bytes; ) {
        const at = (tail + done) % ringBytes;
        const count = Math.min(bytes - done, ringBytes - at);
        const from = address + done;
        this.#core.u8.copyWithin(this.#handle.ring + at, from, from + count);
        done += count;
      }
      this.#set('tail', tail + bytes);
      this.#match();
      return bytes;
    });
  }

  finish(): void {
    this.#lock.run(() => {
      this.#set('ended', 1);
      this.#match();
    });
  }

  /** Fills pending receives with what has arrived; with nothing, once that is all. */
  #match(): void {
    const { ring, ringBytes, slots } = this.#handle;
    const { u8 } = this.#core;
    let head = this.#get('head');
    let first = this.#get('firstPending');
    const tail = this.#get('tail');
    const last = this.#get('lastPending');
    const hasEnded = this.#get('ended') === 1;
    while (first !== last && (head !== tail || hasEnded)) {
      const at = (first % slots) * PENDING_WORDS;
      const [slot = 0, address = 0, sizeBytes = 0] = this.#pending.subarray(at, at + PENDING_WORDS);
      const bytes = Math.min(sizeBytes, (tail - head) >>> 0);
      for (let done = 0; done < bytes; ) {
        const from = (head + done) % ringBytes;
        const count = Math.min(bytes - done, ringBytes - from);
        u8.copyWithin(address + done, ring + from, ring + from + count);
        done += count;
      }
      head = (head + bytes) >>> 0;
      first = (first + 1) >>> 0;
      this.#received.push(slot, bytes);
    }
    this.#set('head', head);
    this.#set('firstPending', first);
  }

  // Counters of bytes and receives, modulo 2^32: sizes are powers of two, so that places go on.
  #get(name: keyof typeof Word): number {
    return this.#words[Word[name]] as number;
  }

  #set(name: keyof typeof Word, value: number): void {
    this.#words[Word[name]] = value;
  }
}
