/**
 * IP addresses as text and as the Address record of linear memory. Programs
 * mostly meet the same few addresses again and again, so both directions
 * remember the last ones: a repeated address costs a comparison, no parsing
 * and no new string.
 */
import { Address } from '#generated/layout';

/** An IP address and port as text. */
export interface IpAddress {
  readonly address: string;
  readonly port: number;
  readonly family: 'IPv4' | 'IPv6';
}

/** A parsed address: `bytes` in network order, 4 of them or 16. */
export interface ParsedIp {
  readonly family: 4 | 6;
  readonly bytes: Uint8Array;
  /** Numeric zone of a link-local IPv6 address (`%3`), else 0. */
  readonly scope: number;
}

/** Parses an IPv4 or IPv6 address; `undefined` if the text is neither. */
export function parseIp(text: string): ParsedIp | undefined {
  if (text.includes(':')) return parseIpv6(text);
  const bytes = parseIpv4(text);
  return bytes === undefined ? undefined : { family: 4, bytes, scope: 0 };
}

function parseIpv4(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(4);
  let index = 0;
  let value = -1;
  let digits = 0;
  for (let at = 0; at <= text.length; at++) {
    const code = at < text.length ? text.charCodeAt(at) : 46;
    if (code === 46) {
      if (value < 0 || index === 4) return undefined;
      bytes[index++] = value;
      value = -1;
      digits = 0;
    } else if (code >= 48 && code <= 57) {
      // A leading zero would be octal to some systems and decimal to others.
      if (digits > 0 && value === 0) return undefined;
      value = (value < 0 ? 0 : value * 10) + (code - 48);
      digits++;
      if (value > 255) return undefined;
    } else return undefined;
  }
  return index === 4 ? bytes : undefined;
}

function parseIpv6(text: string): ParsedIp | undefined {
  const percent = text.indexOf('%');
  const zone = percent < 0 ? '' : text.slice(percent + 1);
  if (percent >= 0 && zone === '') return undefined;
  let body = percent < 0 ? text : text.slice(0, percent);
  const bytes = new Uint8Array(16);
  let tail: Uint8Array | undefined;
  if (body.includes('.')) {
    const colon = body.lastIndexOf(':');
    tail = parseIpv4(body.slice(colon + 1));
    if (tail === undefined) return undefined;
    body = `${body.slice(0, colon + 1)}0:0`;
  }
  const gap = body.indexOf('::');
  if (gap !== body.lastIndexOf('::')) return undefined;
  const head = groups(gap < 0 ? body : body.slice(0, gap));
  const rest = gap < 0 ? [] : groups(body.slice(gap + 2));
  if (head === undefined || rest === undefined) return undefined;
  const count = head.length + rest.length;
  if (gap < 0 ? count !== 8 : count > 7) return undefined;
  for (const [index, value] of head.entries()) putGroup(bytes, index, value);
  for (const [index, value] of rest.entries()) putGroup(bytes, 8 - rest.length + index, value);
  if (tail !== undefined) bytes.set(tail, 12);
  return { family: 6, bytes, scope: /^\d{1,9}$/.test(zone) ? Number(zone) : 0 };
}

function putGroup(bytes: Uint8Array, index: number, value: number): void {
  bytes[index * 2] = value >> 8;
  bytes[index * 2 + 1] = value & 0xff;
}

function groups(text: string): number[] | undefined {
  if (text === '') return [];
  const values: number[] = [];
  for (const part of text.split(':')) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
    values.push(Number.parseInt(part, 16));
  }
  return values;
}

