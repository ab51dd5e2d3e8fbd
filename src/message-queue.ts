/** Messages waiting for an asynchronous consumer: bounded by holding the connection back. */
import { type Deferred, deferred } from './deferred.ts';
import type { OverlappedError } from './errors.ts';

/** How the queue tells its connection that the consumer lags, or has caught up. */
export interface QueueFlow {
  readonly hold: () => void;
  readonly resume: () => void;
}

interface Entry<Message> {
  readonly message: Message;
  readonly sizeBytes: number;
}

/** Counted for a message besides its bytes: empty messages must not pile up for free. */
const ENTRY_BYTES = 64;

export class MessageQueue<Message> {
  readonly #highWaterMarkBytes: number;
  readonly #flow: QueueFlow;
  #entries: Entry<Message>[] = [];
  #taken = 0;
  #bytes = 0;
  #held = false;
  #ended = false;
  #error: OverlappedError | undefined;
  #waiting: Deferred<void>[] = [];

  constructor(highWaterMarkBytes: number, flow: QueueFlow) {
    this.#highWaterMarkBytes = highWaterMarkBytes;
    this.#flow = flow;
  }

  /** Takes over `message`. */
  push(message: Message, payloadBytes: number): void {
    const sizeBytes = payloadBytes + ENTRY_BYTES;
    this.#entries.push({ message, sizeBytes });
    this.#bytes += sizeBytes;
    if (!this.#held && this.#bytes > this.#highWaterMarkBytes) {
      this.#held = true;
      this.#flow.hold();
    }
    this.#waiting.shift()?.resolve();
  }

  /** Nothing more comes; what waits is still handed out, then the end or the error. */
  end(error: OverlappedError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    for (const waiting of this.#waiting.splice(0)) waiting.resolve();
  }

  #take(): Entry<Message> | undefined {
    const entry = this.#entries[this.#taken];
    if (entry === undefined) return undefined;
    this.#taken++;
    if (this.#taken === this.#entries.length) {
      this.#entries = [];
      this.#taken = 0;
    } else if (this.#taken >= 1024) {
      this.#entries.splice(0, this.#taken);
      this.#taken = 0;
    }
    this.#bytes -= entry.sizeBytes;
    if (this.#held && this.#bytes <= this.#highWaterMarkBytes / 2) {
      this.#held = false;
      this.#flow.resume();
    }
    return entry;
  }

  /** @param leave called when the consumer stops early */
  async *iterate(leave: () => void): AsyncGenerator<Message, void, undefined> {
    try {
      for (;;) {
        const entry = this.#take();
        if (entry !== undefined) yield entry.message;
        else if (!this.#ended) {
          const waiting = deferred();
          this.#waiting.push(waiting);
          await waiting.promise;
        } else if (this.#error !== undefined) throw this.#error;
        else return;
      }
    } finally {
      if (!this.#ended) leave();
    }
  }
}
