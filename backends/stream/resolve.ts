/** Host names where the host wants addresses. */
import dns from 'node:dns';
import net from 'node:net';

/** The IP address of a host name; an IP address is returned as it is. Rejects with the resolver's error. */
export async function resolveHost(host: string): Promise<string> {
  if (net.isIP(host) !== 0) return host;
  const { address } = await dns.promises.lookup(host);
  return address;
}
