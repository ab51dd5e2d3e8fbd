/** The AcceptEx records of a driver: which are free, and whose the others are; and what was accepted. */
import { COMPLETION_MORE, NOTHING } from '#generated/layout';
import type { AcceptedSocket, StreamOptions } from '../backend.ts';
import type { Context, Entry } from './context.ts';
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

/**
 * Gives an accepted socket its handle here, and sets it up.
 * @throws WinsockError; the socket stays the caller's
 */
export function openAccepted(
  context: Context,
  { socket, family, remote }: AcceptedSocket,
  options: StreamOptions,
): Entry {
  const connection = context.adopt(socket, family, 'stream');
  context.skipPackets(connection);
  context.sockets.configure(socket, options);
  connection.remote = remote;
  return connection;
}

/** Another connection of the accept that stays armed. */
export function reportAccepted({ host }: Context, token: number, { handle }: Entry): void {
  host.complete(token, handle, COMPLETION_MORE, NOTHING, 0);
}
