/** One thread that dispatches to a pool, as the pool's own thread sees it. */
import type { Core } from '../../core/core.ts';
import { ring, wake } from './bell.ts';
import { DispatcherRecord, DispatcherState } from './desk-records.ts';

export class Attached {
  /** Number of its record. */
  readonly index: number;
  /** It has left: nobody takes its results. */
  gone = false;
  readonly #core: Core;
  /** Index of the record in words. */
  readonly #words: number;
  #beats = -1;
  #silent = 0;

  constructor(core: Core, index: number, record: number) {
    this.index = index;
    this.#core = core;
    this.#words = record >>> 2;
  }

  get answers(): number {
    return this.#load(DispatcherRecord.answers);
  }

  #load(offset: number): number {
    return Atomics.load(this.#core.u32, this.#words + offset / 4);
  }

  /** Wakes it, if it sleeps. */
  wake(): void {
    const { wake: wanted, bell } = DispatcherRecord;
    wake(this.#core, this.#words + wanted / 4, this.#words + bell / 4);
  }

  /** Wakes it, whatever it does. */
  ring(): void {
    ring(this.#core.i32, this.#words + DispatcherRecord.bell / 4);
  }

  /** Makes it turn until the next look. Returns at how many looks in a row it had not. */
  look(): number {
    const beats = this.#load(DispatcherRecord.beats);
    this.#silent = beats === this.#beats ? this.#silent + 1 : 0;
    this.#beats = beats;
    this.ring();
    return this.#silent;
  }

  /** From here on its thread, should it be alive after all, has lost its place. */
  leave(): void {
    this.gone = true;
    const { u32 } = this.#core;
    Atomics.store(u32, this.#words + DispatcherRecord.wake / 4, 0);
    Atomics.add(u32, this.#words + DispatcherRecord.epoch / 4, 1);
    Atomics.store(u32, this.#words + DispatcherRecord.state / 4, DispatcherState.FREE);
  }

  /** One of `DispatcherState`. */
  get state(): number {
    return this.#load(DispatcherRecord.state);
  }
}
