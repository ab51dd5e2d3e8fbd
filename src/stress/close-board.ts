/**
 * The books of the close experiment, in memory that all threads share: what
 * happened to each connection of the server, whichever thread its handlers
 * ran in.
 */

const SLOTS = 2 ** 20;
/** Slots of connections that the books have room for. */
export const CONNECTIONS_MOST = 4096;
/** Ids of connections that were open lately, for threads that look for one. */
const RECENT = 32;

const Count = {
  stop: 0,
  opens: 1,
  closes: 2,
  messages: 3,
  /** Handlers that ran after `close`, or before `open`. */
  strayHandlers: 4,
  /** Handlers of one connection that ran at the same time. */
  concurrentHandlers: 5,
  doubleOpens: 6,
  doubleCloses: 7,
  /** Calls on connections from threads that may not have them. */
  remoteCalls: 8,
  remoteAnswers: 9,
  /** Of them, those that came too late. */
  remoteRefusals: 10,
  recent: 11,
  /** Errors that have no business here. */
  strangeErrors: 12,
} as const;
export type CountName = keyof typeof Count;

const COUNTS = 16;
const WORDS = COUNTS + 2 * RECENT + 3 * CONNECTIONS_MOST;

export type CloseCounts = Readonly<Record<CountName, number>>;

export class CloseBoard {
  readonly buffer: SharedArrayBuffer;
  readonly #counts: Int32Array;
  readonly #recent: Int32Array;
  /** By slot: the generation that was opened, that was closed, and how many handlers run. */
  readonly #opened: Int32Array;
  readonly #closed: Int32Array;
  readonly #running: Int32Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(WORDS * 4)) {
    this.buffer = buffer;
    const words = new Int32Array(buffer);
    let at = 0;
    const take = (count: number) => {
      at += count;
      return words.subarray(at - count, at);
    };
    this.#counts = take(COUNTS);
    this.#recent = take(2 * RECENT);
    this.#opened = take(CONNECTIONS_MOST);
    this.#closed = take(CONNECTIONS_MOST);
    this.#running = take(CONNECTIONS_MOST);
  }

  count(name: CountName): void {
    Atomics.add(this.#counts, Count[name], 1);
  }

  get(name: CountName): number {
    return Atomics.load(this.#counts, Count[name]);
  }

  stop(): void {
    Atomics.store(this.#counts, Count.stop, 1);
  }

  get counts(): CloseCounts {
    return Object.fromEntries(
      (Object.keys(Count) as CountName[]).map((name) => [name, this.get(name)]),
    ) as Record<CountName, number>;
  }

  /** Runs a handler of connection `id`, and looks at what else runs. */
  handler(kind: 'open' | 'close' | 'other', id: number, run: () => void): void {
    const slot = id % SLOTS;
    // Never 0, which nobody has opened.
    const generation = (Math.floor(id / SLOTS) % 2 ** 30) + 1;
    if (Atomics.add(this.#running, slot, 1) > 0) this.count('concurrentHandlers');
    if (kind === 'open') {
      this.count('opens');
      if (Atomics.exchange(this.#opened, slot, generation) === generation) {
        this.count('doubleOpens');
      }
      this.#remember(id);
    }
    const isOpen = Atomics.load(this.#opened, slot) === generation;
    const isClosed = Atomics.load(this.#closed, slot) === generation;
    if (!isOpen || (isClosed && kind !== 'close')) this.count('strayHandlers');
    try {
      run();
    } finally {
      if (kind === 'close') {
        this.count('closes');
        if (Atomics.exchange(this.#closed, slot, generation) === generation) {
          this.count('doubleCloses');
        }
      }
      Atomics.sub(this.#running, slot, 1);
    }
  }

  #remember(id: number): void {
    const at = 2 * ((Atomics.add(this.#counts, Count.recent, 1) >>> 0) % RECENT);
    // Two words of one id may be read between: then it names nothing, which must do no harm either.
    Atomics.store(this.#recent, at, Math.floor(id / SLOTS));
    Atomics.store(this.#recent, at + 1, id % SLOTS);
  }

  /** A connection that was open lately; undefined while there was none. */
  recent(random: number): number | undefined {
    const at = 2 * (random % RECENT);
    const high = Atomics.load(this.#recent, at) >>> 0;
    const id = high * SLOTS + Atomics.load(this.#recent, at + 1);
    return id === 0 ? undefined : id;
  }
}
