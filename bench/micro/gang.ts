/**
 * Threads that wait for work on one word of shared memory and say on another
 * that it is done: between two pieces of work they cost nothing, and the thread
 * that measures blocks meanwhile.
 */
import { Core } from '../../src/core/index.ts';
import { ROLE_NAMES, type Task } from './roles.ts';

/** Words of the control block, in a block of 64 bytes each. */
export const GO = 0;
export const DONE = 16;
export const TASKS = 32;
export const TASK_WORDS = 16;
/** In a task: role, a, b, id, count, result. */
export const RESULT = 5;
export const END_ROLE = -1;

const MEMORY_BYTES = 1 << 22;
/** Nothing measured takes as long. */
const LIMIT_MS = 20_000;

/** What a thread is told first. */
export interface Orders {
  readonly memory: WebAssembly.Memory;
  readonly control: number;
  readonly index: number;
}

interface Thread {
  terminate(): unknown;
}

/** Node, Bun and Deno. */
async function startProcessThread(url: URL, orders: Orders): Promise<Thread> {
  const { Worker } = await import('node:worker_threads');
  const worker = new Worker(url, { workerData: orders });
  await new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`a thread ended at once with code ${code}`)));
  });
  worker.unref();
  return worker;
}

async function startPageThread(url: URL, orders: Orders): Promise<Thread> {
  const worker = new Worker(url, { type: 'module' });
  worker.postMessage(orders);
  await new Promise<void>((resolve, reject) => {
    worker.onmessage = () => resolve();
    worker.onerror = (event) => reject(new Error(event.message));
  });
  return worker;
}

export class Gang {
  readonly core: Core;
  readonly #control: number;
  readonly #threads: Thread[] = [];

  private constructor(core: Core, control: number) {
    this.core = core;
    this.#control = control >>> 2;
  }

  static async start(size: number): Promise<Gang> {
    const core = Core.create({ shared: true, memoryBytes: MEMORY_BYTES });
    const control = core.reserve((TASKS + size * TASK_WORDS) * 4);
    const gang = new Gang(core, control);
    const url = new URL('./micro.worker.js', import.meta.url);
    const start = typeof process === 'undefined' ? startPageThread : startProcessThread;
    for (let index = 0; index < size; index++) {
      gang.#threads.push(await start(url, { memory: core.memory, control, index }));
    }
    return gang;
  }

  /** One task a thread. Blocks until all are done; returns the sum of their results (u32). */
  run(tasks: readonly Task[]): number {
    const { i32 } = this.core;
    tasks.forEach(({ role, a, b, id, count }, index) => {
      const at = this.#control + TASKS + index * TASK_WORDS;
      i32.set([ROLE_NAMES.indexOf(role), a, b, id, count, 0], at);
    });
    this.#go();
    const deadline = performance.now() + LIMIT_MS;
    for (;;) {
      const done = Atomics.load(i32, this.#control + DONE);
      if (done === tasks.length) break;
      if (performance.now() > deadline) throw new Error('a thread does not come back');
      Atomics.wait(i32, this.#control + DONE, done, LIMIT_MS);
    }
    let sum = 0;
    for (let index = 0; index < tasks.length; index++) {
      sum += i32[this.#control + TASKS + index * TASK_WORDS + RESULT] as number;
    }
    return sum >>> 0;
  }

  async end(): Promise<void> {
    const { i32 } = this.core;
    for (let index = 0; index < this.#threads.length; index++) {
      i32[this.#control + TASKS + index * TASK_WORDS] = END_ROLE;
    }
    this.#go();
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }

  #go(): void {
    const { i32 } = this.core;
    Atomics.store(i32, this.#control + DONE, 0);
    Atomics.add(i32, this.#control + GO, 1);
    Atomics.notify(i32, this.#control + GO);
  }
}
