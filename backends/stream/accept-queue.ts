/** Connections that a host accepts by itself, handed to an accept that stays armed. */
import { ERROR_CANCELED } from '#generated/layout';
import { type Deferred, NO_TOKEN, type Reporter } from './reporter.ts';

export interface AcceptActions<Connection> {
  /** Gives the connection its handle. */
  open(connection: Connection): number;
  /** There is no room to hold it: reset it. */
  refuse(connection: Connection): void;
}

/**
 * While no accept is armed, connections wait here, paused, up to the backlog's
 * length, as they would in the system's queue; beyond it they are reset.
 */
export class AcceptQueue<Connection> implements Deferred {
  token = NO_TOKEN;
  readonly #reporter: Reporter;
  readonly #capacity: number;
  readonly #actions: AcceptActions<Connection>;
  #held: Connection[] = [];

  constructor(reporter: Reporter, capacity: number, actions: AcceptActions<Connection>) {
    this.#reporter = reporter;
    this.#capacity = Math.max(1, capacity);
    this.#actions = actions;
  }

  arm(token: number): void {
    this.token = token;
    if (this.#held.length > 0) this.#reporter.defer(this);
  }

  /** Deferred part of `arm`: what waited is handed over. */
  run(): void {
    if (this.token === NO_TOKEN) return;
    const held = this.#held;
    this.#held = [];
    for (const connection of held) this.#hand(connection);
  }

  /** A new connection. False: it waits, or was refused. */
  offer(connection: Connection): boolean {
    if (this.token !== NO_TOKEN && this.#held.length === 0) {
      this.#hand(connection);
      return true;
    }
    if (this.#held.length < this.#capacity) this.#held.push(connection);
    else this.#actions.refuse(connection);
    return false;
  }

  /** Connections that wait. */
  get held(): number {
    return this.#held.length;
  }

  /** A waiting connection is gone by itself. */
  drop(connection: Connection): void {
    const at = this.#held.indexOf(connection);
    if (at >= 0) this.#held.splice(at, 1);
  }

  cancel(): void {
    const token = this.token;
    if (token === NO_TOKEN) return;
    this.token = NO_TOKEN;
    this.#reporter.finish(token, ERROR_CANCELED);
  }

  /** The listener closes. */
  refuseHeld(): void {
    const held = this.#held;
    this.#held = [];
    for (const connection of held) this.#actions.refuse(connection);
  }

  #hand(connection: Connection): void {
    this.#reporter.more(this.token, this.#actions.open(connection));
  }
}
