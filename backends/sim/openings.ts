/** What makes a socket with a handle: listen, connect and bind. */
import * as layout from '#generated/layout';
import type { BackendHost, DatagramOptions, Endpoint, ListenerOptions } from '../backend.ts';
import { DatagramSocket } from './datagram-socket.ts';
import type { Handles } from './handles.ts';
import { ListenerSocket } from './listener-socket.ts';
import type { Attempt, SimNetwork } from './network.ts';
import type { Operation, Reporter, Socket } from './operation.ts';
import type { StreamEnd } from './stream.ts';
import { StreamSocket } from './stream-socket.ts';

export class Openings {
  readonly #host: BackendHost;
  readonly #network: SimNetwork;
  readonly #handles: Handles;
  readonly #reporter: Reporter;
  /** The driver is disposed: a cancel does not lose any more. */
  isEnding = false;

  constructor(host: BackendHost, network: SimNetwork, handles: Handles, reporter: Reporter) {
    this.#host = host;
    this.#network = network;
    this.#handles = handles;
    this.#reporter = reporter;
  }

  listen(operation: Operation, endpoint: Endpoint, options: ListenerOptions): void {
    let socket: ListenerSocket | undefined;
    const outcome = this.#network.listen(
      endpoint,
      (address) => {
        socket = this.#handles.open(
          (handle) =>
            new ListenerSocket(
              handle,
              this.#network,
              this.#reporter,
              (end) => this.#adopt(end),
              address,
              options,
            ),
        );
        return socket;
      },
      options.reusePort,
    );
    this.#finish(operation, socket ?? (outcome as number));
  }

  connect(operation: Operation, endpoint: Endpoint): void {
    const attempt: Attempt = {
      endpoint,
      isOff: false,
      isWaiting: false,
      settle: (outcome) => {
        this.#finish(operation, typeof outcome === 'number' ? outcome : this.#adopt(outcome));
      },
    };
    operation.cancel = () => {
      const { random, settings } = this.#network;
      const host = 'host' in endpoint ? endpoint.host : endpoint.path;
      const isHopeless = attempt.isWaiting || settings.blackhole.includes(host);
      if (!isHopeless && !this.isEnding && random.chance(settings.loseCancelProbability)) {
        this.#network.count('cancelsLost');
        return;
      }
      attempt.isOff = true;
      this.#reporter.finish(operation, layout.ERROR_CANCELED);
    };
    this.#network.connect(attempt);
  }

  bind(operation: Operation, endpoint: Endpoint, options: DatagramOptions): void {
    let socket: DatagramSocket | undefined;
    const peer = options.peer === undefined ? undefined : this.#network.resolve(options.peer);
    const outcome = this.#network.bind(
      endpoint,
      (address) => {
        socket = this.#handles.open(
          (handle) =>
            new DatagramSocket(
              handle,
              this.#network,
              this.#host,
              this.#reporter,
              address,
              peer,
              options.reuseAddress,
            ),
        );
        return socket;
      },
      options.reuseAddress,
    );
    this.#finish(operation, socket ?? (outcome as number));
  }

  #adopt(end: StreamEnd): StreamSocket {
    return this.#handles.open(
      (handle) => new StreamSocket(handle, this.#network, this.#host, this.#reporter, end),
    );
  }

  #finish(operation: Operation, outcome: Socket | number): void {
    if (typeof outcome === 'number') {
      this.#reporter.finish(operation, outcome);
      return;
    }
    this.#reporter.finish(operation, outcome.handle);
    outcome.timeMs = operation.timeMs;
    outcome.order = operation.order;
  }
}
