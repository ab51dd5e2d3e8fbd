import { net } from '../../backends/net/index.ts';
import { CONFORMANCE_GAPS, PATHS_AT_ALL, SHOWS_RESETS } from '../support/windows.ts';
import { hasIpv6 } from './host.ts';
import { conformance } from './suite.ts';

conformance('net over TCP', () => net(), {
  endpoint: 'tcp',
  datagrams: true,
  resets: SHOWS_RESETS,
  ipv6: await hasIpv6(),
  leavesOut: CONFORMANCE_GAPS.tcp,
});
if (PATHS_AT_ALL) {
  conformance('net over a path', () => net(), {
    endpoint: 'path',
    datagrams: false,
    resets: false,
    ipv6: false,
    leavesOut: CONFORMANCE_GAPS.path,
  });
}
