/** Keeps the thread's event loop alive while something is awaited: a wait on shared memory does not. */
import { clearInterval, setInterval } from 'node:timers';

const NEVER_MS = 2 ** 31 - 1;

export class KeepAlive {
  #timer: NodeJS.Timeout | undefined;

  get isOn(): boolean {
    return this.#timer !== undefined;
  }

  set(isWanted: boolean): void {
    if (isWanted === this.isOn) return;
    if (isWanted) this.#timer = setInterval(() => {}, NEVER_MS);
    else {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }
}
