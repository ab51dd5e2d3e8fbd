/**
 * Keeps the rings going. In the host's event loop: while there is work, a look
 * at the completion ring each pass, which costs no system call; after some
 * passes that found nothing, sleep until the ring is readable. In an I/O
 * worker: the thread itself waits in the kernel.
 *
 * A turn's entries are submitted as it ends, by one call, in which the kernel
 * also does what it had put off. What it gets to do between two turns it does
 * in any system call of this thread, of which the host's loop makes one a pass.
 */
import { clearImmediate, setImmediate } from 'node:timers';
import { IORING_ENTER_GETEVENTS } from './constants.ts';
import type { Context } from './context.ts';
import { createSleeper, type Sleeper } from './sleep.ts';

export interface PumpWork {
  /** Takes what the completion ring has; true if there was anything. */
  reap(): boolean;
  /** Reports what was held back; true if there was any. */
  release(): boolean;
  /** True while something is open or under way. */
  isOpen(): boolean;
}

export class Pump {
  readonly #context: Context;
  readonly #work: PumpWork;
  readonly #port: number;
  readonly #flush: (port: number) => number;
  readonly #sleeper: Sleeper | undefined;
  #ready: (() => void) | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #isAsleep = false;
  #isAsleepReferenced = false;
  #asked = false;
  #idlePasses = 0;
  #isStopped = false;

  /** @throws LinuxError: what it sleeps by is made now, not when descriptors are used up */
  constructor(context: Context, work: PumpWork) {
    this.#context = context;
    const { system, ring, options } = context;
    if (!options.blocking) this.#sleeper = createSleeper(system, ring.fd, this.#woken);
    this.#work = work;
    this.#port = context.memory.port;
    this.#flush = context.memory.core.exports.uringFlush;
    context.onReport = () => this.#soon();
    context.onChange = () => this.#changed();
    context.submitter.onWait = () => this.#soon();
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

  /** The turn's entries go to the kernel, with the buffers that it gave back. */
  flush(): void {
    if (this.#isStopped) return;
    const waiting = this.#flush(this.#port);
    if (waiting === 0 || this.#context.options.blocking) return;
    this.#enter(waiting, 0);
    this.#soon();
  }

  /** Waits on this very thread. True if anything came. */
  wait(timeoutMs: number): boolean {
    const { ring, submitter } = this.#context;
    submitter.retry();
    const released = this.#work.release() || this.#asked;
    this.#asked = false;
    const waiting = this.#flush(this.#port);
    if (released || timeoutMs <= 0 || this.#hasCompletions) {
      this.#enter(waiting, IORING_ENTER_GETEVENTS);
    } else {
      this.#count(waiting);
      this.#context.counts.waits++;
      ring.enterAndWait(waiting, timeoutMs);
    }
    return this.#work.reap() || released;
  }

  // ------------------------------------------------------------ passes

  #soon(): void {
    if (this.#immediate !== undefined || this.#ready === undefined || this.#isStopped) return;
    if (this.#context.options.blocking) return;
    this.#immediate = setImmediate(this.#pass);
  }

  readonly #pass = (): void => {
    this.#immediate = undefined;
    const { ring, submitter, counts } = this.#context;
    counts.passes++;
    submitter.retry();
    const { waiting } = ring;
    // Entries that the kernel did not take, or work that it put off.
    if (waiting > 0 || ring.wantsEntering) this.#enter(waiting, IORING_ENTER_GETEVENTS);
    const reaped = this.#work.reap();
    // After what came from the kernel: a close is its handle's last completion.
    const released = this.#work.release();
    if (reaped || released || this.#asked) {
      this.#asked = false;
      this.#idlePasses = 0;
      this.#ready?.();
    } else this.#idlePasses++;
    this.#next();
  };

  #next(): void {
    if (this.#isStopped || this.#immediate !== undefined) return;
    if (!this.#work.isOpen()) this.#rouse();
    else if (this.#idlePasses < this.#context.options.idlePasses) this.#soon();
    else if (this.#context.submitter.isBlocked || this.#context.ring.waiting > 0) this.#soon();
    else this.#sleep();
  }

  #sleep(): void {
    const { referenced, opening, counts } = this.#context;
    const isReferenced = referenced + opening > 0;
    if (this.#isAsleep && this.#isAsleepReferenced === isReferenced) return;
    counts.waits++;
    this.#isAsleep = true;
    this.#isAsleepReferenced = isReferenced;
    this.#sleeper?.sleep(isReferenced);
  }

  readonly #woken = (): void => {
    this.#isAsleep = false;
    this.#idlePasses = 0;
    if (this.#immediate === undefined && !this.#isStopped) this.#pass();
  };

  #rouse(): void {
    if (!this.#isAsleep) return;
    this.#isAsleep = false;
    this.#sleeper?.stop();
  }

  /** Something was opened or closed, or keeps the process alive no more. */
  #changed(): void {
    if (this.#isAsleep) {
      const { referenced, opening } = this.#context;
      if (referenced + opening > 0 === this.#isAsleepReferenced && this.#work.isOpen()) return;
      this.#rouse();
    }
    this.#soon();
  }

  // ------------------------------------------------------------ the kernel

  get #hasCompletions(): boolean {
    const { ring, memory } = this.#context;
    return memory.core.u32[ring.cqHead] !== Atomics.load(memory.core.u32, ring.cqTail);
  }

  #enter(waiting: number, flags: number): void {
    this.#count(waiting);
    // What it does not take, for want of memory or of room, is tried again in the next pass.
    this.#context.ring.enter(waiting, flags);
  }

  #count(waiting: number): void {
    const { counts } = this.#context;
    counts.enters++;
    counts.submitted += waiting;
  }

  stop(): void {
    this.#isStopped = true;
    clearImmediate(this.#immediate);
    this.#rouse();
    this.#sleeper?.close();
  }
}
