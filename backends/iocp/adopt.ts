/**
 * A listener without a listening socket: its connections were accepted by a
 * driver in another thread. SOCKETs are the process's, and one that is not yet
 * associated with a completion port may be with any.
 */
import type { AcceptedSocket, AdoptOptions, ListenerOptions, SocketAddress } from '../backend.ts';
import { openAccepted, reportAccepted } from './accepts.ts';
import { type Context, type Entry, NO_TOKEN, type SocketOwner } from './context.ts';
import { WinsockError } from './sockets.ts';

/** Connections reported in one pass: the loop's queue has room for what is pending, not for any number. */
const REPORTS_AT_ONCE = 16;

export class Adopter implements SocketOwner {
  /** Nothing of its own ever is. */
  readonly pending = 0;
  readonly #context: Context;
  readonly #options: ListenerOptions;
  readonly #adopts: AdoptOptions;
  /** Those with something to report. */
  readonly #due: Set<Adopter>;
  #token = NO_TOKEN;
  #isClosing = false;
  /** Opened, and not yet reported. */
  readonly #waiting: Entry[] = [];

  constructor(context: Context, options: ListenerOptions, adopts: AdoptOptions, due: Set<Adopter>) {
    this.#context = context;
    this.#options = options;
    this.#adopts = adopts;
    this.#due = due;
  }

  /**
   * Opens one and returns its entry, for a completion later on.
   * @throws WinsockError
   */
  static open(
    context: Context,
    options: ListenerOptions,
    adopts: AdoptOptions,
    due: Set<Adopter>,
  ): Entry {
    const { sockets } = context;
    // What has a handle has a socket. This one is not bound, and no use but to be closed.
    const socket = sockets.create(adopts.address.family === 'IPv6' ? 6 : 4, true);
    try {
      const adopter = new Adopter(context, options, adopts, due);
      return context.adopt(socket, 4, 'listener', () => adopter);
    } catch (error) {
      sockets.close(socket);
      throw error;
    }
  }

  get address(): SocketAddress {
    return this.#adopts.address;
  }

  get token(): number {
    return this.#token;
  }

  arm(token: number): void {
    this.#token = token;
    this.#reportLater();
  }

  cancel(): void {
    if (this.#token === NO_TOKEN) return;
    const token = this.#token;
    this.#token = NO_TOKEN;
    this.#context.reportCanceled(token);
  }

  closing(): void {
    this.#isClosing = true;
    this.cancel();
    for (const entry of this.#waiting.splice(0)) this.#context.closeSocket(entry, true);
  }

  adopt(accepted: AcceptedSocket): void {
    const { sockets, counts } = this.#context;
    sockets.take();
    if (this.#isClosing) {
      sockets.reset(accepted.socket);
      this.#adopts.closed();
      return;
    }
    try {
      const entry = openAccepted(this.#context, accepted, this.#options);
      entry.onGone = () => this.#adopts.closed();
      this.#waiting.push(entry);
      this.#reportLater();
    } catch (error) {
      if (!(error instanceof WinsockError)) throw error;
      counts.acceptsRefused++;
      sockets.reset(accepted.socket);
      this.#adopts.closed();
    }
  }

  #reportLater(): void {
    if (this.#token === NO_TOKEN || this.#waiting.length === 0) return;
    this.#due.add(this);
    this.#context.onReport();
  }

  /** In a pass of the driver: completes the armed accept with what has come. */
  report(): void {
    if (this.#token !== NO_TOKEN) {
      for (const entry of this.#waiting.splice(0, REPORTS_AT_ONCE)) {
        reportAccepted(this.#context, this.#token, entry);
      }
      if (this.#waiting.length > 0) return;
    }
    this.#due.delete(this);
  }
}
