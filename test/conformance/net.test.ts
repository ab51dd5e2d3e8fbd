import { net } from '../../backends/net/index.ts';
import { hasIpv6 } from './host.ts';
import { conformance } from './suite.ts';

conformance('net over TCP', () => net(), {
  endpoint: 'tcp',
  datagrams: true,
  resets: true,
  ipv6: await hasIpv6(),
});
conformance('net over a path', () => net(), {
  endpoint: 'path',
  datagrams: false,
  resets: false,
  ipv6: false,
});
