/** Dispatches on their way to a thread: what finds no room waits here, within bounds. */
import { OverlappedError } from '../../errors.ts';
import { Block, type Dispatch } from './job.ts';
import type { JobBoard } from './job-board.ts';

interface Waiting {
  /** A copy: the caller's bytes are its own again when `dispatch` returns. */
  readonly bytes: Uint8Array | Block;
  readonly dispatch: Dispatch;
}

/** Since when dispatches wait for a thread. */
export interface Survey {
  /** The one that has waited longest; undefined if none waits. */
  readonly oldestMs: number | undefined;
  /** The same of those that are not late yet. */
  readonly oldestPunctualMs: number | undefined;
}

export class Intake {
  readonly #board: JobBoard;
  #waiting: Waiting[] = [];

  constructor(board: JobBoard) {
    this.#board = board;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get hasRoom(): boolean {
    return this.#waiting.length === 0 && this.#board.hasSlot;
  }

  take(bytes: Uint8Array | Block, dispatch: Dispatch): void {
    if (this.#waiting.length > 0 || !this.#board.accept(bytes, dispatch)) {
      const kept = bytes instanceof Block ? bytes : new Uint8Array(bytes);
      this.#waiting.push({ bytes: kept, dispatch });
    }
  }

  /** Queues what waited, as far as there is room now. */
  admit(): void {
    let admitted = 0;
    for (const { bytes, dispatch } of this.#waiting) {
      if (!this.#board.accept(bytes, dispatch)) break;
      admitted++;
    }
    if (admitted > 0) this.#waiting.splice(0, admitted);
  }

  survey(): Survey {
    let oldestMs: number | undefined;
    for (const [sinceMs, dispatch] of this.#untaken()) {
      oldestMs ??= sinceMs;
      if (!dispatch.late) return { oldestMs, oldestPunctualMs: sinceMs };
    }
    return { oldestMs, oldestPunctualMs: undefined };
  }

  /** Marks dispatches that have waited since `limitMs` or longer as late; how many are so only now. */
  markLate(limitMs: number): number {
    let count = 0;
    for (const [sinceMs, dispatch] of this.#untaken()) {
      if (sinceMs > limitMs) break;
      if (dispatch.late) continue;
      dispatch.late = true;
      count++;
    }
    return count;
  }

  /** Rejects dispatches that have waited since `limitMs` or longer; how many there were. */
  giveUp(limitMs: number, error: () => OverlappedError): number {
    let count = 0;
    for (const job of this.#board.untaken()) {
      if (job.queuedAtMs > limitMs) break;
      // A thread may take it at this very moment.
      if (!this.#board.withdraw(job)) continue;
      job.dispatch.reject(error());
      count++;
    }
    const kept = this.#waiting.filter(({ dispatch }) => dispatch.atMs > limitMs);
    if (kept.length === this.#waiting.length) return count;
    for (const { dispatch } of this.#waiting) {
      if (dispatch.atMs > limitMs) continue;
      dispatch.reject(error());
      count++;
    }
    this.#waiting = kept;
    return count;
  }

  /** Rejects every dispatch that has no answer; how many there were. */
  cancelAll(): number {
    const open = [...this.#board.all()]
      .map((job) => job.dispatch)
      .concat(this.#waiting.splice(0).map(({ dispatch }) => dispatch));
    const unanswered = open.filter((dispatch) => !dispatch.answered);
    for (const dispatch of unanswered) {
      const message = 'the pool was closed before the job was done';
      dispatch.reject(new OverlappedError('CANCELED', message));
    }
    return unanswered.length;
  }

  /** Dispatches that no thread has taken, and since when, oldest first. */
  *#untaken(): Generator<readonly [sinceMs: number, dispatch: Dispatch]> {
    for (const job of this.#board.untaken()) yield [job.queuedAtMs, job.dispatch];
    for (const { dispatch } of this.#waiting) yield [dispatch.atMs, dispatch];
  }
}
