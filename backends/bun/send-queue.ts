/** The sends of one connection that the system has not taken whole, in order. */
import { NO_TOKEN } from '../stream/reporter.ts';

interface WaitingSend {
  readonly token: number;
  readonly offset: number;
  readonly length: number;
}

/** The first send lies in fields: there is seldom another, and an object for each would be garbage. */
export class SendQueue {
  /** Token of the first send, or NO_TOKEN. */
  token = NO_TOKEN;
  /** Its first byte not yet taken. */
  offset = 0;
  /** Its bytes not yet taken. */
  remaining = 0;
  /** All its bytes. */
  length = 0;
  #behind: WaitingSend[] | undefined;

  get empty(): boolean {
    return this.token === NO_TOKEN;
  }

  push(token: number, offset: number, length: number): void {
    if (this.token === NO_TOKEN) this.#show(token, offset, length);
    else {
      this.#behind ??= [];
      this.#behind.push({ token, offset, length });
    }
  }

  /** The system took part of the first send. */
  taken(bytes: number): void {
    this.offset += bytes;
    this.remaining -= bytes;
  }

  /** The first send is done with. */
  next(): void {
    const behind = this.#behind;
    if (behind === undefined) {
      this.token = NO_TOKEN;
      return;
    }
    const { token, offset, length } = behind.shift() as WaitingSend;
    if (behind.length === 0) this.#behind = undefined;
    this.#show(token, offset, length);
  }

  /** Drops a send of which nothing was taken. False: there is none of that token, or it has begun. */
  takeBack(token: number): boolean {
    if (token === this.token) {
      if (this.remaining !== this.length) return false;
      this.next();
      return true;
    }
    const behind = this.#behind ?? [];
    const at = behind.findIndex((send) => send.token === token);
    if (at < 0) return false;
    behind.splice(at, 1);
    if (behind.length === 0) this.#behind = undefined;
    return true;
  }

  #show(token: number, offset: number, length: number): void {
    this.token = token;
    this.offset = offset;
    this.remaining = length;
    this.length = length;
  }
}
