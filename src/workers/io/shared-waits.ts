/**
 * Waiting for what another worker of a shared port may see first: that a
 * connection drains, or that it has gone. One word a connection, in memory of
 * all: whoever waits makes it odd, looks, and sleeps on it; whoever dispatched
 * such an event makes it even again, a new value each time, and wakes all who
 * sleep there. So nothing is missed between a look and the sleep, and an event
 * that nobody waits for costs one load.
 */
import { waitAsync } from './bell.ts';

/** Longest sleep, so that a host that loses a wake is not stuck for good. */
const SLEEP_MS = 1000;

/** Of one thread; the words are the same in all. */
export class SharedWaits {
  readonly words: Int32Array;
  /** Slots of connections that this thread sleeps for. */
  readonly #slots = new Set<number>();
  /** One timer for all sleeps: a time limit of their own would be one for each of them. */
  #keeper: NodeJS.Timeout | undefined;

  constructor(words: Int32Array) {
    this.words = words;
  }

  /** For a port of so many connections. */
  static create(maxConnections: number): SharedWaits {
    return new SharedWaits(new Int32Array(new SharedArrayBuffer(4 * maxConnections)));
  }

  /** Looks, and again after each `tell`, until `look` returns false. */
  async waitWhile(slot: number, look: () => boolean): Promise<void> {
    for (;;) {
      const seen = Atomics.or(this.words, slot, 1) | 1;
      if (!look()) break;
      const waiting = waitAsync(this.words, slot, seen);
      if (!waiting.async) continue;
      this.#keep(slot);
      await waiting.value;
    }
    this.#slots.delete(slot);
    if (this.#slots.size > 0) return;
    clearInterval(this.#keeper);
    this.#keeper = undefined;
  }

  #keep(slot: number): void {
    this.#slots.add(slot);
    this.#keeper ??= setInterval(() => {
      for (const sleeping of this.#slots) Atomics.notify(this.words, sleeping);
    }, SLEEP_MS).unref();
  }

  /** Something has become of the connection: whoever waits is to look. */
  tell(slot: number): void {
    const seen = Atomics.load(this.words, slot);
    if ((seen & 1) === 0) return;
    // Where another thread is quicker, it has told everybody.
    Atomics.compareExchange(this.words, slot, seen, seen + 1);
    Atomics.notify(this.words, slot);
  }

  /** Something may have become of any connection. */
  tellAll(): void {
    for (let slot = 0; slot < this.words.length; slot++) this.tell(slot);
  }
}
