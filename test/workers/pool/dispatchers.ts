/** Threads that dispatch to a test's pool. */
import { Worker } from 'node:worker_threads';
import { OverlappedError } from '../../../src/errors.ts';
import type { PoolHandle } from '../../../src/workers/pool/index.ts';
import type { DispatcherData, Order, Reply, Rush } from './dispatcher-orders.ts';

const PROGRAM = new URL('./dispatcher.worker.js', import.meta.url);
const WORDS = 2 ** 17;

export const sharedWords = () => new Int32Array(new SharedArrayBuffer(WORDS * 4));

type Told<Kind extends Order> = Kind extends unknown ? Omit<Kind, 'id'> : never;

/** A thread that does what it is told. */
export class DispatcherThread {
  readonly worker: Worker;
  readonly ended: Promise<void>;
  readonly #ready: Promise<void>;
  readonly #pending = new Map<
    number,
    { resolve(value: unknown): void; reject(error: Error): void }
  >();
  #last = 0;

  private constructor(handle: PoolHandle, words: Int32Array) {
    const data: DispatcherData = { handle, words };
    this.worker = new Worker(PROGRAM, { workerData: data });
    this.worker.on('error', () => {});
    this.ended = new Promise((resolve) => {
      this.worker.once('exit', () => resolve());
    });
    this.#ready = new Promise((resolve) => {
      this.#pending.set(0, { resolve: () => resolve(), reject() {} });
    });
    this.worker.on('message', ({ id, value, error }: Reply) => {
      const pending = this.#pending.get(id);
      this.#pending.delete(id);
      if (error === undefined) pending?.resolve(value);
      else pending?.reject(errorOf(error));
    });
  }

  static async start(handle: PoolHandle, words = sharedWords()): Promise<DispatcherThread> {
    const thread = new DispatcherThread(handle, words);
    await thread.#ready;
    return thread;
  }

  /** Resolves with what the thread says; messages of one test come to it in order. */
  tell(order: Told<Order>): Promise<unknown> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.worker.postMessage({ ...order, id } as Order);
    });
  }

  dispatch(bytes: Uint8Array, key?: number | string, sticks = false): Promise<unknown> {
    return this.tell({ kind: 'dispatch', bytes, key, sticks });
  }

  /** Ends the thread with no word to anybody. */
  async terminate(): Promise<void> {
    await this.worker.terminate();
  }
}

function errorOf({ name, code, message }: NonNullable<Reply['error']>): Error {
  if (name !== 'OverlappedError') return Object.assign(new Error(message), { name });
  return new OverlappedError(code as OverlappedError['code'], message);
}

/** A thread that dispatches by chance; resolves when it has ended. */
export function rushThread(handle: PoolHandle, words: Int32Array, rush: Rush): Promise<void> {
  const data: DispatcherData = { handle, words, rush };
  const worker = new Worker(PROGRAM, { workerData: data });
  worker.on('error', () => {});
  return new Promise((resolve) => {
    worker.once('exit', () => resolve());
  });
}
