/**
 * The virtual clock and everything that is to happen by it, ordered by time,
 * then by order number: a heap, and a line of what is due now and comes behind
 * all that is in it, which is most. Time stands still until the pump moves it.
 *
 * With several threads the heap is shared state: `at`, `runDue` and `advance`
 * need the network's lock.
 */
import { Deque } from './deque.ts';

/** Times are multiples of this: things meet at one time, and sums are exact in binary. */
const TICK_MS = 1 / 8;

function toTick(timeMs: number): number {
  return Math.ceil(timeMs / TICK_MS) * TICK_MS;
}

/**
 * `network`: the pump moves time on to it at once. `patient`: timers and
 * time-outs of the far future, for which the pump first gives the program a few
 * passes to do something else.
 */
export type Pace = 'network' | 'patient';

export class Scheduled {
  /** Neither changes while it is scheduled. */
  timeMs: number;
  order: number;
  readonly pace: Pace;
  /** Undefined once it has run or was called off. Called with this: one function can serve many. */
  run: ((scheduled: Scheduled) => void) | undefined;

  constructor(
    timeMs: number,
    order: number,
    pace: Pace,
    run: ((scheduled: Scheduled) => void) | undefined,
  ) {
    this.timeMs = timeMs;
    this.order = order;
    this.pace = pace;
    this.run = run;
  }
}

interface Placed {
  readonly timeMs: number;
  readonly order: number;
}

/** By time, then by order number. */
export function isBefore(a: Placed, b: Placed): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.order < b.order);
}

export class Scheduler {
  #nowMs = 0;
  #order = 0;
  #heap: Scheduled[] = [];
  readonly #line = new Deque<Scheduled>();
  #network = 0;
  #patient = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Things of the network still to happen. */
  get networkPending(): number {
    return this.#network;
  }

  get pending(): number {
    return this.#network + this.#patient;
  }

  /** A time after now, on a tick of the clock. */
  tickAfter(delayMs: number): number {
    return toTick(this.#nowMs + delayMs);
  }

  /** The next order number: what is scheduled later at the same time runs later. */
  nextOrder(): number {
    this.#order += 1;
    return this.#order;
  }

  at(timeMs: number, run: () => void, pace: Pace = 'network', order = this.nextOrder()): Scheduled {
    return this.add(new Scheduled(this.dueMs(timeMs), order, pace, run));
  }

  /** When something happens that is wanted at `timeMs`: on a tick, and not before now. */
  dueMs(timeMs: number): number {
    return Math.max(toTick(timeMs), this.#nowMs);
  }

  /** As `at`, for what carries more than a function; its time is one of `dueMs`. */
  add<Kind extends Scheduled>(scheduled: Kind): Kind {
    this.#count(scheduled.pace, 1);
    const { last } = this.#line;
    // Nothing in the line is of another time: it is empty before time moves on.
    if (scheduled.timeMs === this.#nowMs && (last === undefined || scheduled.order >= last.order)) {
      this.#line.push(scheduled);
    } else this.#push(scheduled);
    return scheduled;
  }

  /** What is still to happen, in no order. */
  *waiting(): Iterable<Scheduled> {
    for (const entry of this.#line) if (entry.run !== undefined) yield entry;
    for (const entry of this.#heap) if (entry.run !== undefined) yield entry;
  }

  cancel(scheduled: Scheduled): void {
    if (scheduled.run === undefined) return;
    scheduled.run = undefined;
    this.#count(scheduled.pace, -1);
    // The heap forgets it when it comes up; a heap of mostly dead entries is rebuilt.
    if (this.#heap.length > 64 && this.#heap.length > 4 * this.pending) {
      const alive = this.#heap.filter((entry) => entry.run !== undefined);
      this.#heap = alive.sort((a, b) => (isBefore(a, b) ? -1 : 1));
    }
  }

  /** Time of the next thing; undefined when nothing is scheduled. */
  nextTimeMs(): number | undefined {
    return this.#next()?.timeMs;
  }

  #next(): Scheduled | undefined {
    while (this.#heap.length > 0 && (this.#heap[0] as Scheduled).run === undefined) this.#pop();
    while (this.#line.first !== undefined && this.#line.first.run === undefined) this.#line.shift();
    const top = this.#heap[0];
    const { first } = this.#line;
    if (first === undefined || (top !== undefined && isBefore(top, first))) return top;
    return first;
  }

  /** Moves time forward, never past the next thing. */
  advance(timeMs: number): void {
    const next = this.nextTimeMs() ?? Infinity;
    this.#nowMs = Math.max(this.#nowMs, Math.min(toTick(timeMs), next));
  }

  /** Runs one thing that is due now. False when there is none. */
  runDue(): boolean {
    const scheduled = this.#next();
    if (scheduled === undefined || scheduled.timeMs > this.#nowMs) return false;
    if (scheduled === this.#line.first) this.#line.shift();
    else this.#pop();
    const run = scheduled.run as (scheduled: Scheduled) => void;
    scheduled.run = undefined;
    this.#count(scheduled.pace, -1);
    run(scheduled);
    return true;
  }

  #count(pace: Pace, change: number): void {
    if (pace === 'network') this.#network += change;
    else this.#patient += change;
  }

  #push(entry: Scheduled): void {
    const heap = this.#heap;
    let place = heap.push(entry) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isBefore(entry, heap[parent] as Scheduled)) break;
      heap[place] = heap[parent] as Scheduled;
      place = parent;
    }
    heap[place] = entry;
  }

  #pop(): Scheduled {
    const heap = this.#heap;
    const first = heap[0] as Scheduled;
    const last = heap.pop() as Scheduled;
    const length = heap.length;
    if (length === 0) return first;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= length) break;
      if (child + 1 < length && isBefore(heap[child + 1] as Scheduled, heap[child] as Scheduled)) {
        child += 1;
      }
      if (!isBefore(heap[child] as Scheduled, last)) break;
      heap[place] = heap[child] as Scheduled;
      place = child;
    }
    heap[place] = last;
    return first;
  }
}
