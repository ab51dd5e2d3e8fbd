import process from 'node:process';
import { type IocpOptions, iocp } from '../../../backends/iocp/index.ts';
import { contractSuite } from '../../support/contract.ts';
import { datagramContractSuite } from '../../support/datagram-contract.ts';

/** Every way to send. */
const WAYS: readonly (readonly [name: string, options: IocpOptions])[] = [
  ['iocp', {}],
  ['iocp, overlapped sends', { directSends: false }],
  ['iocp, a packet for everything', { directSends: false, skipPackets: false }],
  ['iocp, several sends', { sendDepth: 4 }],
];

if (process.platform === 'win32') {
  for (const [name, options] of WAYS) {
    contractSuite(`${name}, IPv4`, () => iocp(options), {
      endpoint: () => ({ host: '127.0.0.1', port: 0 }),
      unused: () => ({ host: '127.0.0.1', port: 1 }),
      resets: true,
    });
  }
  contractSuite('iocp, IPv6', () => iocp(), {
    endpoint: () => ({ host: '::1', port: 0 }),
    unused: () => ({ host: '::1', port: 1 }),
    resets: true,
  });
  // Wine 8 wakes no receive of a socket any more once it has reported an ICMP answer.
  const hearsRefusal = 'last';
  datagramContractSuite('iocp datagrams, IPv4', () => iocp(), { host: '127.0.0.1', hearsRefusal });
  datagramContractSuite('iocp datagrams, IPv6', () => iocp(), { host: '::1', hearsRefusal });
}
