/**
 * Takes packets from the port. In the host's event loop: while there is work, a
 * dequeue each pass that does not wait; after some passes that found nothing,
 * one koffi call on another thread waits for the next packet, so that an idle
 * port costs nothing and a busy one no change of threads. In an I/O worker: the
 * thread itself waits.
 *
 * Where workers dequeue beside it, this thread keeps away from their packets: it
 * waits only while a worker sleeps, and takes no more than wakes the sleepers.
 * With all of them awake it looks now and then, for what only it can do, should
 * none of them come back.
 */
import process from 'node:process';
import {
  clearImmediate,
  clearInterval,
  clearTimeout,
  setImmediate,
  setInterval,
  setTimeout,
} from 'node:timers';
import { IOCP_KEY_WAKE } from '#generated/layout';
import * as c from './constants.ts';
import type { Context } from './context.ts';
import { ENTRY_CAPACITY } from './memory.ts';
import type { Seats } from './seats.ts';

/** Turns in one pass of the host's loop. */
const TURNS_AT_ONCE = 8;
/** While no thread can be had to wait. */
const THREADLESS_POLL_MS = 1;
/** With nothing that keeps the process alive no thread may wait: that would keep it. */
const UNREFERENCED_POLL_MS = 10;
/** Looks at a port whose workers are all awake. */
const BESIDE_WORKERS_MS = 10;
/** A wake may have been taken by a worker that ended then: it is sent again. */
const STOP_AGAIN_MS = 50;
/**
 * Longest wait on another thread, before it waits again. Bun's pool has as many
 * threads as there are processors, and loads modules by them too: two ports that
 * keep theirs for good would let no worker start on a machine with two.
 */
const WAIT_MS = process.versions.bun === undefined ? c.INFINITE : 20;

export interface PumpWork {
  /** `count` packets were dequeued into these entries. */
  packets(entries: number, count: number): void;
  /** Reports what was held back; true if there was any. */
  release(): boolean;
  /** True while something is open or under way. */
  isOpen(): boolean;
}

export class Pump {
  readonly #context: Context;
  readonly #work: PumpWork;
  #ready: (() => void) | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #besideTimer: NodeJS.Timeout | undefined;
  /** Workers dequeue, too. */
  #sharesNow = false;
  /** A wait runs on another thread. */
  #waiting = false;
  /** It was told to end. */
  #interrupted = false;
  #asked = false;
  #idlePasses = 0;
  #stopped = false;
  #onStop: (() => void) | undefined;

  constructor(context: Context, work: PumpWork) {
    this.#context = context;
    this.#work = work;
    context.onReport = () => this.#soon();
    context.onChange = () => this.#changed();
  }

  attach(ready: () => void): void {
    this.#ready = ready;
    this.#soon();
  }

  /** Makes `ready` come in a later pass. */
  wake(): void {
    this.#asked = true;
    this.#soon();
  }

  /** Waits on this very thread. True if anything came. */
  wait(timeoutMs: number): boolean {
    if (this.#stopped) return false;
    const released = this.#work.release();
    // Somebody has work for the turn that follows, whatever has come.
    const isDue = released || this.#asked;
    this.#asked = false;
    const limit = isDue ? 0 : Number.isFinite(timeoutMs) ? Math.max(timeoutMs, 0) : c.INFINITE;
    return this.#dequeue(limit) || released;
  }

  // ------------------------------------------------------------ passes

  #soon(): void {
    if (this.#immediate !== undefined || this.#ready === undefined || this.#stopped) return;
    this.#immediate = setImmediate(this.#pass);
  }

  readonly #pass = (): void => {
    this.#immediate = undefined;
    let busy = this.#work.release();
    // What another thread waits for it also gets.
    if (!this.#waiting && !this.#isLeftToWorkers) busy = this.#dequeue(0) || busy;
    this.#turn(busy);
  };

  /** Workers dequeue, and none of them sleeps. */
  get #isLeftToWorkers(): boolean {
    return this.#sharesNow && (this.#seats?.sleepers ?? 0) === 0;
  }

