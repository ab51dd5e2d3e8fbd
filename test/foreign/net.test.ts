import { net } from '../../backends/net/index.ts';
import { hasIpv6 } from '../conformance/host.ts';
import { IS_WINE } from '../support/windows.ts';
import { foreign } from './suite.ts';

const isBun = 'Bun' in globalThis;
const isDeno = 'Deno' in globalThis;

await foreign(
  'net',
  () => net(),
  { endpoint: 'tcp', datagrams: true, resets: true, ipv6: await hasIpv6() },
  { hidesResets: IS_WINE, sendsBreak: isDeno, everythingIsRefused: isBun, listenIsInvalid: isDeno },
);
