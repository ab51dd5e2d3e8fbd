/** Sequence numbers of one kind of operation (R1). */
import { Sequencer as layout } from '#generated/layout';
import type { Core } from './core.ts';

/**
 * Hands out 0, 1, 2, … to any number of threads, each number once, and wraps
 * at 2^32. For numbers to have the order of submissions, hold one lock around
 * `take` and the submission (R2).
 */
export class Sequencer {
  readonly address: number;
  readonly #core: Core;

  private constructor(core: Core, address: number) {
    this.#core = core;
    this.address = address;
  }

  /** @param next the first number, 0 to 2^32 - 1. */
  static create(core: Core, next = 0): Sequencer {
    const sequencer = new Sequencer(core, core.reserve(layout.$size));
    sequencer.reset(next);
    return sequencer;
  }

  /** A sequencer that another thread created, at its `address`. */
  static attach(core: Core, address: number): Sequencer {
    return new Sequencer(core, address);
  }

  /** Takes the next number. */
  take(): number {
    return this.#core.exports.sequenceTake(this.address) >>> 0;
  }

  /** The number that `take` would return now. */
  peek(): number {
    return this.#core.exports.sequencePeek(this.address) >>> 0;
  }

  /** Makes `next` the number that is taken next. */
  reset(next = 0): void {
    this.#core.exports.sequenceReset(this.address, next);
  }
}
