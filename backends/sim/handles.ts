/** The handles of one driver. A released number is the next to be used again, to bring out stale ones. */
import type { Socket } from './operation.ts';

const FIRST_HANDLE = 3;

export class Handles {
  /** By handle. */
  readonly #sockets: (Socket | undefined)[] = Array.from({ length: FIRST_HANDLE }, () => undefined);
  readonly #free: number[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get isAnyReferenced(): boolean {
    return this.#sockets.some((socket) => socket?.isReferenced === true);
  }

  open<Kind extends Socket>(make: (handle: number) => Kind): Kind {
    const handle = this.#free.pop() ?? this.#sockets.length;
    const socket = make(handle);
    this.#sockets[handle] = socket;
    this.#size += 1;
    return socket;
  }

  get(handle: number): Socket | undefined {
    return this.#sockets[handle];
  }

  release({ handle }: Socket): void {
    if (this.#sockets[handle] === undefined) return;
    this.#sockets[handle] = undefined;
    this.#free.push(handle);
    this.#size -= 1;
  }

  /** All that are open now. */
  all(): Socket[] {
    return this.#sockets.filter((socket) => socket !== undefined);
  }
}
