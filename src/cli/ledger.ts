/**
 * What one connection of the harness sent and what came back, message by
 * message (R11). Two things are told apart: a reply out of its turn is a
 * *sequence mismatch*; a reply that differs from the message of its number is a
 * *content mismatch*.
 *
 * How a single fault shows: one packet dropped is 1 lost and 1 sequence
 * mismatch (the gap before the next); two swapped are 2 sequence mismatches;
 * one doubled is 1 duplicate and 1 sequence mismatch; one with changed content
 * is 1 content mismatch; one with a changed number is 1 of both, and lost.
 */
import type { Buffer } from 'node:buffer';
import type { Packets } from './packets.ts';

/** Sums over connections. All count messages, except the bytes, which are of payloads. */
export interface Tally {
  sent: number;
  received: number;
  sequenceMismatches: number;
  contentMismatches: number;
  duplicates: number;
  /** Sent, and no reply with their number came. */
  lost: number;
  bytesSent: number;
  bytesReceived: number;
}

export function emptyTally(): Tally {
  return {
    sent: 0,
    received: 0,
    sequenceMismatches: 0,
    contentMismatches: 0,
    duplicates: 0,
    lost: 0,
    bytesSent: 0,
    bytesReceived: 0,
  };
}

/** Sending times are kept for so many messages in flight; the latency of further ones is not recorded. */
const TIMES = 4096;

export class Ledger {
  readonly connection: number;
  /** Messages sent so far: the next one's sequence number. */
  sent = 0;
  /** Different messages replied to. */
  answered = 0;
  readonly #packets: Packets;
  readonly #tally: Tally;
  readonly #isAnswered: Uint8Array;
  readonly #times = new Float64Array(TIMES);
  #expected = 0;

  /** @param messages how many will be sent at most */
  constructor(connection: number, messages: number, packets: Packets, tally: Tally) {
    this.connection = connection;
    this.#packets = packets;
    this.#tally = tally;
    this.#isAnswered = new Uint8Array(Math.ceil(messages / 8));
  }

  get outstanding(): number {
    return this.sent - this.answered;
  }

  /** The packet to be sent next. Its bytes last until the next call. */
  next(): Uint8Array {
    return this.#packets.make(this.connection, this.sent);
  }

  /** The next packet is on its way. */
  markSent(now: number): void {
    this.#tally.bytesSent += this.#packets.size(this.connection, this.sent);
    this.#times[this.sent % TIMES] = now;
    this.sent++;
    this.#tally.sent++;
  }

  /**
   * Checks the reply in `bytes[offset, offset + size)`.
   * @returns how long ago its message was sent, in the unit of `now`; negative where that is not known
   */
  reply(bytes: Buffer, offset: number, size: number, now: number): number {
    const packets = this.#packets;
    const tally = this.#tally;
    tally.received++;
    tally.bytesReceived += size;
    const sequence = packets.sequence(bytes, offset, size);
    const connection = packets.connection(bytes, offset, size);
    if (connection !== this.connection || !(sequence < this.sent)) {
      // No message has these numbers. It stands in the place of the expected one if it is as long.
      tally.sequenceMismatches++;
      tally.contentMismatches++;
      const isInPlace = size === packets.size(this.connection, this.#expected);
      if (isInPlace && this.#expected < this.sent) this.#expected++;
      return -1;
    }
    if (sequence !== this.#expected) tally.sequenceMismatches++;
    if (sequence >= this.#expected) this.#expected = sequence + 1;
    if (!packets.matches(bytes, offset, size, connection, sequence)) tally.contentMismatches++;
    if (this.#markAnswered(sequence)) {
      tally.duplicates++;
      return -1;
    }
    this.answered++;
    return this.sent - sequence <= TIMES ? now - (this.#times[sequence % TIMES] as number) : -1;
  }

  /** No reply comes any more. */
  end(): void {
    this.#tally.lost += this.outstanding;
  }

  /** Returns whether it was marked before. */
  #markAnswered(sequence: number): boolean {
    const index = sequence >>> 3;
    const bit = 1 << (sequence & 7);
    const marks = this.#isAnswered[index] as number;
    this.#isAnswered[index] = marks | bit;
    return (marks & bit) !== 0;
  }
}
