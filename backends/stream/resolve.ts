/** Host names where the host wants addresses. */
import dns from 'node:dns';
import net from 'node:net';

/** The IP address of a host name; an IP address is returned as it is. Rejects with the resolver's error. */
export async function resolveHost(host: string): Promise<string> {
  if (net.isIP(host) !== 0) return host;
  const { address } = await dns.promises.lookup(host);
  return address;
}

/** An address to try. */
export interface Target {
  readonly address: string;
  readonly family: 4 | 6;
}

/** All addresses of a host name, best first; an IP address is its own. Rejects with the resolver's error. */
export async function resolveTargets(host: string): Promise<readonly [Target, ...Target[]]> {
  const version = net.isIP(host);
  if (version !== 0) return [{ address: host, family: version as 4 | 6 }];
  const found = await dns.promises.lookup(host, { all: true, verbatim: true });
  const targets = found.map(({ address, family }) => ({ address, family: family as 4 | 6 }));
  const [first, ...others] = targets;
  if (first === undefined) {
    throw Object.assign(new Error(`no address for ${host}`), { code: 'ENOTFOUND' });
  }
  return [first, ...others];
}
