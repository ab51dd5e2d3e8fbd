import process from 'node:process';
import { probe, type UringOptions, uring } from '../../../backends/uring/index.ts';
import { contractSuite } from '../../support/contract.ts';
import { datagramContractSuite } from '../../support/datagram-contract.ts';

/** As it comes, as older kernels have it, and with everything too small. */
const WAYS: readonly (readonly [name: string, options: UringOptions])[] = [
  ['uring', {}],
  ['uring, a page each', { rings: 'page' }],
  ['uring, rings of the kernel', { rings: 'mapped' }],
  ['uring, work not put off', { deferWork: false }],
  ['uring, single receives', { multishot: false }],
  ['uring, sends without a copy', { zeroCopyBytes: 1 }],
  ['uring, tiny rings', { entries: 2, completionEntries: 4, providedBuffers: 2, idlePasses: 0 }],
];

const { available } = await probe();
let paths = 0;

if (available) {
  for (const [name, options] of WAYS) {
    contractSuite(`${name}, IPv4`, () => uring(options), {
      endpoint: () => ({ host: '127.0.0.1', port: 0 }),
      unused: () => ({ host: '127.0.0.1', port: 1 }),
      resets: true,
    });
  }
  contractSuite('uring, IPv6', () => uring(), {
    endpoint: () => ({ host: '::1', port: 0 }),
    unused: () => ({ host: '::1', port: 1 }),
    resets: true,
  });
  const path = () => `/tmp/overlapped-uring-${process.pid}-${paths++}`;
  contractSuite('uring, Unix sockets', () => uring(), {
    endpoint: () => ({ path: path() }),
    unused: () => ({ path: path() }),
    resets: false,
  });
  contractSuite('uring, Unix sockets, sends without a copy', () => uring({ zeroCopyBytes: 1 }), {
    endpoint: () => ({ path: path() }),
    unused: () => ({ path: path() }),
    resets: false,
  });
  datagramContractSuite('uring datagrams, IPv4', () => uring(), {
    host: '127.0.0.1',
    hearsRefusal: true,
  });
  datagramContractSuite('uring datagrams, IPv6', () => uring(), {
    host: '::1',
    hearsRefusal: true,
  });
}
