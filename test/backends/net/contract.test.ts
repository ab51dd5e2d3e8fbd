import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { net } from '../../../backends/net/index.ts';
import { contractSuite } from '../../support/contract.ts';
import { datagramContractSuite } from '../../support/datagram-contract.ts';
import {
  CONTRACT_GAPS,
  HEARS_DATAGRAM_REFUSALS,
  PATHS_AT_ALL,
  SHOWS_REFUSALS,
  SHOWS_RESETS,
} from '../../support/windows.ts';

let paths = 0;
function freshPath(): string {
  const name = `overlapped-${process.pid}-${Date.now().toString(36)}-${paths++}`;
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
}

contractSuite('net over TCP', () => net(), {
  endpoint: () => ({ host: '127.0.0.1', port: 0 }),
  unused: () => (SHOWS_REFUSALS ? { host: '127.0.0.1', port: 1 } : null),
  resets: SHOWS_RESETS,
  leavesOut: CONTRACT_GAPS.tcp,
});

contractSuite('net over IPv6', () => net(), {
  endpoint: () => ({ host: '::1', port: 0 }),
  unused: () => (SHOWS_REFUSALS ? { host: '::1', port: 1 } : null),
  resets: SHOWS_RESETS,
  leavesOut: CONTRACT_GAPS.tcp,
});

if (PATHS_AT_ALL) {
  contractSuite('net over a path', () => net(), {
    endpoint: () => ({ path: freshPath() }),
    unused: () => ({ path: freshPath() }),
    resets: false,
    leavesOut: CONTRACT_GAPS.path,
  });
}

// Deno's node:dgram does not report what ICMP says.
const hearsRefusal = HEARS_DATAGRAM_REFUSALS && !('Deno' in globalThis);
datagramContractSuite('net datagrams, IPv4', () => net(), { host: '127.0.0.1', hearsRefusal });
datagramContractSuite('net datagrams, IPv6', () => net(), { host: '::1', hearsRefusal });
