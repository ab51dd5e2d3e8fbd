/** The server's side of the sender experiment (R17): takes the stream apart and validates every packet. */
import {
  INSTANCE_BYTES,
  isWholePacket,
  PACKET_HEADER_BYTES,
  type PacketPlan,
  packetSize,
  readWord,
} from './packet.ts';

export interface Validation {
  /** The first 4 bytes were the instance's number. */
  readonly instance: boolean;
  readonly bytes: number;
  /** Packets that came whole, each counted once. */
  readonly whole: number;
  /** Packets that came whole again. */
  readonly doubled: number;
  /** Packets that never came whole. */
  readonly lost: number;
  /** Stretches of bytes that are no whole packet. */
  readonly broken: number;
  /** Bytes in them. */
  readonly strayBytes: number;
}

export class PacketValidator {
  readonly #plan: PacketPlan;
  readonly #seen: Uint8Array;
  #rest = new Uint8Array(0);
  #length = 0;
  #isBegun = false;
  #instance = false;
  #bytes = 0;
  #whole = 0;
  #doubled = 0;
  #broken = 0;
  #strayBytes = 0;
  #isStray = false;

  constructor(plan: PacketPlan) {
    this.#plan = plan;
    this.#seen = new Uint8Array(plan.packets);
  }

  /** The next bytes of the stream; they are copied. */
  push(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    this.#append(bytes);
    let at = 0;
    if (!this.#isBegun) {
      if (this.#length < INSTANCE_BYTES) return;
      this.#isBegun = true;
      this.#instance = readWord(this.#rest, 0) === this.#plan.instance;
      if (this.#instance) at = INSTANCE_BYTES;
    }
    this.#drop(this.#take(at));
  }

  /** The stream has ended: what was seen in all. */
  end(): Validation {
    this.#stray(this.#length);
    this.#drop(this.#length);
    const seen = this.#seen.reduce((sum, was) => sum + was, 0);
    return {
      instance: this.#instance,
      bytes: this.#bytes,
      whole: this.#whole,
      doubled: this.#doubled,
      lost: this.#plan.packets - seen,
      broken: this.#broken,
      strayBytes: this.#strayBytes,
    };
  }

  get whole(): number {
    return this.#whole;
  }

  get broken(): number {
    return this.#broken;
  }

  /** Takes whole packets from `at` on; returns how far it came. */
  #take(start: number): number {
    const bytes = this.#rest;
    const end = this.#length;
    let at = start;
    while (at + PACKET_HEADER_BYTES <= end) {
      const size = this.#announced(at);
      if (size > 0 && at + size > end) break;
      const number = readWord(bytes, at + 8);
      if (size === 0 || !isWholePacket(bytes, at, size, number)) {
        this.#stray(1);
        at++;
        continue;
      }
      this.#isStray = false;
      if (this.#seen[number] === 1) this.#doubled++;
      else this.#whole++;
      this.#seen[number] = 1;
      at += size;
    }
    return at;
  }

  /** Size of the packet whose header lies at `at`; 0 if there is none. */
  #announced(at: number): number {
    const { instance, packets } = this.#plan;
    const bytes = this.#rest;
    if (bytes[at] !== (instance & 0xff) || readWord(bytes, at) !== instance) return 0;
    const number = readWord(bytes, at + 8);
    if (number >= packets) return 0;
    const size = packetSize(this.#plan, number);
    return readWord(bytes, at + 4) === size ? size : 0;
  }

  #stray(bytes: number): void {
    if (bytes === 0) return;
    if (!this.#isStray) this.#broken++;
    this.#isStray = true;
    this.#strayBytes += bytes;
  }

  #append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#rest.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(this.#rest.subarray(0, this.#length));
      this.#rest = larger;
    }
    this.#rest.set(bytes, this.#length);
    this.#length = length;
  }

  #drop(bytes: number): void {
    this.#rest.copyWithin(0, bytes, this.#length);
    this.#length -= bytes;
  }
}
