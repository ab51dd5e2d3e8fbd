/** Bytes that arrived and wait to be received: chunks, first in first out. */
export class ByteQueue {
  #chunks: Uint8Array[] = [];
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#length += bytes.length;
  }

  clear(): void {
    this.#chunks = [];
    this.#head = 0;
    this.#length = 0;
  }

  /** Removes and returns the first `count` bytes, `count` being at most `length`. */
  take(count: number): Uint8Array {
    const first = this.#chunks[0];
    if (first !== undefined && this.#head === 0 && first.length === count) {
      this.#chunks.shift();
      this.#length -= count;
      return first;
    }
    if (first !== undefined && this.#head + count < first.length) {
      // A part of one chunk is not copied: whoever pushed it has given it away.
      const part = first.subarray(this.#head, this.#head + count);
      this.#head += count;
      this.#length -= count;
      return part;
    }
    const taken = new Uint8Array(count);
    let at = 0;
    while (at < count) {
      const chunk = this.#chunks[0] as Uint8Array;
      const part = chunk.subarray(this.#head, this.#head + count - at);
      taken.set(part, at);
      at += part.length;
      this.#head += part.length;
      if (this.#head === chunk.length) {
        this.#chunks.shift();
        this.#head = 0;
      }
    }
    this.#length -= count;
    return taken;
  }
}