  /** One for each worker that sleeps: the rest they take themselves, once awake. */
  get #most(): number {
    if (!this.#sharesNow) return ENTRY_CAPACITY;
    return Math.min(Math.max(this.#seats?.sleepers ?? 0, 1), ENTRY_CAPACITY);
  }

  get #seats(): Seats | undefined {
    return this.#context.memory.seats;
  }

  /** A worker asks for this thread, which is given a turn behind this. */
  attend(): void {
    this.#sharesNow = (this.#seats?.taken ?? 0) > 0;
    this.#work.release();
    if (!this.#waiting) this.#soon();
  }

  #turn(busy: boolean): void {
    if (busy || this.#asked) {
      this.#asked = false;
      this.#idlePasses = 0;
      this.#ready?.();
      // What was done as it was submitted needs no look at the port; others get their chance.
      for (let turn = 1; turn < TURNS_AT_ONCE && this.#work.release(); turn++) this.#ready?.();
    } else this.#idlePasses++;
    this.#next();
  }

  #next(): void {
    if (this.#stopped || this.#waiting || this.#immediate !== undefined) return;
    if (this.#isLeftToWorkers) {
      this.#lookLater();
      return;
    }
    if (this.#timer !== undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    if (!this.#work.isOpen()) return;
    const { options, referenced, opening } = this.#context;
    const idlePasses = this.#sharesNow ? 1 : options.idlePasses;
    if (this.#idlePasses < idlePasses) this.#soon();
    else if (referenced + opening > 0) this.#waitElsewhere();
    else {
      this.#timer = setTimeout(this.#pass, UNREFERENCED_POLL_MS);
      this.#timer.unref();
    }
  }

  #lookLater(): void {
    if (this.#besideTimer !== undefined || !this.#work.isOpen()) return;
    this.#besideTimer = setTimeout(this.#beside, BESIDE_WORKERS_MS);
    if (this.#context.referenced + this.#context.opening === 0) this.#besideTimer.unref();
  }

  readonly #beside = (): void => {
    this.#besideTimer = undefined;
    if (this.#waiting || this.#immediate !== undefined || this.#stopped) return;
    const released = this.#work.release();
    this.#turn(this.#dequeue(0) || released);
  };

  /** Something was opened or closed, or keeps the process alive no more. */
  #changed(): void {
    if (this.#ready === undefined) return;
    const { referenced, opening } = this.#context;
    if (this.#waiting) {
      if (referenced + opening === 0) this.interrupt();
    } else this.#soon();
  }

  // ------------------------------------------------------------ dequeuing

  #dequeue(timeoutMs: number): boolean {
    const { memory, system, port, counts } = this.#context;
    const { base, entries, removed, core } = memory;
    counts.dequeues++;
    const ok = system.win32.GetQueuedCompletionStatusEx(
      port,
      base + entries,
      this.#most,
      base + removed,
      timeoutMs,
      0,
    );
    if (ok === 0) return false;
    return this.#take(entries, core.u32[removed >>> 2] as number);
  }

  #take(entries: number, count: number): boolean {
    if (count === 0) return false;
    this.#context.counts.packets += count;
    this.#work.packets(entries, count);
    return true;
  }

  #waitElsewhere(): void {
    this.#waiting = true;
    this.#interrupted = false;
    this.#seats?.setWaiting(true);
    this.#context.counts.waits++;
    this.#waitAgain();
  }

  #waitAgain(): void {
    const { memory, system, port } = this.#context;
    const { base, waitEntries, waitRemoved } = memory;
    try {
      system.win32.GetQueuedCompletionStatusEx.async(
        port,
        base + waitEntries,
        this.#most,
        base + waitRemoved,
        WAIT_MS,
        0,
        this.#waited,
      );
    } catch {
      this.#waitFailed();
    }
  }

  /** More ports wait than koffi has calls for: this one looks by itself, now and then. */
  #waitFailed(): void {
    this.#endWait();
    this.#context.counts.waitsFailed++;
    this.#timer = setTimeout(this.#pass, THREADLESS_POLL_MS);
  }

  #endWait(): void {
    this.#waiting = false;
    this.#seats?.setWaiting(false);
  }

  readonly #waited = (error: Error | null, ok: number): void => {
    const isOver = error === null && ok === 0 && WAIT_MS !== c.INFINITE;
    if (isOver && !this.#stopped && !this.#interrupted && !this.#isLeftToWorkers) {
      this.#waitAgain();
      return;
    }
    this.#endWait();
    const { memory } = this.#context;
    if (error !== null) {
      if (this.#stopped) this.#onStop?.();
      else this.#waitFailed();
      return;
    }
    const count = ok === 0 ? 0 : (memory.core.u32[memory.waitRemoved >>> 2] as number);
    const taken = this.#take(memory.waitEntries, count);
    if (this.#stopped) {
      this.#onStop?.();
      return;
    }
    this.#turn(this.#work.release() || taken);
  };

  /** Ends a wait on another thread. */
  interrupt(): void {
    if (!this.#waiting || this.#interrupted) return;
    this.#interrupted = true;
    this.interruptAgain();
  }

  /** The process ends: nobody is left to look again, so no worker may take the packet that ends the wait. */
  interruptForGood(): void {
    if (!this.#waiting) return;
    this.#seats?.close();
    this.#interrupted = true;
    this.interruptAgain();
  }

  /** The packet that was to end a wait may be lost. */
  interruptAgain(): void {
    if (!this.#waiting || !this.#interrupted) return;
    const { system, port } = this.#context;
    system.win32.PostQueuedCompletionStatus(port, 0, IOCP_KEY_WAKE, 0);
  }

  /** No packet is taken any more; resolves once no thread waits. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearImmediate(this.#immediate);
    clearTimeout(this.#timer);
    clearTimeout(this.#besideTimer);
    if (!this.#waiting) return;
    const again = setInterval(() => this.interruptAgain(), STOP_AGAIN_MS);
    await new Promise<void>((resolve) => {
      this.#onStop = resolve;
      this.interrupt();
    });
    clearInterval(again);
  }
}
