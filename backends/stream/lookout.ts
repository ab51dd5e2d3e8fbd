/**
 * Keeps the host's loop from sleeping while answers come soon: to sleep and to
 * be woken takes longer, and as much of the processor, as to look on until the
 * next bytes are there.
 *
 * It looks only where that paid lately. A pass is followed by a look if the
 * last receives each came so soon that one would have found them; after a look
 * in vain, or a receive that took longer, it takes as many soon receives again.
 * So a port without traffic sleeps, a peer that answers now and then is not
 * waited for, and a look in vain costs the limit once.
 *
 * A look is an empty immediate of the host's: its loop asks the system without
 * waiting, and serves sockets and timers of the whole program as ever. One at a
 * time is pending, so the process ends at most the limit later.
 */
import process from 'node:process';
import { setImmediate } from 'node:timers';
import { now } from '../clock.ts';

/** So many receives in a row that came soon, and it looks on. */
export const SOON_LEAST = 4;

/** What sleeping adds to the time in which a receive comes: that much later is soon, too. */
export const WAKE_US = 20;

/** A round of Deno's loop takes so long that looking on costs more than it brings. */
const DEFAULT_US = process.versions.deno === undefined ? 30 : 0;
const MOST_US = 1_000_000;

/** What the backends in a host's loop have in common to choose. */
export interface LookoutOptions {
  /**
   * Longest time, in microseconds, that the host's loop looks on for received
   * bytes before it sleeps, where they came that soon lately. More: lower latency
   * with peers that answer more slowly, and more CPU time. Default 30, in Deno 0;
   * 0: it always sleeps at once.
   */
  readonly lookOnUs?: number;
}

/** @throws RangeError on an impossible time */
export function lookOnUs(backend: string, { lookOnUs = DEFAULT_US }: LookoutOptions): number {
  if (Number.isFinite(lookOnUs) && lookOnUs >= 0 && lookOnUs <= MOST_US) return lookOnUs;
  throw new RangeError(`${backend}: lookOnUs is ${String(lookOnUs)}; allowed is 0 to ${MOST_US}`);
}

/** The host, as far as it is needed; tests have their own. */
export interface LookoutHost {
  /** Monotonic milliseconds. */
  now(): number;
  /** Has `look` run in the next round of the loop, which does not sleep until then. */
  soon(look: () => void): void;
}

const HOST: LookoutHost = { now, soon: setImmediate };

export class Lookout {
  /** Times that it began to look on, and those of them that were in vain. */
  #begun = 0;
  #missed = 0;
  #limitMs: number;
  readonly #host: LookoutHost;
  /** When the pass ended before which something came, if nothing has come since; else 0. */
  #since = 0;
  /** Receives in a row that came soon, up to SOON_LEAST. */
  #soon = 0;
  #looking = false;

  constructor(limitUs: number, host: LookoutHost = HOST) {
    this.#limitMs = limitUs / 1000;
    this.#host = host;
  }

  /** A pass is over and has left nothing to do. One before which nothing came is no reason to look on. */
  passed(): void {
    if (this.#limitMs === 0 || this.#since !== 0) return;
    this.#since = this.#host.now();
    if (this.#soon < SOON_LEAST || this.#looking) return;
    this.#begun++;
    this.#again();
  }

  /** Bytes came. */
  received(): void {
    const since = this.#since;
    if (since === 0) return;
    this.#since = 0;
    if (this.#host.now() - since > this.#limitMs + WAKE_US / 1000) this.#soon = 0;
    else if (this.#soon < SOON_LEAST) this.#soon++;
  }

  counters(): { looks: number; looksMissed: number } {
    return { looks: this.#begun, looksMissed: this.#missed };
  }

  /** From now on it never looks. */
  stop(): void {
    this.#limitMs = 0;
    this.#since = 0;
  }

  #again(): void {
    this.#looking = true;
    this.#host.soon(this.#look);
  }

  readonly #look = (): void => {
    this.#looking = false;
    if (this.#since === 0) return;
    if (this.#host.now() - this.#since <= this.#limitMs) {
      this.#again();
      return;
    }
    this.#missed++;
    this.#soon = 0;
  };
}
