/**
 * Where the workers of a shared port keep the packets that they have dequeued,
 * and the queue of those that the driver itself must look at. All of it lies in
 * linear memory: what a worker leaves behind can be found.
 */
import * as layout from '#generated/layout';
import type { Core } from '../../src/core/core.ts';
import type { NativeExports } from '../../src/core/native.ts';

/** Packets of one dequeue of a worker: what it takes in one turn. */
export const SEAT_ENTRIES = 64;

/** A seat: an IocpPort record, and its entries. */
const ENTRIES_AT = Math.ceil(layout.IOCP_PORT_BYTES / 64) * 64;
const SEAT_BYTES = ENTRIES_AT + SEAT_ENTRIES * layout.IOCP_ENTRY_BYTES;

/** Where the seats are: numbers only, for other threads. */
export interface SeatsPlace {
  readonly first: number;
  readonly count: number;
  /** The driver's IocpPort record. */
  readonly driver: number;
}

export function seatAt({ first }: SeatsPlace, worker: number): number {
  return first + worker * SEAT_BYTES;
}

/** Of the entries of a seat. */
export function entriesOf(seat: number): number {
  return seat + ENTRIES_AT;
}

function log2Above(value: number): number {
  return Math.ceil(Math.log2(value));
}

/** Bytes that `Seats` reserves. */
export function seatsBytes(workers: number, packetCapacity: number): number {
  if (workers === 0) return 0;
  const cells = 2 ** log2Above(packetCapacity) * layout.COMPLETION_BYTES;
  return workers * SEAT_BYTES + layout.QUEUE_BYTES + cells + layout.COMPLETION_BYTES + 4 * 64;
}

/** Longest that a call takes which does not wait: a thread may have been ended in it. */
const CALL_LIMIT_MS = 1000;

const isTaken = (state: number) => state !== layout.IOCP_SEAT_FREE;
const isAsleep = (state: number) => state === layout.IOCP_SEAT_ASLEEP;
const isCalling = (state: number) => state === layout.IOCP_SEAT_CALLING;

export type Look = (overlapped: number, key: number, bytes: number) => void;

/** The driver's side. */
export class Seats {
  readonly #core: Core;
  readonly #count: number;
  readonly #first: number;
  readonly #looks: number;
  /** Where a queue's cell is copied to. */
  readonly #out: number;
  #place: SeatsPlace | undefined;

  constructor(core: Core, count: number, packetCapacity: number) {
    this.#core = core;
    this.#count = count;
    this.#first = core.reserve(count * SEAT_BYTES);
    this.#looks = core.reserve(layout.QUEUE_BYTES);
    const log2 = log2Above(packetCapacity);
    core.exports.queueInit(this.#looks, core.reserve(layout.COMPLETION_BYTES * 2 ** log2), log2);
    this.#out = core.reserve(layout.COMPLETION_BYTES);
  }

  /** The driver's own record is filled: each seat is one like it, with entries of its own. */
  attach(driver: number): void {
    const { u8, u32 } = this.#core;
    const place = { first: this.#first, count: this.#count, driver };
    this.#place = place;
    u32[(driver + layout.IocpPort.looks) >>> 2] = this.#looks;
    for (let worker = 0; worker < this.#count; worker++) {
      const seat = seatAt(place, worker);
      u8.copyWithin(seat, driver, driver + layout.IOCP_PORT_BYTES);
      u32[(seat + layout.IocpPort.entries) >>> 2] = entriesOf(seat);
    }
  }

  /** Valid from `attach` on. */
  get place(): SeatsPlace {
    return this.#place as SeatsPlace;
  }

  #seatsThat(isMeant: (state: number) => boolean): number {
    const place = this.#place;
    if (place === undefined) return 0;
    let found = 0;
    for (let worker = 0; worker < place.count; worker++) {
      const word = (seatAt(place, worker) + layout.IocpPort.state) >>> 2;
      if (isMeant(Atomics.load(this.#core.u32, word))) found++;
    }
    return found;
  }

  /** Workers that dequeue. */
  get taken(): number {
    return this.#seatsThat(isTaken);
  }

  /** Of these, those that sleep until the port's queue has something. */
  get sleepers(): number {
    return this.#seatsThat(isAsleep);
  }

  /**
   * From here on no worker takes a packet; returns once none is in a call that
   * does. (Those do not wait.)
   */
  close(): void {
    const place = this.#place;
    if (place === undefined) return;
    // First said, then looked: workers do it the other way round.
    const word = (place.driver + layout.IocpPort.state) >>> 2;
    Atomics.store(this.#core.u32, word, layout.IOCP_CLOSED);
    const endMs = performance.now() + CALL_LIMIT_MS;
    while (this.#seatsThat(isCalling) > 0 && performance.now() < endMs) {
      // A call that takes what is there takes some microseconds.
    }
  }

  /** Workers that are about to sleep see whether somebody waits. */
  setWaiting(isWaiting: boolean): void {
    const word = (this.place.driver + layout.IocpPort.waiting) >>> 2;
    Atomics.store(this.#core.u32, word, isWaiting ? 1 : 0);
  }

  /** Hands over what workers left to the driver; true if there was any. */
  takeLooks(look: Look): boolean {
    const { exports, u32, i32, f64 } = this.#core;
    const { flags, token, result } = layout.Completion;
    const out = this.#out;
    let any = false;
    while (exports.queuePop(this.#looks, out) === 1) {
      any = true;
      const overlapped = f64[(out + token) >>> 3] as number;
      look(overlapped, u32[(out + flags) >>> 2] as number, i32[(out + result) >>> 2] as number);
    }
    return any;
  }

  /**
   * The thread that had this seat is gone: what it had dequeued is dealt with.
   * True if a packet that ends a wait was among it.
   */
  leave(worker: number, native: NativeExports): boolean {
    const seat = seatAt(this.place, worker);
    Atomics.add(this.#core.u32, (seat + layout.IocpPort.holder) >>> 2, 1);
    const result = native.iocpShare(seat);
    Atomics.store(this.#core.u32, (seat + layout.IocpPort.state) >>> 2, layout.IOCP_SEAT_FREE);
    return (result & layout.IOCP_WOKEN) !== 0;
  }
}
