/** A word of shared memory that a thread sleeps on in its event loop, whatever else goes on there. */
import { clearInterval, setInterval } from 'node:timers';
import type { Core } from '../../core/core.ts';
import { waitAsync } from '../io/bell.ts';

/** Longest sleep, so that a host that loses a wake is not stuck for good. */
const SLEEP_MS = 1000;

/** Wakes the thread that listens; those who ring see to it that it sleeps. */
export function ring(words: Int32Array, index: number): void {
  Atomics.add(words, index, 1);
  Atomics.notify(words, index);
}

/** Rings at `bell` if the word at `wanted` says that its thread wants to be woken, once for all who do. */
export function wake({ i32, u32 }: Core, wanted: number, bell: number): void {
  if (Atomics.load(u32, wanted) === 1 && Atomics.exchange(u32, wanted, 0) === 1) ring(i32, bell);
}

/** Calls `rung` after each ring, at least once for any number of them. Returns how to stop. */
export function listenBell(words: Int32Array, index: number, rung: () => void): () => void {
  let isOver = false;
  const listen = (): void => {
    while (!isOver) {
      const seen = Atomics.load(words, index);
      rung();
      const waiting = waitAsync(words, index, seen);
      if (waiting.async) {
        void waiting.value.then(listen);
        return;
      }
    }
  };
  listen();
  const timer = setInterval(() => Atomics.notify(words, index), SLEEP_MS);
  timer.unref();
  return () => {
    isOver = true;
    clearInterval(timer);
    Atomics.notify(words, index);
  };
}
