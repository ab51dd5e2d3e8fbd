/**
 * Completions of a backend that lives in the host's event loop: which tokens
 * are pending and who owns them, one `ready` a pass, and nothing inline.
 */
import { COMPLETION_BUFFER, COMPLETION_MORE, NOTHING } from '#generated/layout';
import type { BackendHost } from '../backend.ts';
import type { Lookout } from './lookout.ts';

/** No token: real ones are not negative. */
export const NO_TOKEN = -1;

/** A token's slot is its low bits; `&` takes them from a double beyond 2^32 too. */
const SLOT_MASK = 0xfffff;

/** Owner of pending operations. */
export interface OperationOwner {
  /** Ends the operation with ERROR_CANCELED if it can still be taken back. Never completes inline. */
  cancel(token: number): void;
}

/** Something to do at the start of the next pass, outside of any submitting call. */
export interface Deferred {
  run(): void;
}

/** What the host calls to have `pass` run soon, after the events at hand. */
export type Scheduler = (pass: () => void) => void;

/**
 * Receives that a pass waits for. With more, what was read first has left the processor's cache
 * when it is answered: sockets, buffers and records alike.
 */
const GATHERED_MOST = 32;

/** Numbers a completion that is held back. */
const FIELDS = 5;

export class Reporter {
  readonly host: BackendHost;
  /** Operations without their final completion. */
  pending = 0;
  /** Passes that were scheduled: the batches. */
  passes = 0;
  /** A single stream is open: see `filled`. */
  alone = false;
  #inside = 0;
  #passing = false;
  #asked = false;
  #scheduled = false;
  /** The host is going to call: no need to ask it again. */
  #awaited = false;
  /** Receives since the last pass. */
  #gathered = 0;
  #ready: (() => void) | undefined;
  readonly #schedule: Scheduler;
  readonly #hurry: Scheduler;
  readonly #lookout: Lookout | undefined;
  readonly #tokens: number[] = [];
  readonly #owners: (OperationOwner | undefined)[] = [];
  /** Completions that wait, FIELDS numbers each: token, result, flags, buffer, system error. */
  #held = new Float64Array(64 * FIELDS);
  #heldCount = 0;
  #deferred: Deferred[] = [];

  /** @param hurry has the pass run right behind the event at hand */
  constructor(host: BackendHost, schedule: Scheduler, hurry: Scheduler, lookout?: Lookout) {
    this.host = host;
    this.#schedule = schedule;
    this.#hurry = hurry;
    this.#lookout = lookout;
  }

  /** Nothing pending, nothing held back. */
  get idle(): boolean {
    return this.pending === 0 && this.#heldCount === 0;
  }

  attach(ready: () => void): void {
    this.#ready = ready;
    if (this.#heldCount > 0 || this.#deferred.length > 0) this.wake();
  }

  /** A submitting call begins: until `leave`, completions are held back (rule 1). */
  enter(): void {
    this.#inside++;
  }

  leave(): void {
    this.#inside--;
  }

  /** Registers a submitted operation. */
  begin(token: number, owner: OperationOwner): void {
    const slot = token & SLOT_MASK;
    this.#tokens[slot] = token;
    this.#owners[slot] = owner;
    this.pending++;
  }

  /** Asks the owner of a pending operation to take it back. */
  cancel(token: number): void {
    const slot = token & SLOT_MASK;
    if (this.#tokens[slot] !== token) return;
    this.#inside++;
    this.#owners[slot]?.cancel(token);
    this.#inside--;
  }

  /** A completion with more to come. */
  more(token: number, result: number): void {
    this.#emit(token, result, COMPLETION_MORE, NOTHING, 0);
  }

  /** Bytes in a receive buffer that the backend took; more to come. */
  filled(token: number, bytes: number, buffer: number): void {
    this.#lookout?.received();
    // With one connection there is nobody to batch with: its turn comes right behind the read.
    if (this.alone) {
      if (!this.#scheduled && !this.#passing) {
        this.#scheduled = true;
        this.#hurry(this.#due);
      }
    } else if (++this.#gathered === GATHERED_MOST && !this.#passing) this.#hurry(this.#due);
    this.#emit(token, bytes, COMPLETION_MORE | COMPLETION_BUFFER, buffer, 0);
  }

  /** The final completion of a registered operation. */
  finish(token: number, result: number, systemError = 0): void {
    const slot = token & SLOT_MASK;
    if (this.#tokens[slot] !== token || this.#owners[slot] === undefined) return;
    this.#owners[slot] = undefined;
    this.pending--;
    this.#emit(token, result, 0, NOTHING, systemError);
  }

  /** The final completion of an operation that fails, or succeeds, as it is submitted. */
  settle(token: number, result: number, systemError = 0): void {
    this.#hold(token, result, 0, NOTHING, systemError);
    this.wake();
  }

  defer(work: Deferred): void {
    this.#deferred.push(work);
    this.wake();
  }

  /** Makes `ready` come once more. */
  ask(): void {
    this.#asked = true;
    this.wake();
  }

  wake(): void {
    if (this.#scheduled || this.#passing) return;
    this.#scheduled = true;
    if (this.#awaited) return;
    this.#awaited = true;
    this.#schedule(this.#onScheduled);
  }

  readonly #onScheduled = (): void => {
    this.#awaited = false;
    this.#due();
  };

  /** Unless a pass that was in a hurry has done it all. */
  readonly #due = (): void => {
    if (this.#scheduled) this.#pass();
  };

  #emit(token: number, result: number, flags: number, buffer: number, systemError: number): void {
    // Behind held ones even where it could go at once: completions keep their order.
    if (this.#inside > 0 || this.#heldCount > 0) {
      this.#hold(token, result, flags, buffer, systemError);
    } else this.host.complete(token, result, flags, buffer, systemError);
    this.wake();
  }

  #pass(): void {
    this.#scheduled = false;
    this.#gathered = 0;
    this.#passing = true;
    this.#asked = false;
    this.passes++;
    if (this.#heldCount > 0) this.#release();
    if (this.#deferred.length > 0) {
      const deferred = this.#deferred;
      this.#deferred = [];
      for (const work of deferred) work.run();
    }
    this.#ready?.();
    // What completed while it was submitted goes with this pass: no further one just for that.
    if (this.#heldCount > 0) {
      this.#release();
      this.#ready?.();
    }
    this.#passing = false;
    if (this.#heldCount > 0 || this.#deferred.length > 0 || this.#asked) this.wake();
    else this.#lookout?.passed();
  }

  #hold(token: number, result: number, flags: number, buffer: number, systemError: number): void {
    const at = this.#heldCount * FIELDS;
    if (at === this.#held.length) {
      const larger = new Float64Array(at * 2);
      larger.set(this.#held);
      this.#held = larger;
    }
    const held = this.#held;
    held[at] = token;
    held[at + 1] = result;
    held[at + 2] = flags;
    held[at + 3] = buffer;
    held[at + 4] = systemError;
    this.#heldCount++;
  }

  #release(): void {
    const held = this.#held;
    const end = this.#heldCount * FIELDS;
    // The host only queues a completion: nothing is held meanwhile. `| 0` is for JavaScriptCore:
    // it calls WebAssembly at once only with what it knows to be integers; with numbers out of a
    // Float64Array it builds each call anew, which took 100 ns.
    this.#heldCount = 0;
    for (let at = 0; at < end; at += FIELDS) {
      this.host.complete(
        held[at] as number,
        (held[at + 1] as number) | 0,
        (held[at + 2] as number) | 0,
        (held[at + 3] as number) | 0,
        (held[at + 4] as number) | 0,
      );
    }
  }
}
