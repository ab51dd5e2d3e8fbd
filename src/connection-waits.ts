/** What a program waits for at a connection: that it opens, that it drains, that it has closed. */
import { type Deferred, deferred } from './deferred.ts';
import type { OverlappedError } from './errors.ts';

export class ConnectionWaits {
  // Each made when someone asks.
  #opening: Deferred<void> | undefined;
  #drained: Deferred<void> | undefined;
  #closed: Deferred<void> | undefined;
  #isClosed = false;

  opening(): Promise<void> {
    this.#opening ??= deferred();
    return this.#opening.promise;
  }

  drained(): Promise<void> {
    this.#drained ??= deferred();
    return this.#drained.promise;
  }

  closed(): Promise<void> {
    this.#closed ??= deferred();
    return this.#closed.promise;
  }

  get isForDrain(): boolean {
    return this.#drained !== undefined;
  }

  get isForClose(): boolean {
    return this.#closed !== undefined && !this.#isClosed;
  }

  open(): void {
    this.#opening?.resolve();
  }

  drain(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  /** It failed: it will not drain any more. */
  fail(error: OverlappedError): void {
    this.#drained?.reject(error);
    this.#drained = undefined;
  }

  /** It has closed, and its handler is about to hear of it: it will neither drain nor open any more. */
  giveUp(drainError: OverlappedError, openingError: () => OverlappedError): void {
    this.#drained?.promise.catch(() => {});
    this.fail(drainError);
    this.#opening?.reject(openingError());
  }

  close(): void {
    this.#isClosed = true;
    this.#closed?.resolve();
  }
}
