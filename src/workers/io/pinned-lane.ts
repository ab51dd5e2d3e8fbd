/** The way of accepted sockets to one worker, and how many it has. */
import type { AcceptedSocket, SocketAddress } from '../../../backends/backend.ts';
import type { IoThread } from './io-thread.ts';
import type { Adopts, FromWorker } from './messages.ts';

/** Words that both sides share. They count on, and may go round. */
const Word = {
  /** Sockets that the worker's driver has taken: written by the worker. */
  taken: 0,
  /** Of these, connections that are closed: written by the worker. */
  closed: 1,
  /** 1: the worker is to tell when another one is closed. */
  wanted: 2,
} as const;
const WORDS = 3;

/** The side of the thread that accepts. */
export class Lane {
  readonly thread: IoThread;
  readonly #words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
  #handedOver = 0;
  /** The last ones, of which some are on their way. */
  #sockets: number[] = [];

  constructor(thread: IoThread) {
    this.thread = thread;
  }

  /** For the worker. */
  adopts(address: SocketAddress): Adopts {
    return { address, words: this.#words };
  }

  /** True while there is somebody at its other end. */
  get isOpen(): boolean {
    const { isListening, ended, error } = this.thread;
    return isListening && !ended && error === undefined;
  }

  /** Connections that it has, those on their way among them. */
  get load(): number {
    return (this.#handedOver - Atomics.load(this.#words, Word.closed)) | 0;
  }

  handOver(accepted: AcceptedSocket): void {
    this.#forgetTaken();
    this.#sockets.push(accepted.socket);
    this.#handedOver = (this.#handedOver + 1) | 0;
    this.thread.post({ kind: 'adopt', accepted });
  }

  /** The worker is to tell when it has closed a connection. */
  askForRoom(): void {
    Atomics.store(this.#words, Word.wanted, 1);
  }

  /** Sockets that the worker's driver may not have taken. */
  get underWay(): readonly number[] {
    this.#forgetTaken();
    return this.#sockets;
  }

  #forgetTaken(): void {
    const underWay = (this.#handedOver - Atomics.load(this.#words, Word.taken)) | 0;
    this.#sockets.splice(0, this.#sockets.length - underWay);
  }
}

/** The worker's side. */
export class LaneEnd {
  readonly #words: Int32Array;
  readonly #post: (message: FromWorker) => void;

  constructor(words: Int32Array, post: (message: FromWorker) => void) {
    this.#words = words;
    this.#post = post;
  }

  /** The driver has taken one: from now on `BackendModule.reclaim` knows of it. */
  taken(): void {
    Atomics.add(this.#words, Word.taken, 1);
  }

  /** One that was taken is closed. */
  closed(): void {
    Atomics.add(this.#words, Word.closed, 1);
    if (Atomics.exchange(this.#words, Word.wanted, 0) === 1) this.#post({ kind: 'room' });
  }
}
