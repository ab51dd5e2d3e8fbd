/** The handler of the pool's tests: a job says in its first byte what to do, and may give a number. */
import process from 'node:process';
import type { PoolContext } from '../../../src/workers/pool/index.ts';

export const Op = {
  echo: 0,
  /** Counts itself in, and waits for the gate. */
  gate: 1,
  throw: 2,
  throwOdd: 3,
  reject: 4,
  never: 5,
  exit: 6,
  value: 7,
  unclonable: 8,
  number: 9,
  nothing: 10,
  async: 11,
  /** As many bytes as the number says. */
  bytes: 12,
  /** A view on its own bytes that begins in their middle. */
  tail: 13,
  isShared: 14,
  /** Writes its key and number into the log, after a time. */
  log: 15,
  /** The thread dies at its next step of that number. */
  dieAtStep: 16,
  /** Leaves an exception behind that nobody handles. */
  leave: 17,
  thread: 18,
  asyncExit: 19,
} as const;

/** Words of the shared memory in `data`. */
export const Word = { entered: 0, open: 1, logged: 2, faults: 3, busy: 16, log: 64 } as const;
export const KEYS_MAX = 48;

/** A job's bytes: its operation and two numbers. */
export function job(op: number, first = 0, second = 0): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, op, true);
  view.setUint32(4, first, true);
  view.setUint32(8, second, true);
  return bytes;
}

/** As they are: `dieAtStep` counts the calls of the thread's loop only. */
const { add, exchange, load, store } = Atomics;

const pause = (timeMs: number) => new Promise((resolve) => setTimeout(resolve, timeMs));

/** Ends this thread: at once where the host does it at once. */
function die(): never {
  process.exit(3);
  for (;;);
}

/** From now on the `step`-th access that the thread's loop makes to its records is its last. */
function dieAtStep(step: number): void {
  let left = step;
  for (const name of ['store', 'compareExchange', 'load'] as const) {
    const original = Atomics[name] as (...parameters: unknown[]) => unknown;
    Object.defineProperty(Atomics, name, {
      value: (...parameters: unknown[]) => {
        if (left-- === 0) die();
        return original(...parameters);
      },
    });
  }
}

function log(words: Int32Array, key: number, number: number, spins: number): void {
  if (exchange(words, Word.busy + key, 1) !== 0) add(words, Word.faults, 1);
  for (let spin = spins; spin > 0; spin--) load(words, Word.open);
  const place = add(words, Word.logged, 1);
  words[Word.log + place] = key * 2 ** 20 + number;
  store(words, Word.busy + key, 0);
}

export default function handle(bytes: Uint8Array, context: PoolContext<Int32Array>): unknown {
  if (bytes.length < 12) return bytes;
  const words = context.data;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const first = view.getUint32(4, true);
  const second = view.getUint32(8, true);
  switch (view.getUint32(0, true)) {
    case Op.gate:
      add(words, Word.entered, 1);
      while (load(words, Word.open) === 0) Atomics.wait(words, Word.open, 0, 100);
      return context.thread;
    case Op.throw:
      throw new RangeError(`bad job ${first}`);
    case Op.throwOdd:
      throw Object.assign(new Error('odd'), { work: () => {} });
    case Op.reject:
      return pause(1).then(() => Promise.reject(new TypeError('later')));
    case Op.never:
      add(words, Word.entered, 1);
      for (;;);
    case Op.exit:
      return die();
    case Op.asyncExit:
      return pause(1).then(die);
    case Op.value:
      return new Map([['first', first]]);
    case Op.unclonable:
      return () => {};
    case Op.number:
      return first / 2;
    case Op.nothing:
      return undefined;
    case Op.async:
      return pause(1).then(() => bytes.slice(4, 8));
    case Op.bytes:
      return new Uint8Array(first).fill(second);
    case Op.tail:
      return bytes.subarray(4);
    case Op.isShared:
      return !(bytes.buffer instanceof ArrayBuffer);
    case Op.log:
      log(words, first >>> 20, first & 0xfffff, second);
      return first & 0xfffff;
    case Op.dieAtStep:
      dieAtStep(first);
      return undefined;
    case Op.leave:
      setTimeout(() => {
        throw new Error('left behind');
      }, 0);
      return undefined;
    case Op.thread:
      return context.thread;
    default:
      return bytes;
  }
}
