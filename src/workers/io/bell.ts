/** Wakes of the I/O thread: a word of shared memory that it waits for in its event loop. */

/** Words behind the bell: the I/O thread looks for time limits; a worker wants it to. */
const SWEEPING = 1;
const WANTED = 2;
export const BELL_BYTES = 64;

/** In a worker: a connection has a time limit from now on. */
export function askForSweeps(words: Int32Array, bell: number): void {
  if (Atomics.load(words, bell + SWEEPING) !== 0) return;
  Atomics.store(words, bell + WANTED, 1);
  ring(words, bell);
}

/** In the I/O thread, after a ring: whether a worker wants it to look. */
export function sweepsWanted(words: Int32Array, bell: number): boolean {
  return Atomics.exchange(words, bell + WANTED, 0) !== 0;
}

/** In the I/O thread: workers need not ask. */
export function beginSweeps(words: Int32Array, bell: number): void {
  Atomics.store(words, bell + SWEEPING, 1);
}

/**
 * In the I/O thread, after a look: whether to go on. `isNeeded` is asked again
 * once workers can see that nobody looks any more.
 */
export function keepSweeping(words: Int32Array, bell: number, isNeeded: () => boolean): boolean {
  if (isNeeded()) return true;
  Atomics.store(words, bell + SWEEPING, 0);
  if (!isNeeded()) return false;
  Atomics.store(words, bell + SWEEPING, 1);
  return true;
}

/** Longest wait, so that a host that loses a wake is not stuck for good. */
const WAIT_MS = 1000;

/** A thread rings. Takes some microseconds, where the I/O thread sleeps. */
export function ring(words: Int32Array, index: number): void {
  Atomics.add(words, index, 1);
  Atomics.notify(words, index);
}

/** Calls `rung` after each ring, at least once for any number of them. Returns how to stop. */
export function listenBell(words: Int32Array, index: number, rung: () => void): () => void {
  let isOver = false;
  let seen = Atomics.load(words, index);
  const wait = (): void => {
    for (;;) {
      const waiting = waitAsync(words, index, seen, WAIT_MS);
      if (waiting.async) {
        void waiting.value.then(heard);
        return;
      }
      look();
      if (isOver) return;
    }
  };
  const look = (): void => {
    seen = Atomics.load(words, index);
    if (!isOver) rung();
  };
  const heard = (): void => {
    if (isOver) return;
    look();
    wait();
  };
  wait();
  return () => {
    isOver = true;
    ring(words, index);
  };
}

type Waiting =
  | { readonly async: false; readonly value: 'not-equal' | 'timed-out' }
  | { readonly async: true; readonly value: Promise<'ok' | 'timed-out'> };

/** `Atomics.waitAsync`, which TypeScript's ES2023 does not know: Node, Bun and Deno have it. */
export function waitAsync(
  words: Int32Array,
  index: number,
  value: number,
  timeoutMs: number,
): Waiting {
  const atomics = Atomics as unknown as {
    waitAsync(words: Int32Array, index: number, value: number, timeoutMs: number): Waiting;
  };
  return atomics.waitAsync(words, index, value, timeoutMs);
}
