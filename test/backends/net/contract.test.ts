import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { net } from '../../../backends/net/index.ts';
import { contractSuite } from '../../support/contract.ts';
import { datagramContractSuite } from '../../support/datagram-contract.ts';

let paths = 0;
function freshPath(): string {
  const name = `overlapped-${process.pid}-${Date.now().toString(36)}-${paths++}`;
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
}

contractSuite('net over TCP', () => net(), {
  endpoint: () => ({ host: '127.0.0.1', port: 0 }),
  unused: () => ({ host: '127.0.0.1', port: 1 }),
  resets: true,
});

contractSuite('net over IPv6', () => net(), {
  endpoint: () => ({ host: '::1', port: 0 }),
  unused: () => ({ host: '::1', port: 1 }),
  resets: true,
});

contractSuite('net over a path', () => net(), {
  endpoint: () => ({ path: freshPath() }),
  unused: () => ({ path: freshPath() }),
  resets: false,
});

// Deno's node:dgram does not report what ICMP says.
const hearsRefusal = !('Deno' in globalThis);
datagramContractSuite('net datagrams, IPv4', () => net(), { host: '127.0.0.1', hearsRefusal });
datagramContractSuite('net datagrams, IPv6', () => net(), { host: '::1', hearsRefusal });
