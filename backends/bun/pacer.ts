/** When passes run: after all sockets that were readable, or at the end of one socket's event. */
import { setImmediate } from 'node:timers';

/**
 * From this many connections on, what a pass has sent is taken up by the next pass, together with
 * what is received until then: one turn instead of two. With fewer the empty round of the host's
 * loop that this may need costs more than the turn it saves.
 */
const MANY_SENDERS = 4;

export class Pacer {
  #pass: (() => void) | undefined;
  #scheduled = false;
  #held = false;
  #hurried = false;
  #readies = 0;
  #senders = 0;

  /** Has `pass` run once, soon: what a `Reporter` schedules by. */
  readonly schedule = (pass: () => void): void => {
    this.#pass = pass;
    if (!this.#held) this.#later();
  };

  /** Has `pass` run at the end of the event at hand. */
  readonly hurry = (pass: () => void): void => {
    this.#pass ??= pass;
    this.#hurried = true;
  };

  /** The event has been handled. */
  leave(): void {
    if (this.#hurried) this.runNow();
  }

  /** Until `runNow`, what is scheduled waits for that instead of a turn of the host's loop. */
  hold(): void {
    this.#held = true;
  }

  runNow(): void {
    this.#held = false;
    this.#run();
  }

  /** Connections were written to in this pass. */
  sent(connections: number): void {
    this.#senders += connections;
  }

  /** Asked at each `ready` of a pass: true if it can wait for the next pass. */
  postpones(): boolean {
    return ++this.#readies > 1 && this.#senders >= MANY_SENDERS;
  }

  #later(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#onImmediate);
  }

  readonly #onImmediate = (): void => {
    this.#scheduled = false;
    this.#run();
  };

  #run(): void {
    const pass = this.#pass;
    this.#hurried = false;
    if (pass === undefined) return;
    this.#pass = undefined;
    this.#readies = 0;
    this.#senders = 0;
    pass();
  }
}
