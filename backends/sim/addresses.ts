/** Addresses of the simulated network: names to numbers, texts, records in linear memory. */
import { Address } from '#generated/layout';
import type { Endpoint, SocketAddress } from '../backend.ts';

/** A TCP or UDP address, or a path: `port` is 0 for a path. */
export interface NetworkAddress {
  readonly family: 4 | 6 | 'path';
  /** The IP in its usual spelling, or the path. */
  readonly text: string;
  readonly port: number;
}

/** 16 bytes of an IPv6 or 4 bytes of an IPv4 address; undefined for anything else. */
export function parseIp(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  if (!parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined;
  return Uint8Array.from(parts, Number);
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.replace(/%.*$/, '').split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1) as string[];
  const embedded = parseIpv4(last.at(-1) ?? '');
  if (embedded !== undefined) {
    const [a, b, c, d] = embedded as unknown as [number, number, number, number];
    last.splice(-1, 1, (a * 256 + b).toString(16), (c * 256 + d).toString(16));
  }
  const given = groups.reduce((sum, { length }) => sum + length, 0);
  if (halves.length === 2 ? given > 7 : given !== 8) return undefined;
  if (!groups.flat().every((group) => /^[\da-f]{1,4}$/i.test(group))) return undefined;
  const numbers = [
    ...(groups[0] as string[]),
    ...new Array<string>(8 - given).fill('0'),
    ...(groups[1] ?? []),
  ].map((group) => Number.parseInt(group, 16));
  return Uint8Array.from(numbers.flatMap((number) => [number >> 8, number & 255]));
}

/** The usual spelling (RFC 5952, without embedded IPv4). */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[2 * index] as number) << 8) | (bytes[2 * index + 1] as number)).toString(16),
  );
  const zeros = /(^|:)0(:0)+(:|$)/g;
  const text = groups.join(':');
  let longest = '';
  for (const [run] of text.matchAll(zeros)) if (run.length > longest.length) longest = run;
  return longest === '' ? text : text.replace(longest, '::');
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
      return { family: ip.length === 4 ? 4 : 6, text: formatIp(ip), port: endpoint.port };
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

/** Writes an Address record. */
export function writeAddress(u8: Uint8Array, offset: number, address: NetworkAddress): void {
  u8.fill(0, offset, offset + Address.$size);
  const view = new DataView(u8.buffer, offset, Address.$size);
  const ip = parseIp(address.text);
  if (ip === undefined) return;
  view.setUint16(Address.family, ip.length === 4 ? 4 : 6, true);
  view.setUint16(Address.port, address.port, true);
  u8.set(ip, offset + Address.ip0);
}

/** Reads an Address record; undefined for family 0. */
export function readAddress(u8: Uint8Array, offset: number): NetworkAddress | undefined {
  const view = new DataView(u8.buffer, offset, Address.$size);
  const family = view.getUint16(Address.family, true);
  if (family !== 4 && family !== 6) return undefined;
  const length = family === 4 ? 4 : 16;
  const ip = u8.slice(offset + Address.ip0, offset + Address.ip0 + length);
  return { family, text: formatIp(ip), port: view.getUint16(Address.port, true) };
}
