/** A listener as a driver sees it. */
import * as layout from '#generated/layout';
import type { NetworkAddress } from './addresses.ts';
import type { Listening, SimNetwork } from './network.ts';
import type { Operation, Reporter, Socket } from './operation.ts';
import type { StreamEnd } from './stream.ts';

export class ListenerSocket implements Socket, Listening {
  readonly kind = 'listener';
  readonly handle: number;
  timeMs = 0;
  order = 0;
  isReferenced = true;
  isClosing = false;
  readonly remote = undefined;
  readonly queue: StreamEnd[] = [];
  readonly address: NetworkAddress;
  readonly reusePort: boolean;
  readonly backlog: number;
  readonly #network: SimNetwork;
  readonly #reporter: Reporter;
  /** Gives an accepted connection its handle. */
  readonly #adopt: (end: StreamEnd) => Socket;
  #accept: Operation | undefined;

  constructor(
    handle: number,
    network: SimNetwork,
    reporter: Reporter,
    adopt: (end: StreamEnd) => Socket,
    address: NetworkAddress,
    options: { readonly reusePort: boolean; readonly backlog: number },
  ) {
    this.handle = handle;
    this.#network = network;
    this.#reporter = reporter;
    this.#adopt = adopt;
    this.address = address;
    this.reusePort = options.reusePort;
    this.backlog = Math.max(1, options.backlog);
  }

  get local(): NetworkAddress {
    return this.address;
  }

  accept(operation: Operation): void {
    if (this.#accept !== undefined) {
      this.#network.violate('limitViolations', 'two accepts armed on one listener');
      this.#reporter.finish(operation, layout.ERROR_INVALID_OPTION);
      return;
    }
    operation.cancel = () => this.#cancel();
    this.#accept = operation;
    const { scheduler } = this.#network;
    scheduler.at(scheduler.nowMs, () => this.onConnection());
  }

  onConnection(): void {
    while (this.#accept !== undefined) {
      const end = this.#network.accept(this);
      if (end === undefined) return;
      const socket = this.#adopt(end);
      // Reported with the handle's own moments in view: nothing of it comes before.
      this.#reporter.goOn(this.#accept, socket.handle);
      socket.timeMs = this.#accept.timeMs;
      socket.order = this.#accept.order;
    }
  }

  #cancel(): void {
    const operation = this.#accept;
    this.#accept = undefined;
    if (operation !== undefined) {
      this.#reporter.finish(operation, layout.ERROR_CANCELED);
    }
  }

  close(): void {
    this.#cancel();
    this.#network.unlisten(this);
  }
}
