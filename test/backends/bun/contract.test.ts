import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { bun, probe } from '../../../backends/bun/index.ts';
import { contractSuite } from '../../support/contract.ts';
import { datagramContractSuite } from '../../support/datagram-contract.ts';
import {
  CONTRACT_GAPS,
  HEARS_DATAGRAM_REFUSALS,
  SHOWS_REFUSALS,
  SHOWS_RESETS,
} from '../../support/windows.ts';

let paths = 0;
function freshPath(): string {
  const name = `overlapped-bun-${process.pid}-${Date.now().toString(36)}-${paths++}`;
  return join(tmpdir(), `${name}.sock`);
}

if (probe().available) {
  contractSuite('bun over TCP', () => bun(), {
    endpoint: () => ({ host: '127.0.0.1', port: 0 }),
    unused: () => (SHOWS_REFUSALS ? { host: '127.0.0.1', port: 1 } : null),
    resets: SHOWS_RESETS,
    leavesOut: CONTRACT_GAPS.tcp,
  });

  contractSuite('bun over IPv6', () => bun(), {
    endpoint: () => ({ host: '::1', port: 0 }),
    unused: () => (SHOWS_REFUSALS ? { host: '::1', port: 1 } : null),
    resets: SHOWS_RESETS,
    leavesOut: CONTRACT_GAPS.tcp,
  });

  if (process.platform !== 'win32') {
    contractSuite('bun over a path', () => bun(), {
      endpoint: () => ({ path: freshPath() }),
      unused: () => ({ path: freshPath() }),
      resets: false,
    });
  }

  datagramContractSuite('bun datagrams, IPv4', () => bun(), {
    host: '127.0.0.1',
    hearsRefusal: HEARS_DATAGRAM_REFUSALS,
  });
  datagramContractSuite('bun datagrams, IPv6', () => bun(), {
    host: '::1',
    hearsRefusal: HEARS_DATAGRAM_REFUSALS,
  });
}
