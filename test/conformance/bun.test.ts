import { bun, probe } from '../../backends/bun/index.ts';
import { hasIpv6 } from './host.ts';
import { conformance } from './suite.ts';

if ((await probe()).available) {
  conformance('bun', () => bun(), {
    endpoint: 'tcp',
    datagrams: true,
    resets: true,
    ipv6: await hasIpv6(),
  });
}
