import { type SimOptions, sim } from '../../../backends/sim/index.ts';
import { contractSuite } from '../../support/contract.ts';
import { datagramContractSuite } from '../../support/datagram-contract.ts';

const CONFIGURATIONS: Readonly<Record<string, SimOptions>> = {
  'as it is': {},
  'shuffled and split': {
    receiveDepth: 20,
    sendDepth: 4,
    shuffle: 0.5,
    split: 0.2,
    delayMs: [0, 3],
  },
  // Several sends, because the suite takes it that small ones are whole.
  'in a small window': {
    sendDepth: 2,
    split: 0.3,
    shuffle: 0.3,
    windowBytes: 5000,
    loseCancelProbability: 0.7,
  },
  'choosing its buffers': { selectsBuffers: true, sendDepth: 2, split: 0.2, shuffle: 0.3 },
  'without delay': { delayMs: [0, 0], shuffle: 0.5, shuffleMs: 0 },
};

let seed = 100;

for (const [name, options] of Object.entries(CONFIGURATIONS)) {
  const select = () => {
    seed += 1;
    // The suite sends many megabytes at a time.
    return sim({ seed, maxTransferBytes: 2 ** 25, ...options });
  };
  contractSuite(`sim ${name}`, select, {
    endpoint: () => ({ host: '127.0.0.1', port: 0 }),
    unused: () => ({ host: '127.0.0.1', port: 9 }),
    resets: true,
  });
  datagramContractSuite(`sim ${name}, datagrams`, select, {
    host: name === 'as it is' ? '::1' : '127.0.0.1',
    hearsRefusal: true,
  });
}

let paths = 0;
contractSuite('sim over a path', () => sim({ seed: 1, maxTransferBytes: 2 ** 25 }), {
  endpoint: () => {
    paths += 1;
    return { path: `/sim/${paths}` };
  },
  unused: () => ({ path: '/sim/none' }),
  resets: true,
});
