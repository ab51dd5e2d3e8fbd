/**
 * The way into the submission ring. When the ring is full and the kernel takes
 * nothing (no memory, completions that must be taken first), what comes waits
 * here, in order, until a later pass.
 */
import * as layout from '#generated/layout';
import type { Counts } from './counters.ts';
import type { NativeMemory } from './memory.ts';
import type { Ring } from './ring.ts';

/** `user_data` above an operation's token: which part of the host its completion is for. */
export const TAG_TRANSFER = 0;
/** Nobody waits for it. */
export const TAG_NOBODY = 1;
export const TAG_ACCEPT = 2;
export const TAG_CONNECT = 3;
export const TAG_POST = 4;
/** Another thread has rung. */
export const TAG_WAKER = 5;
/** In the upper word of a `user_data`. */
export const TAG_SHIFT_HIGH = layout.URING_TAG_SHIFT - 32;

const { UringSqe } = layout;

/** An entry that the host writes itself. */
export interface Entry {
  readonly opcode: number;
  readonly fd: number;
  readonly tag: number;
  readonly token?: number;
  readonly priority?: number;
  readonly flags?: number;
  readonly length?: number;
  readonly offset?: number;
  /** `addr`: an absolute address, or for a cancel the token to cancel ... */
  readonly address?: number;
  /** ... and its tag. */
  readonly targetTag?: number;
}

export class Submitter {
  readonly #ring: Ring;
  readonly #memory: NativeMemory;
  readonly #counts: Counts;
  /** What waits for room: in order, each tried again from its beginning. */
  #waiting: (() => void)[] = [];
  /** Something waits: a pass is due. */
  onWait: () => void = () => {};

  constructor(ring: Ring, memory: NativeMemory, counts: Counts) {
    this.#ring = ring;
    this.#memory = memory;
    this.#counts = counts;
  }

  /** Nothing may overtake what waits. */
  get isBlocked(): boolean {
    return this.#waiting.length > 0;
  }

  /** Runs `work` now, or behind what waits already. */
  inOrder(work: () => void): void {
    if (this.isBlocked) this.wait(work);
    else work();
  }

  wait(work: () => void): void {
    this.#counts.fullRings++;
    this.#waiting.push(work);
    this.onWait();
  }

  /** Tries again what waits. */
  retry(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const [index, work] of waiting.entries()) {
      work();
      if (this.#waiting.length === 0) continue;
      // It still waits, and so does all behind it.
      this.#waiting.push(...waiting.slice(index + 1));
      return;
    }
  }

  /** Lets the kernel take entries. False if the ring is full all the same. */
  makeRoom(): boolean {
    const { waiting } = this.#ring;
    if (waiting > 0) {
      this.#counts.enters++;
      this.#ring.enter(waiting, 0);
    }
    return this.#ring.waiting < waiting;
  }

  /** Writes one entry. False if there is no room; then nothing is written. */
  put(entry: Entry): boolean {
    const { native, port } = this.#memory;
    let at = native.uringSqe(port) >>> 0;
    if (at === 0) {
      if (!this.makeRoom()) return false;
      at = native.uringSqe(port) >>> 0;
      if (at === 0) return false;
    }
    const { u32, i32 } = this.#memory.core;
    const { opcode, fd, tag, token = 0, priority = 0, flags = 0, length = 0 } = entry;
    u32[at >>> 2] = opcode | (priority << 16);
    i32[(at + UringSqe.fd) >>> 2] = fd;
    u32[(at + UringSqe.length) >>> 2] = length;
    u32[(at + UringSqe.operationFlags) >>> 2] = flags;
    this.#memory.put64(at + UringSqe.offset, entry.offset ?? 0);
    this.#putTagged(at + UringSqe.address, entry.address ?? 0, entry.targetTag ?? 0);
    this.#putTagged(at + UringSqe.userData, token, tag);
    return true;
  }

  #putTagged(at: number, value: number, tag: number): void {
    this.#memory.put64(at, value);
    const high = (at + 4) >>> 2;
    const { u32 } = this.#memory.core;
    u32[high] = (u32[high] as number) | (tag << TAG_SHIFT_HIGH);
  }
}
