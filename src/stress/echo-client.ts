/**
 * The client of the order experiment: sends packets of one size and checks what
 * comes back by the harness's own books (R11). Replies are as long as packets,
 * so that one whose parts are mixed with another's does not hide what follows.
 */
import { Buffer } from 'node:buffer';
import { emptyTally, Ledger, type Tally } from '../cli/ledger.ts';
import { Packets } from '../cli/packets.ts';
import { FRAMING } from './stream-decoder.ts';

export interface EchoPlan {
  readonly packets: number;
  /** On the wire, with its header. */
  readonly packetBytes: number;
  /** Packets without reply, at most. */
  readonly inFlight: number;
  readonly seed: number;
}

const HEADER_BYTES = 2;
const STRIPPED = { ...FRAMING, strip: HEADER_BYTES };

export class EchoClient {
  readonly tally: Tally = emptyTally();
  readonly #plan: EchoPlan;
  readonly #ledger: Ledger;
  readonly #out: Uint8Array;
  readonly #reply: Buffer;
  #filled = 0;

  constructor(plan: EchoPlan) {
    const { packets, packetBytes, seed } = plan;
    this.#plan = plan;
    const size = { min: packetBytes, max: packetBytes };
    this.#ledger = new Ledger(0, packets, new Packets(STRIPPED, size, seed), this.tally);
    this.#out = new Uint8Array(packetBytes);
    this.#out[0] = packetBytes & 0xff;
    this.#out[1] = packetBytes >>> 8;
    this.#reply = Buffer.alloc(packetBytes);
  }

  /** The next packet to send, if one may be sent. Its bytes last until the next call. */
  next(): Uint8Array | undefined {
    const { packets, inFlight } = this.#plan;
    const { sent, received } = this.tally;
    if (sent === packets || sent - received >= inFlight) return undefined;
    this.#out.set(this.#ledger.next(), HEADER_BYTES);
    this.#ledger.markSent(0);
    return this.#out;
  }

  /** Bytes that came back. */
  push(bytes: Uint8Array): void {
    const { packetBytes } = this.#plan;
    for (let at = 0; at < bytes.length; ) {
      const count = Math.min(packetBytes - this.#filled, bytes.length - at);
      this.#reply.set(bytes.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled < packetBytes) return;
      this.#filled = 0;
      this.#ledger.reply(this.#reply, HEADER_BYTES, packetBytes - HEADER_BYTES, 0);
    }
  }

  /** As many replies came as packets are to be sent. */
  get isDone(): boolean {
    return this.tally.received === this.#plan.packets;
  }

  /** What is missing now stays so. */
  end(): Tally {
    this.#ledger.end();
    return this.tally;
  }
}
