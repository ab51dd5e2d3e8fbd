import { bun, probe } from '../../backends/bun/index.ts';
import { CONFORMANCE_GAPS, SHOWS_RESETS } from '../support/windows.ts';
import { hasIpv6 } from './host.ts';
import { conformance } from './suite.ts';

if ((await probe()).available) {
  conformance('bun', () => bun(), {
    endpoint: 'tcp',
    datagrams: true,
    resets: SHOWS_RESETS,
    ipv6: await hasIpv6(),
    leavesOut: CONFORMANCE_GAPS.tcp,
  });
}
