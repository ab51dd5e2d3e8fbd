// @ts-check
/**
 * What is sent, and what its handlers look for: every message carries its connection's number,
 * its own number and a sum of both at its end. The notes lie in memory that all threads share.
 */

/** One message fills one receive, the smallest that a port can have: a completion each. */
export const MESSAGE_BYTES = 64;
const LAST_WORD = MESSAGE_BYTES / 4 - 1;
/** Words of a worker: what it has handled, its thread's number in the system, what it found. */
const WORKER_WORDS = 16;
/**
 * Words of a connection, a cache line: the number of the message that is next, whether a handler
 * is at work, and the id (8 bytes) that its messages come by. The workers would otherwise wait
 * for each other's caches because of connections that have nothing to do with each other.
 */
const CONNECTION_WORDS = 16;
const BUSY = 1;
const ID = 2;

/** @typedef {'disorders' | 'repeats' | 'overlaps' | 'strays' | 'damaged'} Fault */
/** @type {readonly Fault[]} */
export const FAULTS = ['disorders', 'repeats', 'overlaps', 'strays', 'damaged'];
const FIRST_FAULT = 2;

/**
 * @param {number} connection
 * @param {number} number
 */
const sumOf = (connection, number) => (Math.imul(connection + 1, 0x9e3779b1) ^ number) | 0;

/**
 * @typedef {{connections: number, messages: number, workers: number, states: Int32Array,
 *   ids: Float64Array, marks: Uint8Array, counters: Int32Array}} Notes
 * @param {number} connections
 * @param {number} messages of each connection
 * @param {number} workers
 * @returns {Notes}
 */
export function makeNotes(connections, messages, workers) {
  const states = new Int32Array(new SharedArrayBuffer(4 * CONNECTION_WORDS * connections));
  return {
    connections,
    messages,
    workers,
    states,
    ids: new Float64Array(states.buffer),
    marks: new Uint8Array(new SharedArrayBuffer(connections * messages)),
    counters: new Int32Array(new SharedArrayBuffer(4 * WORKER_WORDS * workers)),
  };
}

/**
 * @param {Uint32Array} words
 * @param {number} at index of the first word
 * @param {number} connection
 * @param {number} number
 */
export function writeMessage(words, at, connection, number) {
  words[at] = connection;
  words[at + 1] = number;
  words[at + LAST_WORD] = sumOf(connection, number);
}

/** A worker's side: one for each. */
export class Checker {
  #notes;
  #at;

  /**
   * @param {Notes} notes
   * @param {number} worker
   */
  constructor(notes, worker) {
    this.#notes = notes;
    this.#at = worker * WORKER_WORDS;
  }

  /** @param {number} thread the system's number of this thread */
  begin(thread) {
    this.#notes.counters[this.#at + 1] = thread;
  }

  /** @param {Fault} fault */
  #found(fault) {
    Atomics.add(this.#notes.counters, this.#at + FIRST_FAULT + FAULTS.indexOf(fault), 1);
  }

  /**
   * One message, with the handler's work in the middle of it.
   * @param {Uint32Array} words
   * @param {number} at index of the message's first word
   * @param {number} id of the connection that it came by
   * @param {() => void} work
   */
  handle(words, at, id, work) {
    const { connections, messages, states, ids, marks } = this.#notes;
    const connection = Number(words[at]);
    const number = Number(words[at + 1]);
    const isWhole = (Number(words[at + LAST_WORD]) | 0) === sumOf(connection, number);
    if (!isWhole || connection >= connections || number >= messages) {
      this.#found('damaged');
      work();
      return;
    }
    const state = connection * CONNECTION_WORDS;
    if (Atomics.exchange(states, state + BUSY, 1) !== 0) this.#found('overlaps');
    // Plain reads and writes: who comes next must see them without help of this checker.
    const place = (state + ID) >>> 1;
    if (ids[place] === 0) ids[place] = id + 1;
    else if (ids[place] !== id + 1) this.#found('strays');
    if (Atomics.add(marks, connection * messages + number, 1) !== 0) this.#found('repeats');
    if (states[state] !== number) this.#found('disorders');
    work();
    states[state] = number + 1;
    Atomics.store(states, state + BUSY, 0);
  }

  /** @param {number} count messages that have been handled since the last call */
  handled(count) {
    Atomics.add(this.#notes.counters, this.#at, count);
  }
}

/** @param {Notes} notes */
export function handledBy({ counters, workers }) {
  return Array.from({ length: workers }, (_, worker) =>
    Atomics.load(counters, worker * WORKER_WORDS),
  );
}

/** @param {Notes} notes */
export function threadsOf({ counters, workers }) {
  return Array.from({ length: workers }, (_, worker) =>
    Number(counters[worker * WORKER_WORDS + 1]),
  );
}

/**
 * The number of each connection's next message.
 * @param {Notes} notes
 */
export function nextOf({ states, connections }) {
  return Array.from({ length: connections }, (_, connection) =>
    Number(states[connection * CONNECTION_WORDS]),
  );
}

/**
 * What was wrong, all told. `missing` are messages that nobody has handled.
 * @param {Notes} notes
 * @returns {Record<Fault | 'missing', number>}
 */
export function verdictOf({ counters, workers, marks }) {
  const found = { disorders: 0, repeats: 0, overlaps: 0, strays: 0, damaged: 0, missing: 0 };
  for (let worker = 0; worker < workers; worker++) {
    FAULTS.forEach((fault, index) => {
      found[fault] += Number(counters[worker * WORKER_WORDS + FIRST_FAULT + index]);
    });
  }
  for (const mark of marks) if (mark === 0) found.missing++;
  return found;
}
