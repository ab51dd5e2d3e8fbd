/**
 * A worker's hand in the completion port of another thread's driver. It takes
 * packets without waiting: the driver waits where a worker sleeps, so that no
 * thread with handlers ever has packets in a call that has not come back, and a
 * port takes one thread of the host's pool, however many workers it has.
 */
import * as layout from '#generated/layout';
import type { Core } from '../../src/core/core.ts';
import { type NativeExports, nativeOf } from '../../src/core/native.ts';
import type { BackendCounters, Dequeuer } from '../backend.ts';
import { entriesOf, SEAT_ENTRIES, type SeatsPlace, seatAt } from './seats.ts';
import type { System } from './system.ts';
import type { Address, Handle } from './win32.ts';

/** What the driver tells its workers. */
export interface Dequeuing {
  /** The completion port. */
  readonly port: Handle;
  readonly seats: SeatsPlace;
}

const { removed: REMOVED, next: NEXT, state: STATE, holder: HOLDER } = layout.IocpPort;
const WAITING = layout.IocpPort.waiting;
const { key: KEY, overlapped: OVERLAPPED, reserved: RESERVED } = layout.IocpEntry;

export class IocpDequeuer implements Dequeuer {
  readonly #system: System;
  readonly #native: NativeExports;
  readonly #u32: Uint32Array;
  readonly #port: Handle;
  readonly #seat: number;
  /** Indices of words. */
  readonly #removed: number;
  readonly #state: number;
  readonly #holder: number;
  readonly #waiting: number;
  readonly #closed: number;
  /** What `#holder` is while this thread has the seat. */
  readonly #held: number;
  /** Of the first entry. */
  readonly #first: number;
  /** As the system knows them. */
  readonly #entriesAddress: Address;
  readonly #removedAddress: Address;
  readonly #counts = { dequeues: 0, packets: 0, looks: 0 };

  constructor(core: Core, system: System, { port, seats }: Dequeuing, worker: number) {
    const seat = seatAt(seats, worker);
    const base = Number(system.koffi.address(core.u8));
    this.#system = system;
    this.#native = nativeOf(core);
    this.#u32 = core.u32;
    this.#port = port;
    this.#seat = seat;
    this.#removed = (seat + REMOVED) >>> 2;
    this.#state = (seat + STATE) >>> 2;
    this.#holder = (seat + HOLDER) >>> 2;
    this.#waiting = (seats.driver + WAITING) >>> 2;
    this.#closed = (seats.driver + STATE) >>> 2;
    this.#first = entriesOf(seat);
    this.#entriesAddress = base + entriesOf(seat);
    this.#removedAddress = base + seat + REMOVED;
    this.#clear();
    this.#held = Atomics.add(this.#u32, this.#holder, 1) + 1;
    Atomics.store(this.#u32, this.#state, layout.IOCP_SEAT_AWAKE);
  }

  /**
   * Some hosts call a thread gone that still runs, until it comes out of a
   * handler: its seat is another's then, and the port may be closed.
   */
  get #isGone(): boolean {
    return Atomics.load(this.#u32, this.#holder) !== this.#held;
  }

  /** No packet, wherever the call writes its count before it fails. */
  #clear(): void {
    const u32 = this.#u32;
    const first = this.#first;
    u32[this.#removed] = 0;
    u32[(this.#seat + NEXT) >>> 2] = 0;
    for (const field of [KEY, OVERLAPPED, OVERLAPPED + 4, RESERVED]) u32[(first + field) >>> 2] = 0;
  }

  dequeue(): boolean {
    if (this.#isGone) return false;
    const { win32 } = this.#system;
    this.#counts.dequeues++;
    this.#clear();
    // First said, then looked: see `Seats.close`.
    Atomics.store(this.#u32, this.#state, layout.IOCP_SEAT_CALLING);
    if (Atomics.load(this.#u32, this.#closed) === layout.IOCP_CLOSED) {
      Atomics.store(this.#u32, this.#state, layout.IOCP_SEAT_AWAKE);
      return false;
    }
    const ok = win32.GetQueuedCompletionStatusEx(
      this.#port,
      this.#entriesAddress,
      SEAT_ENTRIES,
      this.#removedAddress,
      0,
      0,
    );
    Atomics.store(this.#u32, this.#state, layout.IOCP_SEAT_AWAKE);
    if (ok === 0) {
      this.#u32[this.#removed] = 0;
      return false;
    }
    this.#counts.packets += this.#u32[this.#removed] as number;
    const result = this.#native.iocpShare(this.#seat);
    if ((result & layout.IOCP_WOKEN) !== 0) this.#passWake();
    const looks = result & ~layout.IOCP_WOKEN;
    this.#counts.looks += looks;
    return looks !== 0;
  }

  /** Meant for the wait of the driver's thread, which has not begun yet. */
  #passWake(): void {
    if (Atomics.load(this.#u32, this.#waiting) === 0) return;
    this.#system.win32.PostQueuedCompletionStatus(this.#port, 0, layout.IOCP_KEY_WAKE, 0);
  }

  rest(): boolean {
    if (this.#isGone) return false;
    // First said, then looked: the driver does it the other way round.
    Atomics.store(this.#u32, this.#state, layout.IOCP_SEAT_ASLEEP);
    return Atomics.load(this.#u32, this.#waiting) === 0;
  }

  counters(): BackendCounters {
    return this.#counts;
  }

  close(): void {
    if (this.#isGone) return;
    Atomics.store(this.#u32, this.#state, layout.IOCP_SEAT_FREE);
  }
}
