/** Datagrams that a host pushes, matched with the receives that wait for them. */
import {
  ADDRESS_BYTES,
  ERROR_CANCELED,
  ERROR_FRAME_TOO_LONG,
  ERROR_INVALID_OPTION,
} from '#generated/layout';
import type { AddressRecords } from '../../src/core/address.ts';
import type { Deferred, Reporter } from './reporter.ts';

/** Datagrams that may wait for a receive; the system's own buffer stands before them. */
const WAITING_MAX = 256;
const WAITING_BYTES_MAX = 1 << 20;

interface Waiting {
  readonly payload: Uint8Array;
  readonly address: string;
  readonly port: number;
}

interface PendingReceive {
  readonly token: number;
  readonly offset: number;
  readonly length: number;
}

export interface DatagramCounts {
  datagramsReceived: number;
  /** Nobody waited for them and there was no room to keep them. */
  datagramsDropped: number;
}

export class DatagramQueue implements Deferred {
  readonly #reporter: Reporter;
  readonly #addresses: AddressRecords;
  readonly #receives: PendingReceive[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #counts: DatagramCounts;
  #waitingBytes = 0;
  /** An error that came while no receive was pending. */
  #error = 0;
  #systemError = 0;

  constructor(reporter: Reporter, addresses: AddressRecords, counts: DatagramCounts) {
    this.#counts = counts;
    this.#reporter = reporter;
    this.#addresses = addresses;
  }

  receive(token: number, offset: number, length: number): void {
    this.#receives.push({ token, offset, length });
    if (this.#waiting.length > 0 || this.#error !== 0) this.#reporter.defer(this);
  }

  /** Deferred part of `receive`. */
  run(): void {
    if (this.#error !== 0 && this.#receives.length > 0) {
      const error = this.#error;
      this.#error = 0;
      this.fail(error, this.#systemError);
    }
    while (this.#waiting.length > 0 && this.#receives.length > 0) {
      const { payload, address, port } = this.#waiting.shift() as Waiting;
      this.#waitingBytes -= payload.length;
      this.#deliver(payload, address, port);
    }
  }

  /** A datagram came. `owned`: the payload stays valid after the call. */
  offer(payload: Uint8Array, address: string, port: number, owned: boolean): void {
    if (this.#receives.length > 0 && this.#waiting.length === 0) {
      this.#deliver(payload, address, port);
      return;
    }
    const bytes = this.#waitingBytes + payload.length;
    if (this.#waiting.length >= WAITING_MAX || bytes > WAITING_BYTES_MAX) {
      this.#counts.datagramsDropped++;
      return;
    }
    this.#waitingBytes = bytes;
    this.#waiting.push({ payload: owned ? payload : payload.slice(), address, port });
  }

  /** An error of the socket, such as a refusal by the peer's system: one receive reports it, the socket goes on. */
  fail(error: number, systemError: number): void {
    const receive = this.#receives.shift();
    if (receive === undefined) {
      this.#error = error;
      this.#systemError = systemError;
    } else this.#reporter.finish(receive.token, error, systemError);
  }

  /** True if the token was one of the receives. */
  cancel(token: number): boolean {
    const at = this.#receives.findIndex((receive) => receive.token === token);
    if (at < 0) return false;
    this.#receives.splice(at, 1);
    this.#reporter.finish(token, ERROR_CANCELED);
    return true;
  }

  cancelAll(): void {
    for (const { token } of this.#receives.splice(0)) this.#reporter.finish(token, ERROR_CANCELED);
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
  }

  #deliver(payload: Uint8Array, address: string, port: number): void {
    const receive = this.#receives.shift() as PendingReceive;
    const { token, offset, length } = receive;
    this.#counts.datagramsReceived++;
    if (payload.length > length - ADDRESS_BYTES) {
      const result = length < ADDRESS_BYTES ? ERROR_INVALID_OPTION : ERROR_FRAME_TOO_LONG;
      this.#reporter.finish(token, result);
      return;
    }
    this.#addresses.write(offset, address, port);
    this.#reporter.host.core.u8.set(payload, offset + ADDRESS_BYTES);
    this.#reporter.finish(token, payload.length);
  }
}
