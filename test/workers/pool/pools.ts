/** Pools for tests, with the memory that their handlers share. */
import * as assert from 'uvu/assert';
import { OverlappedError } from '../../../src/errors.ts';
import type { OrderedPoolOptions } from '../../../src/workers/pool/index.ts';
import { OrderedPool } from '../../../src/workers/pool/ordered-pool.ts';
import { FakeClock } from './fake-clock.ts';
import { Word } from './pool-handlers.worker.ts';

export const HANDLERS = new URL('./pool-handlers.worker.js', import.meta.url);
const WORDS = 1 << 18;
const PATIENCE_MS = 60_000;

export interface Bench {
  readonly pool: OrderedPool;
  readonly clock: FakeClock;
  readonly words: Int32Array;
  openGate(): void;
  /** Resolves once `count` jobs have come to the gate. */
  entered(count: number): Promise<void>;
}

/** Runs `work` with a pool whose time stands still, and closes it, whatever happens. */
export async function withPool(
  options: Partial<OrderedPoolOptions>,
  work: (bench: Bench) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  const words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
  const pool = await OrderedPool.open(
    { handler: HANDLERS, data: words, initialThreads: 1, minThreads: 1, ...options },
    { clock, debug: true },
  );
  const openGate = () => {
    Atomics.store(words, Word.open, 1);
    Atomics.notify(words, Word.open);
  };
  const entered = (count: number) => until(() => Atomics.load(words, Word.entered) >= count);
  try {
    await work({ pool, clock, words, openGate, entered });
  } finally {
    openGate();
    const closed = pool.close({ timeoutMs: 1000 });
    const limit = setTimeout(() => clock.advance(1000), 1000);
    await closed;
    clearTimeout(limit);
  }
}

/** Resolves when `holds` does; a state that never comes fails the test. */
export async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within ${PATIENCE_MS} ms: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** The error that `promise` rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  assert.unreachable('it did not reject');
  throw new Error();
}

export async function rejectsWith(
  promise: Promise<unknown>,
  code: OverlappedError['code'],
): Promise<void> {
  const error = await rejection(promise);
  assert.instance(error, OverlappedError);
  assert.is((error as OverlappedError).code, code);
}

/** Whether a promise has been settled by now. */
export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol();
  const first = await Promise.race([promise.catch(() => {}), Promise.resolve(pending)]);
  return first !== pending;
}
