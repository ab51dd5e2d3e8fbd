/** What goes between a test and its threads that dispatch. */
import type { PoolHandle } from '../../../src/workers/pool/index.ts';

/** Words of the memory that a test's dispatchers share. */
export const Shared = {
  /** Results got, of all. */
  got: 0,
  /** Rejections that nobody expects. */
  failed: 1,
  /** Set by the test: who is stuck may go on. */
  gate: 2,
  stuck: 3,
  /** By key: 1 while a thread has its claim. */
  claim: 64,
  /** By key: the next number. */
  next: 128,
  /** Results in the order in which threads got them: key × 2^20 + number. */
  results: 1024,
} as const;

/** Jobs by chance: seeded, so that a run that fails can be made again. */
export interface Rush {
  readonly seed: number;
  readonly thread: number;
  readonly keys: number;
  readonly jobs: number;
  /** Most iterations that a job takes. */
  readonly spins: number;
  /** Dies when it has got so many results; 0: never. */
  readonly diesAfter: number;
  readonly how: 'exit' | 'throw';
}

export interface DispatcherData {
  readonly handle: PoolHandle;
  readonly words: Int32Array;
  readonly rush?: Rush;
}

/** What it is told. */
export type Order =
  | {
      readonly id: number;
      readonly kind: 'dispatch';
      readonly bytes: Uint8Array;
      readonly key: number | string | undefined;
      /** Stays in the first thing that hangs on the result, until the gate opens. */
      readonly sticks: boolean;
    }
  | { readonly id: number; readonly kind: 'hasRoom' | 'room' | 'close' | 'exit' | 'throw' };

export interface Reply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly name: string; readonly code?: string; readonly message: string };
}
