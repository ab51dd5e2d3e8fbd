/** The threads of an experiment: real worker threads on one shared memory, which begin together. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Core } from '../core/core.ts';
import { type Deferred, deferred } from '../deferred.ts';
import { OverlappedError } from '../errors.ts';
import { Board } from './board.ts';
import type { RoleName, Roles, ThreadData, ThreadMessage } from './stress.worker.ts';

/** How long the threads may take to start. */
const START_TIMEOUT_MS = 60_000;
const LOOK_MS = 2;

export class Crew {
  readonly core: Core;
  readonly board: Board;
  readonly #workers: Worker[] = [];
  readonly #results: Promise<unknown>[] = [];
  readonly #failed: Deferred<never> = deferred();
  #failure: Error | undefined;

  constructor(memoryBytes: number) {
    this.core = Core.create({ shared: true, memoryBytes });
    this.board = new Board(this.core);
    this.failed.catch(() => {});
  }

  /** Rejects when a thread fails. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Starts a thread that waits at the gate, then runs `role`. Resolves with what it returns. */
  add<R extends RoleName>(role: R, task: Parameters<Roles[R]>[1]): Promise<Result<R>> {
    const workerData: ThreadData = {
      core: this.core.handle,
      board: this.board.address,
      role,
      task,
    };
    const worker = new Worker(new URL('./stress.worker.js', import.meta.url), { workerData });
    this.#workers.push(worker);
    const result = new Promise<Result<R>>((resolve, reject) => {
      worker.on('error', reject);
      worker.on('exit', () => reject(new Error(`a thread (${role}) ended early`)));
      worker.on('message', (message: ThreadMessage) => {
        if ('error' in message) reject(new Error(`a thread (${role}): ${message.error}`));
        else resolve(message.result as Result<R>);
      });
    }).catch((error: unknown) => {
      // One that fails must not leave the others waiting for it.
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
      this.#failed.reject(this.#failure);
      this.board.stop();
      this.board.openGate();
      throw this.#failure;
    });
    result.catch(() => {});
    this.#results.push(result);
    return result;
  }

  /** Lets all threads begin at once, as soon as they are there. */
  async begin(): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (this.board.get('arrived') < this.#workers.length) {
      if (this.#failure !== undefined) throw this.#failure;
      if (performance.now() > deadline) {
        throw new OverlappedError('TIMED_OUT', 'the threads of the experiment did not start');
      }
      await sleep(LOOK_MS);
    }
    this.board.openGate();
  }

  /**
   * Resolves when threads have returned, by default all. Whoever is late is told to stop.
   * @throws the first failure
   */
  async finish(
    timeoutMs: number,
    results: readonly Promise<unknown>[] = this.#results,
  ): Promise<{ readonly late: boolean }> {
    let late = false;
    const limit = setTimeout(() => {
      late = true;
      this.board.stop();
    }, timeoutMs);
    await Promise.allSettled(results);
    clearTimeout(limit);
    if (this.#failure !== undefined) throw this.#failure;
    return { late };
  }

  /** Ends what is left of the threads. */
  async end(): Promise<void> {
    this.board.stop();
    this.board.openGate();
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

type Result<R extends RoleName> = Awaited<ReturnType<Roles[R]>>;

/** Runs `work` with a crew and ends the crew afterwards. */
export async function withCrew<T>(
  memoryBytes: number,
  work: (crew: Crew) => Promise<T>,
): Promise<T> {
  const crew = new Crew(memoryBytes);
  try {
    return await work(crew);
  } finally {
    await crew.end();
  }
}
