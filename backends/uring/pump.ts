/**
 * Keeps the rings going. In the host's event loop: while there is work, a look
 * at the rings' words each pass, which costs no system call; after some passes
 * that found nothing, sleep until there is something. In an I/O worker: the
 * thread itself waits in the kernel.
 *
 * A turn's entries are submitted as it ends, by one call, in which the kernel
 * also does some of what it had put off: that is the next turn. So one pass of
 * the host's loop is several short turns, and each finds in the caches what the
 * one before has left there.
 */
import { clearImmediate, setImmediate } from 'node:timers';
import { isMainThread } from 'node:worker_threads';
import { Bell } from './bell.ts';
import { IORING_ENTER_GETEVENTS } from './constants.ts';
import type { Context } from './context.ts';
import { createSleeper, type Sleeper } from './sleep.ts';
import { WakerEnd } from './waker.ts';

/** Turns in one pass of the host's loop, before timers and others get their chance. */
const TURNS_AT_ONCE = 4;

/** Of a thread that waits in the kernel: about what a pass of a host's loop takes. */
const LOOKS_A_PASS = 100;

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
  readonly #bell: Bell | undefined;
  readonly #sleeper: Sleeper | undefined;
  readonly #waker: WakerEnd | undefined;
  #ready: (() => void) | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #isAsleep = false;
  #isAsleepReferenced = false;
  #asked = false;
  #idlePasses = 0;
  #isStopped = false;
  /** The last wait found something. */
  #isBusy = false;

  /** @throws LinuxError: what it sleeps by is made now, not when descriptors are used up */
  constructor(context: Context, work: PumpWork) {
    this.#context = context;
    const { system, memory, ring, options } = context;
    if (options.blocking) this.#waker = new WakerEnd(system, memory, context.submitter);
    else {
      const bell = new Bell(system, memory, ring);
      this.#bell = bell;
      try {
        this.#sleeper = createSleeper(system, memory, bell.fd, this.#woken);
      } catch (error) {
        bell.close();
        throw error;
      }
    }
    this.#work = work;
    this.#port = context.memory.port;
    this.#flush = context.memory.native.uringFlush;
    context.onReport = () => this.#soon();
    context.onChange = () => this.#changed();
    context.onRing = () => this.#rung();
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
    this.#enter(waiting, this.#context.ring.isDeferred ? IORING_ENTER_GETEVENTS : 0);
    this.#soon();
  }

  /** See `openWaker`; undefined where the host's loop is waited in. */
  get waker(): number | undefined {
    return this.#waker?.fd;
  }

  /** Another thread wants it. */
  #rung(): void {
    this.#waker?.completed();
    this.#context.counts.wakes++;
    this.#asked = true;
  }

  /** Waits on this very thread. True if anything came. */
  wait(timeoutMs: number): boolean {
    const { ring, submitter } = this.#context;
    submitter.retry();
    const released = this.#work.release() || this.#asked;
    this.#asked = false;
    this.#waker?.arm();
    const waiting = this.#flush(this.#port);
    const isUrgent = released || timeoutMs <= 0 || ring.hasCompletions;
    if (isUrgent || waiting > 0 || ring.wantsEntering) {
      this.#enter(waiting, IORING_ENTER_GETEVENTS);
    }
    if (!isUrgent && !ring.hasCompletions) {
      if (this.#comesSoon()) this.#enter(0, IORING_ENTER_GETEVENTS);
      else {
        this.#count(ring.waiting);
        this.#context.counts.waits++;
        ring.enterAndWait(ring.waiting, timeoutMs);
      }
    }
    this.#isBusy = ring.hasCompletions;
    return this.#work.reap() || released;
  }

  /** Looks for a while: to sleep and to be woken takes longer than many an answer. */
  #comesSoon(): boolean {
    if (!this.#isBusy) return false;
    const { ring, options } = this.#context;
    for (let looks = options.idlePasses * LOOKS_A_PASS; looks > 0; looks--) {
      if (ring.hasCompletions || ring.wantsEntering) return true;
    }
    return false;
  }

  // ------------------------------------------------------------ passes

  #soon(): void {
    if (this.#immediate !== undefined || this.#ready === undefined || this.#isStopped) return;
    if (this.#context.options.blocking) return;
    this.#immediate = setImmediate(this.#pass);
  }

  readonly #pass = (): void => {
    this.#immediate = undefined;
    this.#context.counts.passes++;
    let turns = 0;
    while (turns < TURNS_AT_ONCE && this.#turn()) turns++;
    if (turns > 0) this.#idlePasses = 0;
    else this.#idlePasses++;
    this.#next();
  };

  /** False if there was nothing to do. */
  #turn(): boolean {
    const { ring, submitter } = this.#context;
    submitter.retry();
    const { waiting } = ring;
    // Entries that the kernel did not take, or work that it put off.
    if (waiting > 0 || ring.wantsEntering) this.#enter(waiting, IORING_ENTER_GETEVENTS);
    const reaped = this.#work.reap();
    // After what came from the kernel: a close is its handle's last completion.
    const released = this.#work.release();
    if (!reaped && !released && !this.#asked) return false;
    this.#asked = false;
    this.#ready?.();
    return true;
  }

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
    if (!this.#isQuiet()) {
      this.#soon();
      return;
    }
    counts.waits++;
    this.#isAsleep = true;
    this.#isAsleepReferenced = isReferenced;
    this.#sleeper?.sleep(isReferenced);
  }

  /** Whether nothing has come; whatever comes from now on is rung for. */
  #isQuiet(): boolean {
    const { ring } = this.#context;
    if (this.#bell?.listen() !== true) return true;
    this.#enter(0, IORING_ENTER_GETEVENTS);
    if (!ring.hasCompletions && !ring.wantsEntering) return true;
    this.#bell.silence();
    return false;
  }

  readonly #woken = (): void => {
    this.#isAsleep = false;
    this.#bell?.silence();
    this.#idlePasses = 0;
    if (this.#immediate !== undefined || this.#isStopped) return;
    // A worker thread that is ended inside a foreign function's callback would take the
    // process with it, so no handler runs in there.
    if (isMainThread) this.#pass();
    else this.#soon();
  };

  #rouse(): void {
    if (!this.#isAsleep) return;
    this.#isAsleep = false;
    this.#sleeper?.stop();
    this.#bell?.silence();
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

  /** Resolves once its descriptors are given back. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearImmediate(this.#immediate);
    this.#rouse();
    await this.#sleeper?.close();
    this.#bell?.close();
    this.#waker?.close();
  }
}
