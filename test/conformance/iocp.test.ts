import process from 'node:process';
import { type IocpOptions, iocp } from '../../backends/iocp/index.ts';
import { hasIpv6 } from './host.ts';
import { conformance } from './suite.ts';

/** Every way to receive and to send. */
const WAYS: readonly (readonly [name: string, options: IocpOptions])[] = [
  ['iocp', {}],
  ['iocp, 20 receives', { receiveDepth: 20 }],
  ['iocp, zero-byte receives', { zeroByteReceives: 'always' }],
  ['iocp, several overlapped sends', { sendDepth: 4 }],
  ['iocp, a packet for everything', { directSends: false, skipPackets: false }],
];

if (process.platform === 'win32') {
  for (const [name, options] of WAYS) {
    conformance(name, () => iocp(options), {
      endpoint: 'tcp',
      datagrams: true,
      resets: true,
      ipv6: await hasIpv6(),
    });
  }
}
