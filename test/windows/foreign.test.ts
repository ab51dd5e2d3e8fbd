/** Completion ports against a program on blocking Winsock calls, and what programs on them get wrong. */
import { iocp } from '../../backends/iocp/index.ts';
import { hasIpv6 } from '../conformance/host.ts';
import { scenarioSuite } from '../foreign/scenarios.ts';
import { foreign } from '../foreign/suite.ts';

const VARIANTS = [
  { label: 'iocp', options: {} },
  { label: 'iocp, every send a packet', options: { directSends: false } },
  { label: 'iocp, 20 receives and 8 sends', options: { receiveDepth: 20, sendDepth: 8 } },
] as const;

const ipv6 = await hasIpv6();

for (const { label, options } of VARIANTS) {
  const select = () => iocp(options);
  scenarioSuite(label, select, {
    endpoint: () => ({ host: '127.0.0.1', port: 0 }),
    resets: true,
  });
  // No quirk, in Wine neither: with receives pending it tells a reset as one.
  await foreign(label, select, { endpoint: 'tcp', datagrams: true, resets: true, ipv6 });
}
