/** A datagram socket as a driver sees it. */
import * as layout from '#generated/layout';
import { AddressRecords } from '../../src/core/address.ts';
import type { BackendHost } from '../backend.ts';
import { type NetworkAddress, readAddress } from './addresses.ts';
import { Chunk } from './byte-queue.ts';
import type { Bound, SimNetwork } from './network.ts';
import type { Operation, Reporter, Socket } from './operation.ts';

/** Largest payload of a UDP datagram over IPv4. */
const DATAGRAM_BYTES_MAX = 65_507;

export class DatagramSocket implements Socket, Bound {
  readonly kind = 'datagram';
  readonly handle: number;
  timeMs = 0;
  order = 0;
  isReferenced = true;
  isClosing = false;
  lastArrivalMs = 0;
  readonly address: NetworkAddress;
  readonly peer: NetworkAddress | undefined;
  readonly reuseAddress: boolean;
  readonly #network: SimNetwork;
  readonly #host: BackendHost;
  readonly #addresses: AddressRecords;
  readonly #reporter: Reporter;
  readonly #receives: Operation[] = [];
  readonly #arrived: { bytes: Uint8Array; from: NetworkAddress }[] = [];
  #isRefused = false;

  constructor(
    handle: number,
    network: SimNetwork,
    host: BackendHost,
    reporter: Reporter,
    address: NetworkAddress,
    peer: NetworkAddress | undefined,
    reuseAddress: boolean,
  ) {
    this.handle = handle;
    this.#network = network;
    this.#host = host;
    this.#addresses = new AddressRecords(host.core.u8);
    this.#reporter = reporter;
    this.address = address;
    this.peer = peer;
    this.reuseAddress = reuseAddress;
  }

  get local(): NetworkAddress {
    return this.address;
  }

  get remote(): NetworkAddress | undefined {
    return this.peer;
  }

  receive(operation: Operation): void {
    operation.cancel = () => {
      const place = this.#receives.indexOf(operation);
      if (place < 0) return;
      this.#receives.splice(place, 1);
      this.#reporter.finish(operation, layout.ERROR_CANCELED);
    };
    this.#receives.push(operation);
    this.#serve();
  }

  send(operation: Operation): void {
    const { u8 } = this.#host.core;
    const to = readAddress(this.#addresses, operation.offset) ?? this.peer;
    const start = operation.offset + layout.ADDRESS_BYTES;
    const sizeBytes = operation.length - layout.ADDRESS_BYTES;
    let result = sizeBytes;
    if (sizeBytes > DATAGRAM_BYTES_MAX) result = layout.ERROR_FRAME_TOO_LONG;
    else if (to === undefined || to.port === 0) result = layout.ERROR_INVALID_OPTION;
    else if (to.family !== this.address.family) result = layout.ERROR_UNREACHABLE;
    else this.#network.sendDatagram(this, to, u8.slice(start, start + sizeBytes));
    this.#reporter.finish(operation, result);
  }

  arrive(bytes: Uint8Array, from: NetworkAddress): void {
    if (this.#arrived.length >= this.#network.settings.datagramQueue) {
      this.#network.count('datagramsDropped');
      return;
    }
    this.#arrived.push({ bytes, from });
    this.#serve();
  }

  refused(): void {
    this.#isRefused = true;
    this.#serve();
  }

  close(): void {
    for (const operation of this.#receives.splice(0)) {
      this.#reporter.finish(operation, layout.ERROR_CANCELED);
    }
    this.#arrived.length = 0;
    this.#network.unbind(this);
  }

  #serve(): void {
    for (;;) {
      const operation = this.#receives[0];
      if (operation === undefined) return;
      if (this.#isRefused) {
        this.#isRefused = false;
        this.#receives.shift();
        this.#reporter.finish(operation, layout.ERROR_REFUSED);
        continue;
      }
      const datagram = this.#arrived.shift();
      if (datagram === undefined) return;
      this.#receives.shift();
      const { bytes, from } = datagram;
      const room = operation.length - layout.ADDRESS_BYTES;
      const { length } = bytes;
      const result = length > room ? layout.ERROR_FRAME_TOO_LONG : length;
      operation.from = from;
      this.#reporter.fill(operation, result, new Chunk(bytes), 0, Math.min(length, room));
    }
  }
}
