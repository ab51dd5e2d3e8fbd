/**
 * Messages in batches: all of a turn in one call, as offsets into linear
 * memory, without an object, a view or a crossing for each.
 */
import * as layout from '#generated/layout';
import type { Connection } from './connection.ts';
import { REPLY_CAPACITY } from './core/regions.ts';
import type { Port } from './port.ts';

const EVENT_WORDS = (layout.EVENT_BYTES satisfies 16) / 4;
const REPLY_WORDS = (layout.REPLY_BYTES satisfies 12) / 4;

/** Connections whose messages go to the same handler: those of one listener, or one connected. */
export interface BatchGroup<Message = never> {
  readonly messages: (batch: MessageBatch<Message>) => void;
}

/**
 * The messages of one turn, in order for each connection. Valid during the call
 * only: everything in it is borrowed.
 */
export class MessageBatch<_Message = Uint8Array> {
  /** The whole linear memory: message `i` is `bytes[offset(i)]` up to `offset(i) + size(i)`. */
  readonly bytes: Uint8Array;
  readonly #port: Port;
  readonly #u32: Uint32Array;
  readonly #i32: Int32Array;
  readonly #replies: number;
  readonly #repliesEnd: number;
  #first = 0;
  /** Where the next reply goes. */
  #reply: number;
  /** How many messages there are. */
  length = 0;

  /** @internal */
  constructor(port: Port) {
    this.#port = port;
    this.bytes = port.core.u8;
    this.#u32 = port.core.u32;
    this.#i32 = port.core.i32;
    this.#replies = port.regions.replies >>> 2;
    this.#repliesEnd = this.#replies + REPLY_CAPACITY * REPLY_WORDS;
    this.#reply = this.#replies;
  }

  /** Offset in `bytes` of the first byte of message `index` (0 to `length` - 1). */
  offset(index: number): number {
    return this.#u32[this.#first + (index << 2) + 2] as number;
  }

  /** Bytes of message `index`. */
  size(index: number): number {
    return this.#u32[this.#first + (index << 2) + 3] as number;
  }

  connection(index: number): Connection<_Message> {
    const slot = this.#i32[this.#first + (index << 2) + 1] as number;
    return this.#port.entities[slot] as unknown as Connection<_Message>;
  }

  /** A borrowed view of message `index`. It costs an allocation: where that counts, use `bytes`. */
  message(index: number): Uint8Array {
    const offset = this.offset(index);
    return this.bytes.subarray(offset, offset + this.size(index));
  }

  /**
   * Sends `sizeBytes` bytes of `bytes`, from `offset`, as one message to the
   * connection of message `index`. They are taken after the handler has returned,
   * or when many replies have gathered: do not change them any more. A large
   * message that goes back as it came is sent from where it lies, others are
   * copied. A reply that cannot be queued ends its connection with the error.
   */
  reply(index: number, offset: number, sizeBytes: number): void {
    // Numbers stand here as such: a constant of the module would be loaded for each message.
    const i32 = this.#i32;
    const reply = this.#reply;
    i32[reply] = i32[(this.#first + (index << 2) + 1) | 0] as number;
    i32[(reply + 1) | 0] = offset;
    i32[(reply + 2) | 0] = sizeBytes;
    this.#reply = (reply + 3) | 0;
    if (this.#reply === this.#repliesEnd) this.flush();
  }

  /** Sends message `index` back as it came. */
  echo(index: number): void {
    const i32 = this.#i32;
    const event = (this.#first + (index << 2)) | 0;
    const reply = this.#reply;
    i32[reply] = i32[(event + 1) | 0] as number;
    i32[(reply + 1) | 0] = i32[(event + 2) | 0] as number;
    i32[(reply + 2) | 0] = i32[(event + 3) | 0] as number;
    this.#reply = (reply + 3) | 0;
    if (this.#reply === this.#repliesEnd) this.flush();
  }

  /** Queues the replies gathered so far; called by itself after the handler. */
  flush(): void {
    const count = (this.#reply - this.#replies) / REPLY_WORDS;
    if (count === 0) return;
    this.#reply = this.#replies;
    const { exports } = this.#port.core;
    const { worker } = this.#port.regions;
    let from = 0;
    for (;;) {
      from = exports.sendList(worker, from, count);
      if (from >= count) return;
      this.#refused(this.#replies + from * REPLY_WORDS);
      from++;
    }
  }

  /** The core did not take a reply: ask again to learn why, and let its connection know. */
  #refused(word: number): void {
    const { exports } = this.#port.core;
    const slot = this.#i32[word] as number;
    const offset = this.#u32[word + 1] as number;
    const length = this.#u32[word + 2] as number;
    const result = exports.send(this.#port.regions.worker, slot, offset, length);
    const connection = this.#port.entities[slot] as unknown as Connection | undefined;
    // To a connection that has ended meanwhile nothing can be said.
    if (result >= 0 || result === layout.ERROR_CLOSED) return;
    connection?.sendRefused(result);
  }

  /** @internal */
  show(first: number, length: number): void {
    this.#first = first;
    this.length = length;
  }
}

/** Cuts a turn's events into batches. */
export class BatchRunner {
  readonly #port: Port;
  readonly #batch: MessageBatch<never>;

  constructor(port: Port) {
    this.#port = port;
    this.#batch = new MessageBatch<never>(port);
  }

  /**
   * Hands out the messages of `group` from event `from` on; those before `known` are known to be
   * its. Returns the first event that is not among them.
   */
  run(group: BatchGroup, from: number, known: number, count: number): number {
    const port = this.#port;
    const { u32, i32 } = port.core;
    const first = port.regions.events >>> 2;
    let slot = -1;
    let end = known;
    for (; end < count; end++) {
      const word = first + end * EVENT_WORDS;
      if (u32[word] !== layout.EVENT_MESSAGE) break;
      const other = i32[word + 1] as number;
      if (other !== slot) {
        if (port.entities[other]?.batchGroup !== group) break;
        slot = other;
      }
    }
    const batch = this.#batch;
    batch.show(first + from * EVENT_WORDS, end - from);
    try {
      group.messages(batch);
    } catch (exception) {
      for (let i = 0; i < batch.length; i++) batch.connection(i)?.fault();
      port.surface(exception);
    }
    batch.flush();
    batch.length = 0;
    return end;
  }
}
