import { bun, probe } from '../../backends/bun/index.ts';
import { hasIpv6 } from '../conformance/host.ts';
import { IS_WINE } from '../support/windows.ts';
import { foreign } from './suite.ts';

if ((await probe()).available) {
  await foreign(
    'bun',
    () => bun(),
    { endpoint: 'tcp', datagrams: true, resets: true, ipv6: await hasIpv6() },
    { hidesResets: IS_WINE, everythingIsRefused: true },
  );
}
