/** Addresses of the simulated network: names to numbers, and how they are told. */
import { type AddressRecords, formatIp, parseIp } from '../../src/core/address.ts';
import type { Endpoint, SocketAddress } from '../backend.ts';

/** A TCP or UDP address, or a path: `port` is 0 for a path. */
export interface NetworkAddress {
  readonly family: 4 | 6 | 'path';
  /** The IP in its usual spelling, or the path. */
  readonly text: string;
  readonly port: number;
}

/** Gives every host name a number of its own, in the order in which they are first met. */
export class Names {
  readonly #known = new Map<string, string>([
    ['localhost', '127.0.0.1'],
    ['', '127.0.0.1'],
  ]);

  resolve(endpoint: Endpoint): NetworkAddress {
    if ('path' in endpoint) return { family: 'path', text: endpoint.path, port: 0 };
    const ip = parseIp(endpoint.host);
    if (ip !== undefined) {
      const text = formatIp(ip.family, ip.bytes);
      return { family: ip.family, text, port: endpoint.port };
    }
    let text = this.#known.get(endpoint.host);
    if (text === undefined) {
      const number = this.#known.size;
      text = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
      this.#known.set(endpoint.host, text);
    }
    return { family: 4, text, port: endpoint.port };
  }
}

export function isSame(a: NetworkAddress, b: NetworkAddress): boolean {
  return a.family === b.family && a.port === b.port && a.text === b.text;
}

export function isWildcard({ text }: NetworkAddress): boolean {
  return text === '0.0.0.0' || text === '::';
}

/** The loopback address of the same family: what a socket without an address of its own sends from. */
export function loopbackOf({ family }: NetworkAddress): string {
  return family === 6 ? '::1' : '127.0.0.1';
}

export function toSocketAddress(address: NetworkAddress): SocketAddress {
  const family = address.family === 'path' ? 'path' : address.family === 4 ? 'IPv4' : 'IPv6';
  return { address: address.text, port: address.port, family };
}

/** Reads an Address record; undefined for family 0. */
export function readAddress(records: AddressRecords, offset: number): NetworkAddress | undefined {
  const read = records.read(offset);
  if (read === undefined) return undefined;
  return { family: read.family === 'IPv4' ? 4 : 6, text: read.address, port: read.port };
}
