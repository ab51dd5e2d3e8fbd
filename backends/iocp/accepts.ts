/** The AcceptEx records of a driver: which are free, and whose the others are. */
import { ACCEPT_CAPACITY } from './memory.ts';
import type { Socket } from './win32.ts';

/** Whoever began an AcceptEx. */
export interface AcceptOwner {
  /** Its packet was dequeued. */
  accepted(index: number, socket: Socket, status: number): void;
}

export class AcceptTable {
  readonly #free: number[] = [];
  readonly #owners: (AcceptOwner | undefined)[] = [];
  readonly #sockets: Socket[] = [];
  #used = 0;

  /** AcceptEx operations whose packet is due. */
  get pending(): number {
    return this.#used - this.#free.length;
  }

  /** An index for an AcceptEx on `socket`, or -1 when there is none left. */
  take(owner: AcceptOwner, socket: Socket): number {
    let index = this.#free.pop();
    if (index === undefined) {
      if (this.#used === ACCEPT_CAPACITY) return -1;
      index = this.#used++;
    }
    this.#owners[index] = owner;
    this.#sockets[index] = socket;
    return index;
  }

  /** Its record may be used again. */
  free(index: number): void {
    this.#owners[index] = undefined;
    this.#free.push(index);
  }

  /** A dequeued packet: to whom it belongs. */
  dispatch(index: number, status: number): void {
    const owner = this.#owners[index];
    if (owner === undefined) return;
    owner.accepted(index, this.#sockets[index] as Socket, status);
  }
}
