import type { Endpoint } from '../../../backends/backend.ts';
import { type SimOptions, sim } from '../../../backends/sim/index.ts';
import { contractSuite } from '../../support/contract.ts';
import { datagramContractSuite } from '../../support/datagram-contract.ts';

let seed = 100;
let paths = 0;

const tcp = (): Endpoint => ({ host: '127.0.0.1', port: 0 });
const path = (): Endpoint => {
  paths += 1;
  return { path: `/sim/${paths}` };
};

function onSim(name: string, options: SimOptions, endpoint: () => Endpoint, host: string): void {
  const select = () => {
    seed += 1;
    // The suite sends many megabytes at a time.
    return sim({ seed, maxTransferBytes: 2 ** 25, ...options });
  };
  contractSuite(`sim ${name}`, select, {
    endpoint,
    unused: () => (endpoint === tcp ? { host: '127.0.0.1', port: 9 } : { path: '/sim/none' }),
    resets: true,
  });
  datagramContractSuite(`sim ${name}, datagrams`, select, { host, hearsRefusal: true });
}

onSim('over a path', {}, path, '::1');
onSim(
  'shuffled and split',
  { receiveDepth: 20, sendDepth: 4, shuffle: 0.5, split: 0.2, delayMs: [0, 3] },
  tcp,
  '127.0.0.1',
);
// Several sends below, because the suite takes it that small ones are whole.
onSim(
  'in a small window',
  { sendDepth: 2, split: 0.3, shuffle: 0.3, windowBytes: 5000, loseCancelProbability: 0.7 },
  tcp,
  '127.0.0.1',
);
onSim(
  'choosing its buffers',
  { selectsBuffers: true, sendDepth: 2, split: 0.2, shuffle: 0.3 },
  tcp,
  '127.0.0.1',
);
