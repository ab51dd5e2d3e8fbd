/** Starts the worker threads of the thread tests. Each runs one role on the shared memory. */
import { Worker } from 'node:worker_threads';
import { Core } from '../../src/core/index.ts';
import type { CrewMessage, RoleName, Roles } from './primitives.worker.ts';

const MEMORY_BYTES = 1 << 24;

/** The builds of the core that threads can share. */
export const SHARED_VARIANTS = [
  { name: 'release-shared', debug: false },
  { name: 'debug-shared', debug: true },
] as const;

/** A number of threads that start their work at the same moment. */
export class Crew {
  readonly size: number;
  readonly core: Core;
  readonly #gate: number;
  readonly #workers: Worker[] = [];

  constructor(size: number, debug: boolean) {
    this.size = size;
    this.core = Core.create({ shared: true, debug, memoryBytes: MEMORY_BYTES });
    this.#gate = this.core.reserve(64);
  }

  /** Runs `role` in a thread; resolves with what it returns. */
  start<R extends RoleName>(role: R, task: Parameters<Roles[R]>[1]): Promise<ReturnType<Roles[R]>> {
    const { memory, debug } = this.core;
    const workerData = { memory, debug, gate: this.#gate, size: this.size, role, task };
    return new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./primitives.worker.js', import.meta.url), { workerData });
      this.#workers.push(worker);
      worker.on('error', reject);
      worker.on('message', (message: CrewMessage) => {
        if ('error' in message) reject(new Error(`${role}: ${message.error}`));
        else resolve(message.result as ReturnType<Roles[R]>);
      });
    });
  }

  /** Ends the threads that are still there: each, if a test went wrong. */
  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

/** Runs `work` with a crew and ends the crew afterwards. */
export async function withCrew(
  size: number,
  debug: boolean,
  work: (crew: Crew) => Promise<void>,
): Promise<void> {
  const crew = new Crew(size, debug);
  try {
    await work(crew);
  } finally {
    await crew.end();
  }
}
