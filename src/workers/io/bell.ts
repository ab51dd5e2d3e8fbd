/** Wakes of the I/O thread: a word of shared memory that it waits for in its event loop. */
import { clearImmediate, setImmediate } from 'node:timers';

/** Words behind the bell: the I/O thread looks for time limits; a worker wants it to; */
const SWEEPING = 1;
const WANTED = 2;
/** The I/O thread sleeps, or is about to. */
const ASLEEP = 3;
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

/** Longest sleep, so that a host that loses a wake is not stuck for good. */
const SLEEP_MS = 1000;
/** Passes of the event loop without a ring before the I/O thread sleeps. */
const IDLE_PASSES = 8;

/** A thread rings. Takes some microseconds where the I/O thread sleeps, and none where it is awake. */
export function ring(words: Int32Array, bell: number): void {
  Atomics.add(words, bell, 1);
  if (Atomics.load(words, bell + ASLEEP) !== 0) Atomics.notify(words, bell);
}

/**
 * Calls `rung` after each ring, at least once for any number of them. After a ring this thread
 * looks at the bell in every pass of its event loop, and sleeps only where none has come for a
 * while: to be woken costs both sides more than a batch of completions. Returns how to stop.
 */
export function listenBell(words: Int32Array, bell: number, rung: () => void): () => void {
  let seen = Atomics.load(words, bell);
  let idlePasses = 0;
  let isOver = false;
  let isAsleep = false;
  let immediate: NodeJS.Immediate | undefined;
  const pass = (): void => {
    immediate = undefined;
    if (look()) idlePasses = 0;
    else idlePasses++;
    if (isOver) return;
    if (idlePasses < IDLE_PASSES) immediate = setImmediate(pass);
    else sleep();
  };
  const look = (): boolean => {
    const rings = Atomics.load(words, bell);
    if (rings === seen) return false;
    seen = rings;
    rung();
    return true;
  };
  const sleep = (): void => {
    // Announced, then looked once more: who rings sees the one, or this thread the other.
    Atomics.store(words, bell + ASLEEP, 1);
    const waiting = waitAsync(words, bell, seen);
    if (!waiting.async) {
      rise();
      return;
    }
    isAsleep = true;
    void waiting.value.then(rise);
  };
  const rise = (): void => {
    isAsleep = false;
    Atomics.store(words, bell + ASLEEP, 0);
    idlePasses = 0;
    if (!isOver) pass();
  };
  // One timer for all sleeps: a time limit of their own would be one for each of them.
  const timer = setInterval(() => isAsleep && Atomics.notify(words, bell), SLEEP_MS);
  timer.unref();
  sleep();
  return () => {
    isOver = true;
    clearInterval(timer);
    clearImmediate(immediate);
    Atomics.notify(words, bell);
  };
}

type Waiting =
  | { readonly async: false; readonly value: 'not-equal' | 'timed-out' }
  | { readonly async: true; readonly value: Promise<'ok' | 'timed-out'> };

/**
 * `Atomics.waitAsync`, which TypeScript's ES2023 does not know: Node, Bun and Deno have it. A
 * time limit is a timer of the host's: not for waits that come and go all the time.
 */
export function waitAsync(
  words: Int32Array,
  index: number,
  value: number,
  timeoutMs = Number.POSITIVE_INFINITY,
): Waiting {
  const atomics = Atomics as unknown as {
    waitAsync(words: Int32Array, index: number, value: number, timeoutMs: number): Waiting;
  };
  return atomics.waitAsync(words, index, value, timeoutMs);
}