/** Text of `bytes[offset…]`: dotted IPv4, or IPv6 in its canonical form (RFC 5952). */
export function formatIp(family: 4 | 6, bytes: Uint8Array, offset = 0, scope = 0): string {
  if (family === 4) {
    return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`;
  }
  const values: number[] = [];
  for (let index = 0; index < 8; index++) {
    const at = offset + index * 2;
    values.push((bytes[at] as number) * 256 + (bytes[at + 1] as number));
  }
  const zone = scope === 0 ? '' : `%${scope}`;
  const mapped = values[5] === 0xffff && values.slice(0, 5).every((value) => value === 0);
  if (mapped) return `::ffff:${formatIp(4, bytes, offset + 12)}${zone}`;
  // The longest run of zero groups, the first of equals, becomes "::"; a single one does not.
  let start = -1;
  let length = 1;
  for (let index = 0; index < 8; index++) {
    let end = index;
    while (end < 8 && values[end] === 0) end++;
    if (end - index > length) {
      start = index;
      length = end - index;
    }
    if (end > index) index = end;
  }
  const hex = (part: number[]): string => part.map((value) => value.toString(16)).join(':');
  if (start < 0) return hex(values) + zone;
  return `${hex(values.slice(0, start))}::${hex(values.slice(start + length))}${zone}`;
}

const REMEMBERED = 8;

/**
 * Reads and writes Address records at offsets of one linear memory. `read`
 * returns the same object for the same peer while it is remembered: treat it
 * as immutable.
 */
export class AddressRecords {
  readonly #u8: Uint8Array;
  readonly #view: DataView;
  readonly #words: Uint32Array;
  readonly #texts: string[] = [];
  readonly #parsed: ParsedIp[] = [];
  /** Five words an entry (family and port, IP) beside the address they read as. */
  readonly #keys = new Uint32Array(REMEMBERED * 5);
  readonly #addresses: (IpAddress & { readonly scope: number })[] = [];
  #nextText = 0;
  #nextAddress = 0;

  /** @param u8 a view on the whole memory. */
  constructor(u8: Uint8Array) {
    this.#u8 = u8;
    this.#view = new DataView(u8.buffer, u8.byteOffset, u8.byteLength);
    this.#words = new Uint32Array(5);
  }

  /** Writes a record; false if `address` is not an IP address. */
  write(offset: number, address: string, port: number): boolean {
    const parsed = this.#parse(address);
    if (parsed === undefined) return false;
    const view = this.#view;
    view.setUint16(offset + Address.family, parsed.family, true);
    view.setUint16(offset + Address.port, port, true);
    view.setUint32(offset + Address.scope, parsed.scope, true);
    const ip = offset + Address.ip0;
    if (parsed.family === 4) this.#u8.fill(0, ip + 4, ip + 16);
    this.#u8.set(parsed.bytes, ip);
    return true;
  }

  /** Family of the record: 4, 6, or 0 where it names the connected peer. */
  family(offset: number): number {
    return this.#view.getUint16(offset + Address.family, true);
  }

  /** Reads a record; `undefined` where its family is neither 4 nor 6. */
  read(offset: number): IpAddress | undefined {
    const view = this.#view;
    const family = view.getUint16(offset + Address.family, true);
    if (family !== 4 && family !== 6) return undefined;
    const words = this.#words;
    const scope = view.getUint32(offset + Address.scope, true);
    words[0] = view.getUint32(offset + Address.family, true);
    for (let word = 0; word < 4; word++) {
      const used = family === 6 || word === 0;
      words[word + 1] = used ? view.getUint32(offset + Address.ip0 + word * 4, true) : 0;
    }
    const known = this.#find(words, scope);
    if (known !== undefined) return known;
    const port = view.getUint16(offset + Address.port, true);
    const address = formatIp(family, this.#u8, offset + Address.ip0, scope);
    const fresh = { address, port, family: family === 4 ? 'IPv4' : 'IPv6', scope } as const;
    const place = this.#nextAddress++ % REMEMBERED;
    this.#keys.set(words, place * 5);
    this.#addresses[place] = fresh;
    return fresh;
  }

  #find(words: Uint32Array, scope: number): IpAddress | undefined {
    const keys = this.#keys;
    for (let place = 0; place < this.#addresses.length; place++) {
      const at = place * 5;
      if (
        keys[at] === words[0] &&
        keys[at + 1] === words[1] &&
        keys[at + 2] === words[2] &&
        keys[at + 3] === words[3] &&
        keys[at + 4] === words[4] &&
        this.#addresses[place]?.scope === scope
      ) {
        return this.#addresses[place];
      }
    }
    return undefined;
  }

  #parse(text: string): ParsedIp | undefined {
    const known = this.#texts.indexOf(text);
    if (known >= 0) return this.#parsed[known];
    const parsed = parseIp(text);
    if (parsed !== undefined) {
      const place = this.#nextText++ % REMEMBERED;
      this.#texts[place] = text;
      this.#parsed[place] = parsed;
    }
    return parsed;
  }
}
