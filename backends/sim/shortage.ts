/** Takes receive buffers away for a while, so that a loop runs short of them. */
import type { BackendHost } from '../backend.ts';
import type { SimNetwork } from './network.ts';

export class Shortage {
  readonly #host: BackendHost;
  readonly #network: SimNetwork;
  readonly #onReturn: () => void;
  readonly #held = new Set<number>();

  /** @param onReturn called when buffers went back and a loop may go on */
  constructor(host: BackendHost, network: SimNetwork, onReturn: () => void) {
    this.#host = host;
    this.#network = network;
    this.#onReturn = onReturn;
  }

  /** Begins a shortage with the probability that the options give. */
  perhaps(): void {
    const { random, settings, scheduler } = this.#network;
    if (this.#held.size > 0 || !random.chance(settings.bufferExhaustion)) return;
    const most = random.chance(0.5) ? Infinity : random.integer(1, 16);
    while (this.#held.size < most) {
      const buffer = this.#host.takeBuffer();
      if (buffer < 0) break;
      this.#held.add(buffer);
    }
    this.#network.count('exhaustions');
    scheduler.at(scheduler.nowMs + random.between(settings.bufferExhaustionMs), () => this.end());
  }

  /** Gives back what is held. */
  end(): void {
    if (this.#held.size === 0) return;
    for (const buffer of this.#held) this.#host.returnBuffer(buffer);
    this.#held.clear();
    this.#onReturn();
  }
}
