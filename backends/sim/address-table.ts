/** Who holds which address: the listeners, or the datagram sockets, of a network. */
import { isSame, isWildcard, type NetworkAddress } from './addresses.ts';

const EPHEMERAL_FIRST = 49_152;
const EPHEMERAL_LAST = 65_535;

/** Paths by themselves; addresses by family and port, so that wildcards are found. */
function keyOf({ family, text, port }: NetworkAddress): string {
  return family === 'path' ? `path ${text}` : `${family} ${port}`;
}

export class AddressTable<Entry extends { readonly address: NetworkAddress }> {
  readonly #entries = new Map<string, Entry[]>();
  #ephemeral = EPHEMERAL_FIRST;

  add(entry: Entry): void {
    const key = keyOf(entry.address);
    const entries = this.#entries.get(key);
    if (entries === undefined) this.#entries.set(key, [entry]);
    else entries.push(entry);
  }

  remove(entry: Entry): void {
    const key = keyOf(entry.address);
    const rest = (this.#entries.get(key) ?? []).filter((other) => other !== entry);
    if (rest.length === 0) this.#entries.delete(key);
    else this.#entries.set(key, rest);
  }

  /** Who holds the address, be it by a wildcard; a wildcard meets everyone on its port. */
  at(address: NetworkAddress): Entry[] {
    const entries = this.#entries.get(keyOf(address)) ?? [];
    return entries.filter(
      (entry) => isSame(entry.address, address) || isWildcard(entry.address) || isWildcard(address),
    );
  }

  /** The address, with a free port where it names none. */
  withPort(wanted: NetworkAddress): NetworkAddress {
    if (wanted.family === 'path' || wanted.port !== 0) return wanted;
    return { ...wanted, port: this.freePort() };
  }

  /** Ephemeral ports go round, as in life, and are the same in every run. */
  freePort(): number {
    const used = new Set<number>();
    for (const entries of this.#entries.values()) {
      for (const { address } of entries) used.add(address.port);
    }
    for (let tries = 0; tries <= EPHEMERAL_LAST - EPHEMERAL_FIRST; tries += 1) {
      const port = this.#ephemeral;
      this.#ephemeral = port === EPHEMERAL_LAST ? EPHEMERAL_FIRST : port + 1;
      if (!used.has(port)) return port;
    }
    return 0;
  }
}
