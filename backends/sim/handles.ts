/** The handles of one driver. A released number is the next to be used again, to bring out stale ones. */
import type { Socket } from './operation.ts';

export class Handles {
  readonly #sockets = new Map<number, Socket>();
  readonly #free: number[] = [];
  #next = 3;

  get size(): number {
    return this.#sockets.size;
  }

  get isAnyReferenced(): boolean {
    for (const { isReferenced } of this.#sockets.values()) if (isReferenced) return true;
    return false;
  }

  open<Kind extends Socket>(make: (handle: number) => Kind): Kind {
    let handle = this.#free.pop();
    if (handle === undefined) {
      handle = this.#next;
      this.#next += 1;
    }
    const socket = make(handle);
    this.#sockets.set(handle, socket);
    return socket;
  }

  get(handle: number): Socket | undefined {
    return this.#sockets.get(handle);
  }

  release({ handle }: Socket): void {
    if (this.#sockets.delete(handle)) this.#free.push(handle);
  }

  [Symbol.iterator](): IterableIterator<Socket> {
    return this.#sockets.values();
  }
}
