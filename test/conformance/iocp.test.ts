import process from 'node:process';
import { iocp } from '../../backends/iocp/index.ts';
import { hasIpv6 } from './host.ts';
import { conformance } from './suite.ts';

if (process.platform === 'win32') {
  conformance('iocp', () => iocp(), {
    endpoint: 'tcp',
    datagrams: true,
    resets: true,
    ipv6: await hasIpv6(),
  });
}
