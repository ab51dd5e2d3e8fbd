/** What threads do, by numbers only: each role works on addresses in one shared memory. */
import type { Core } from '../../src/core/index.ts';
import { type Driver, driverOn } from './driver.ts';
import { acquire, PlainQueue, release } from './plain/threads.ts';

/** Capacity of the queues under measurement. */
export const QUEUE_LOG2 = 10;
/** Naps of a producer whose queue is full. */
const NAP_MS = 0.05;

/** Where a role finds what it works on, and how often it does it. */
export interface Task {
  readonly role: RoleName;
  readonly a: number;
  readonly b: number;
  /** The thread's number in its role. */
  readonly id: number;
  readonly count: number;
}

export class Roles {
  readonly #core: Core;
  readonly #driver: Driver;
  readonly #scratch: number;
  readonly #nap = new Int32Array(new SharedArrayBuffer(4));

  constructor(core: Core) {
    this.#core = core;
    this.#driver = driverOn(core);
    this.#scratch = core.reserve(64);
  }

  /** Returns a sum (u32) of what was computed. */
  run({ role, a, b, id, count }: Task): number {
    return this[role](a, b, id, count) >>> 0;
  }

  coreLock(lock: number, sequencer: number, _id: number, count: number): number {
    return this.#driver.runLock(lock, sequencer, count);
  }

  calledLock(lock: number, sequencer: number, _id: number, count: number): number {
    const { exports } = this.#core;
    let sum = 0;
    for (let index = 0; index < count; index++) {
      exports.lockAcquire(lock);
      sum = (sum + exports.sequenceTake(sequencer)) | 0;
      exports.lockRelease(lock);
    }
    return sum;
  }

  plainLock(lock: number, sequencer: number, _id: number, count: number): number {
    const { i32 } = this.#core;
    let sum = 0;
    for (let index = 0; index < count; index++) {
      acquire(i32, lock >>> 2);
      sum = (sum + Atomics.add(i32, sequencer >>> 2, 1)) | 0;
      release(i32, lock >>> 2);
    }
    return sum;
  }

  coreProduce(queue: number, _b: number, id: number, count: number): number {
    for (let done = 0; done < count; ) {
      done += this.#driver.runPush(queue, id * count + done, count - done);
      if (done < count) this.#sleep();
    }
    return 0;
  }

  coreConsume(queue: number, _b: number, _id: number, count: number): number {
    const sum = this.#scratch + 32;
    this.#core.u32[sum >>> 2] = 0;
    for (let done = 0; done < count; ) {
      done += this.#driver.runPop(queue, this.#scratch, count - done, sum);
    }
    return this.#core.u32[sum >>> 2] as number;
  }

  plainProduce(at: number, _b: number, id: number, count: number): number {
    const queue = new PlainQueue(this.#core.i32, at >>> 2, QUEUE_LOG2);
    for (let done = 0; done < count; ) {
      if (queue.push(id * count + done)) done++;
      else this.#sleep();
    }
    return 0;
  }

  plainConsume(at: number, _b: number, _id: number, count: number): number {
    const queue = new PlainQueue(this.#core.i32, at >>> 2, QUEUE_LOG2);
    let sum = 0;
    for (let done = 0; done < count; ) {
      if (!queue.popWait(50)) continue;
      sum = (sum + queue.taken) | 0;
      done++;
    }
    return sum;
  }

  #sleep(): void {
    Atomics.wait(this.#nap, 0, 0, NAP_MS);
  }
}

export const ROLE_NAMES = [
  'coreLock',
  'calledLock',
  'plainLock',
  'coreProduce',
  'coreConsume',
  'plainProduce',
  'plainConsume',
] as const;
export type RoleName = (typeof ROLE_NAMES)[number];
