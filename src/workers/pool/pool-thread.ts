/** One thread of a pool, seen from the dispatcher. */
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from 'node:worker_threads';
import { type Deferred, deferred } from '../../deferred.ts';
import { OverlappedError } from '../../errors.ts';
import type { PoolClock } from './clock.ts';
import type { PoolThreadData, PoolThreadMessage } from './handler.ts';

export interface PoolThreadOptions extends Omit<PoolThreadData, 'values'> {
  readonly clock: PoolClock;
  readonly startTimeoutMs: number;
  /** There are finished jobs. */
  readonly wake: () => void;
  /** The thread has ended, as it should or not. Called once. */
  readonly gone: (thread: PoolThread) => void;
}

export class PoolThread {
  readonly id: number;
  readonly record: number;
  /** Resolves with undefined once the handler is loaded, or with the reason why it is not. */
  readonly started: Promise<OverlappedError | undefined>;
  /** Resolves after `gone`. */
  readonly joined: Promise<void>;
  ready = false;
  /** It took an exit packet, or was told to end. */
  ended = false;
  /** What it died of, as far as the host says. */
  error: unknown;
  readonly #worker: Worker;
  readonly #values: MessagePort;
  readonly #started: Deferred<OverlappedError | undefined> = deferred();
  readonly #joined: Deferred<void> = deferred();
  readonly #options: PoolThreadOptions;
  readonly #cancelLimit: () => void;
  #gone = false;

  /** @throws what the host throws when it cannot make a thread, or cannot clone `data`. */
  constructor(options: PoolThreadOptions) {
    const { memory, id, record, handler, owned, data, clock, startTimeoutMs } = options;
    this.id = id;
    this.record = record;
    this.#options = options;
    this.started = this.#started.promise;
    this.joined = this.#joined.promise;
    const { port1, port2 } = new MessageChannel();
    this.#values = port1;
    const workerData: PoolThreadData = { memory, id, record, handler, owned, data, values: port2 };
    try {
      const url = new URL('./ordered-pool.worker.js', import.meta.url);
      this.#worker = new Worker(url, { workerData, transferList: [port2] });
    } catch (error) {
      port1.close();
      throw error;
    }
    this.#worker.on('message', (message: PoolThreadMessage) => this.#message(message));
    this.#worker.on('error', (error) => {
      this.error = error;
    });
    this.#worker.on('exit', () => this.#exit());
    // After the listeners, which would make it count again: see `keepAlive` of the pool.
    this.#worker.unref();
    this.#cancelLimit = clock.after(startTimeoutMs, () => {
      this.#failStart('TIMED_OUT', `a thread had not loaded ${handler} after ${startTimeoutMs} ms`);
    });
  }

  /** The next value that the thread posted. */
  readValue(): { readonly message: unknown } | undefined {
    return receiveMessageOnPort(this.#values);
  }

  /** Ends the thread wherever it stands; resolves when it is gone. */
  async terminate(): Promise<void> {
    this.ended = true;
    await this.#worker.terminate();
    // Where the event comes later, or not at all.
    this.#exit();
  }

  #message(message: PoolThreadMessage): void {
    if (message === 0) this.#options.wake();
    else if (message.kind === 'ready') {
      this.#cancelLimit();
      this.ready = true;
      this.#started.resolve(undefined);
    } else if (message.kind === 'failed') {
      this.#failStart(
        'INVALID_OPTION',
        `the handler module ${this.#options.handler} cannot be used: ${messageOf(message.error)}`,
        message.error,
      );
    } else {
      // Whatever the handler left open must not keep the thread.
      void this.terminate();
    }
  }

  #failStart(code: 'INVALID_OPTION' | 'TIMED_OUT', message: string, cause?: unknown): void {
    this.error = new OverlappedError(code, message, { cause });
    this.#started.resolve(this.error as OverlappedError);
    void this.terminate();
  }

  #exit(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#cancelLimit();
    const message = 'a thread ended while it loaded the handler module';
    this.#started.resolve(new OverlappedError('ABORTED', message, { cause: this.error }));
    this.#options.gone(this);
    this.#values.close();
    this.#joined.resolve();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
