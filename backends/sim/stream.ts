/**
 * A connection inside the network: two pipes, an end at each side. No tokens,
 * no operations: those are the business of `stream-socket.ts`.
 *
 * The two ends may belong to drivers of different threads. All of this then
 * belongs under the network's lock: a pipe is written from one side and read
 * from the other.
 */

import type { NetworkAddress } from './addresses.ts';
import { ByteQueue, type Chunk } from './byte-queue.ts';
import type { Frequent } from './counters.ts';
import type { SimSettings } from './options.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

/** What a connection needs of the network that it is in: time, chance and counters. */
export interface StreamNetwork {
  readonly settings: SimSettings;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly frequent: Frequent;
  count(name: string): void;
}

/** One direction. What is sent arrives in order, later. */
export class Pipe {
  readonly #network: StreamNetwork;
  readonly #arrived = new ByteQueue();
  #lastArrivalMs = 0;
  #lineFreeMs = 0;
  /** Bytes accepted from the sender that the receiver has not taken. */
  #unread = 0;
  #segmentsOnTheWay = 0;
  #finishSent = false;
  #resetSent = false;
  /** The peer's end has arrived: no byte comes after what is there. */
  ended = false;
  /** Calls of the receiving side, in an event of the network. */
  onArrival: () => void = () => {};
  onReset: () => void = () => {};
  /** Call of the sending side, in an event of the network: there is room again. */
  onRoom: () => void = () => {};
  /** Set once the receiving side is closed: what arrives is dropped and answered by a reset. */
  refuse: (() => void) | undefined;

  constructor(network: StreamNetwork) {
    this.#network = network;
  }

  /** Bytes the sender may hand over now. */
  get room(): number {
    return Math.max(0, this.#network.settings.windowBytes - this.#unread);
  }

  get available(): number {
    return this.#arrived.length;
  }

  /** Something is still to arrive. */
  get isOnTheWay(): boolean {
    return this.#segmentsOnTheWay > 0;
  }

  get lastArrivalMs(): number {
    return this.#lastArrivalMs;
  }

  get isFinishSent(): boolean {
    return this.#finishSent;
  }

  /** Takes over bytes, at most `room`. They are the pipe's from now on. */
  send(bytes: Uint8Array): void {
    if (this.#resetSent) return; // broken already, which the sender is about to learn
    this.#unread += bytes.length;
    const { random, settings } = this.#network;
    let rest = bytes;
    while (rest.length > 1 && random.chance(settings.split)) {
      const cut = random.integer(1, rest.length - 1);
      this.#transmit(rest.subarray(0, cut));
      rest = rest.subarray(cut);
    }
    this.#transmit(rest);
  }

  finish(): void {
    if (this.#finishSent || this.#resetSent) return;
    this.#finishSent = true;
    this.#deliver(0, () => {
      if (this.refuse !== undefined) return;
      this.ended = true;
      this.onArrival();
    });
  }

  sendReset(): void {
    if (this.#resetSent) return;
    this.#resetSent = true;
    this.#deliver(0, () => this.onReset());
  }

  /** Where `take` has put the bytes. */
  get taken(): Chunk {
    return this.#arrived.taken;
  }

  /** Removes `count` bytes that have arrived: as of `ByteQueue`. */
  take(count: number): number {
    const wasFull = this.room === 0;
    this.#unread -= count;
    if (wasFull) this.#announceRoom();
    return this.#arrived.take(count);
  }

  /** A reset throws away what nobody has received. */
  discard(): void {
    this.#unread -= this.#arrived.length;
    this.#arrived.clear();
  }

  #announceRoom(): void {
    const { scheduler } = this.#network;
    scheduler.at(scheduler.nowMs, () => this.onRoom());
  }

  #transmit(bytes: Uint8Array): void {
    this.#network.frequent.segments += 1;
    this.#deliver(bytes.length, () => {
      if (this.refuse !== undefined) {
        this.refuse();
        return;
      }
      this.#arrived.push(bytes);
      this.onArrival();
    });
  }

  #deliver(sizeBytes: number, arrive: () => void): void {
    const { scheduler, random, settings } = this.#network;
    let leavesMs = scheduler.nowMs;
    if (settings.bandwidthBytesPerMs > 0) {
      leavesMs = Math.max(leavesMs, this.#lineFreeMs) + sizeBytes / settings.bandwidthBytesPerMs;
      this.#lineFreeMs = leavesMs;
    }
    // In order: nothing overtakes what was sent before it.
    this.#lastArrivalMs = Math.max(
      this.#lastArrivalMs,
      leavesMs + random.between(settings.delayMs),
    );
    this.#segmentsOnTheWay += 1;
    scheduler.at(this.#lastArrivalMs, () => {
      this.#segmentsOnTheWay -= 1;
      arrive();
    });
  }
}

/** One side of a connection. */
export class StreamEnd {
  readonly #network: StreamNetwork;
  readonly incoming: Pipe;
  readonly outgoing: Pipe;
  readonly local: NetworkAddress;
  readonly remote: NetworkAddress;
  /** A reset has arrived: sends fail, and receives once an end that came before it is told. */
  isReset = false;
  isClosed = false;
  /** Called in an event of the network when a reset arrives. */
  onReset: () => void = () => {};

  constructor(
    network: StreamNetwork,
    incoming: Pipe,
    outgoing: Pipe,
    local: NetworkAddress,
    remote: NetworkAddress,
  ) {
    this.#network = network;
    this.incoming = incoming;
    this.outgoing = outgoing;
    this.local = local;
    this.remote = remote;
    incoming.onReset = () => this.#resetArrived();
  }

  /**
   * Gives up this side. As TCP does, an end becomes a reset when bytes are
   * there that nobody has received, or when some arrive afterwards.
   */
  close(reset: boolean): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (this.isReset) return;
    if (reset || this.incoming.available > 0) this.outgoing.sendReset();
    else this.outgoing.finish();
    this.incoming.discard();
    this.incoming.refuse = () => this.outgoing.sendReset();
  }

  /** The network breaks the connection: both sides are reset. */
  breakOff(): void {
    this.#network.count('resets');
    this.incoming.sendReset();
    this.outgoing.sendReset();
  }

  #resetArrived(): void {
    if (this.isReset || this.isClosed) return;
    this.isReset = true;
    // Systems differ in whether bytes that arrived before the reset can still be received.
    if (!this.incoming.ended && this.#network.random.chance(0.5)) this.incoming.discard();
    this.onReset();
  }
}
