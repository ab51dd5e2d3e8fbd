/** What a send queue says of itself: how much is queued, and when to wait and when to go on. */
export class SendQueueModel {
  readonly #mark: number;
  readonly #most: number;
  readonly #isOrdered: boolean;
  queuedBytes = 0;
  blocked = false;
  drains = 0;
  /** Sends by their number: bytes sent, once that was reported. */
  readonly #reported = new Map<number, number>();
  #nextSend = 0;

  /** `isOrdered`: what completes before its predecessors counts when these have completed. */
  constructor(mark: number, most: number, isOrdered: boolean) {
    this.#mark = mark;
    this.#most = most;
    this.#isOrdered = isOrdered;
  }

  /** A frame of so many bytes is to be queued. */
  queue(bytes: number): 'taken' | 'blocked' | 'NO_BUFFERS' {
    if (bytes === 0) return this.blocked ? 'blocked' : 'taken';
    if (this.queuedBytes + bytes > this.#most) return 'NO_BUFFERS';
    this.queuedBytes += bytes;
    if (this.queuedBytes <= this.#mark) return 'taken';
    this.blocked = true;
    return 'blocked';
  }

  /** Send number `send`, from 0, completed with so many bytes. */
  report(send: number, bytes: number): void {
    if (!this.#isOrdered) {
      this.#sent(bytes);
      return;
    }
    this.#reported.set(send, bytes);
    for (;;) {
      const next = this.#reported.get(this.#nextSend);
      if (next === undefined) return;
      this.#nextSend++;
      this.#sent(next);
    }
  }

  #sent(bytes: number): void {
    this.queuedBytes -= bytes;
    if (!this.blocked || this.queuedBytes > Math.floor(this.#mark / 2)) return;
    this.blocked = false;
    this.drains++;
  }
}
