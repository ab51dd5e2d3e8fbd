import { probe, type UringOptions, uring } from '../../backends/uring/index.ts';
import { hasIpv6 } from './host.ts';
import { conformance } from './suite.ts';

/** As it comes, as older kernels have it, and with everything too small. */
const WAYS: readonly (readonly [name: string, options: UringOptions])[] = [
  ['uring', {}],
  ['uring, a page each, single receives', { rings: 'page', multishot: false }],
  ['uring, rings of the kernel', { rings: 'mapped' }],
  ['uring, work not put off', { deferWork: false }],
  ['uring, sends without a copy', { zeroCopyBytes: 1 }],
  ['uring, tiny rings', { entries: 2, completionEntries: 4, providedBuffers: 2, idlePasses: 0 }],
];

const { available } = await probe();

if (available) {
  for (const [name, options] of WAYS) {
    conformance(`${name} over TCP`, () => uring(options), {
      endpoint: 'tcp',
      datagrams: true,
      resets: true,
      ipv6: await hasIpv6(),
    });
    conformance(`${name} over a path`, () => uring(options), {
      endpoint: 'path',
      datagrams: false,
      resets: false,
      ipv6: false,
    });
  }
}
