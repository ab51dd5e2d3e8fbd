/**
 * What is measured: a case is one piece of work, and several versions that do
 * it over the same data. Each version leaves a result that is checked against
 * the others': one that does not do the work does not count.
 */

/** Who does the work. `own` is this package, `ceiling` the same loop in C. */
export type Role = 'own' | 'peer' | 'ceiling';

/**
 * One way to do the work of a case. A pass is `step(0)` to `step(steps - 1)`;
 * passes follow each other, with whatever state the version keeps.
 */
export interface Version {
  readonly name: string;
  readonly role: Role;
  readonly steps: number;
  /** Does one step and returns how many units (messages, items) came out. */
  step(index: number): number;
  /**
   * A number made of everything that the last step produced; called after each
   * step of an untimed pass, so it may be slow.
   */
  digest(): number;
}

/** The same work in C: a kernel of kernels.c with its numbers and its data. */
export interface NativeWork {
  readonly kernel: string;
  readonly numbers: readonly number[];
  readonly input: Uint8Array;
}

/** A figure that was promised for this case, in Node. */
export type Promised =
  /** `of` takes at most so many nanoseconds a unit. */
  | { readonly of: string; readonly atMostNs: number }
  /** `of` is at least so many times as fast as `to`. */
  | { readonly of: string; readonly to: string; readonly atLeast: number };

/** A case ready to run. */
export interface Work {
  readonly versions: readonly Version[];
  readonly native?: NativeWork;
  /** Gives threads and timers back. */
  close?(): Promise<void> | void;
}

/** A case by its name; `open` makes its data and its versions. */
export interface MicroCase {
  /** Unique, such as `decode/line/64/whole`. */
  readonly id: string;
  /** Cases of one section stand together in the report. */
  readonly section: string;
  readonly title: string;
  /** What one unit is: `message`, `item`, `operation`. */
  readonly unit: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly promises?: readonly Promised[];
  /** Part of `--quick`. Default true. */
  readonly quick?: boolean;
  /** Part of `--quick` in several hosts. Default false. */
  readonly essential?: boolean;
  /** Needs threads that share memory. */
  readonly threads?: number;
  open(): Promise<Work> | Work;
}

/** The names of versions, so that promises and tables agree. */
export const CORE = 'core';
/** The core's function called once for each unit, through the boundary of the host. */
export const CALLS = 'core, a call each';
export const PLAIN = 'good JavaScript';
export const NATIVE = 'gcc -O3';

/** One more word into a running 32-bit digest. kernels.c has the same. */
export function mix(digest: number, word: number): number {
  return Math.imul(digest ^ word, 0x01000193) ^ (digest >>> 15);
}

export const DIGEST_SEED = 0x811c9dc5 | 0;

/** Digest of bytes, four at a time. kernels.c has the same. */
export function mixBytes(digest: number, bytes: Uint8Array, from: number, to: number): number {
  let value = mix(digest, to - from);
  for (let at = from; at < to; at++) value = mix(value, bytes[at] as number);
  return value;
}

/** Small numbers that are the same everywhere. */
export function randomFrom(seed: number): (limit: number) => number {
  let state = seed >>> 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}
