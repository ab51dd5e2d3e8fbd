/** Bytes that arrived and wait to be received: chunks, first in first out. */
import { Deque } from './deque.ts';

/** From here on a chunk that is taken in parts is worth a second view. */
const WORDS_LEAST_BYTES = 128;

/** Bytes that are on their way to a lent range: a part of what was sent together. */
export class Chunk {
  readonly bytes: Uint8Array;
  #words: Uint32Array | undefined;

  /** @param bytes given away by whoever pushed them */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Copies `count` bytes from `start` on. */
  copy(start: number, count: number, u8: Uint8Array, u32: Uint32Array, to: number): void {
    const { bytes } = this;
    if (count === bytes.length) {
      u8.set(bytes, to);
      return;
    }
    if (((start | count | to | bytes.byteOffset) & 3) === 0 && count < WORDS_LEAST_BYTES) {
      // Quicker than a view of the part.
      const words = this.#wordsOf(bytes);
      const first = start >>> 2;
      const target = to >>> 2;
      const wordCount = count >>> 2;
      for (let word = 0; word < wordCount; word += 1) {
        u32[target + word] = words[first + word] as number;
      }
      return;
    }
    u8.set(bytes.subarray(start, start + count), to);
  }

  #wordsOf(bytes: Uint8Array): Uint32Array {
    this.#words ??= new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    return this.#words;
  }
}

export class ByteQueue {
  readonly #chunks = new Deque<Chunk>();
  #head = 0;
  #length = 0;
  /** Of the last `take`: its bytes lie in here. */
  taken = new Chunk(new Uint8Array(0));

  get length(): number {
    return this.#length;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(new Chunk(bytes));
    this.#length += bytes.length;
  }

  clear(): void {
    this.#chunks.takeAll();
    this.#head = 0;
    this.#length = 0;
  }

  /**
   * Removes the first `count` bytes, `count` being at most `length`. They lie in `taken`.
   * @returns where in it they begin
   */
  take(count: number): number {
    const chunk = this.#chunks.first;
    const start = this.#head;
    if (chunk !== undefined && start + count <= chunk.bytes.length) {
      // A part of one chunk is not copied: whoever pushed it has given it away.
      this.taken = chunk;
      this.#advance(chunk, count);
    } else {
      this.taken = new Chunk(this.#gather(count));
      return 0;
    }
    return start;
  }

  #advance(chunk: Chunk, count: number): void {
    this.#length -= count;
    this.#head += count;
    if (this.#head < chunk.bytes.length) return;
    this.#chunks.shift();
    this.#head = 0;
  }

  #gather(count: number): Uint8Array {
    const gathered = new Uint8Array(count);
    let at = 0;
    while (at < count) {
      const chunk = this.#chunks.first as Chunk;
      const part = chunk.bytes.subarray(this.#head, this.#head + count - at);
      gathered.set(part, at);
      at += part.length;
      this.#advance(chunk, part.length);
    }
    return gathered;
  }
}
