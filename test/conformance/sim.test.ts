import { type SimOptions, sim } from '../../backends/sim/index.ts';
import { environment } from '../support/environment.ts';
import { conformance } from './suite.ts';

const BLACKHOLE = 'hole.example';

/** Another seed for every case; SIM_SEED plays one run again or tries another. */
let seed = Number(environment('SIM_SEED') ?? 1);

function onSim(label: string, options: SimOptions, breaks = false): void {
  const select = () => {
    seed += 1;
    return sim({ seed, blackhole: [BLACKHOLE], ...options });
  };
  conformance(`sim ${label}`, select, {
    endpoint: 'tcp',
    datagrams: true,
    resets: true,
    ipv6: true,
    blackhole: BLACKHOLE,
    breaks,
  });
}

onSim('as it is', {});
onSim('with 20 receives, shuffled and split', {
  receiveDepth: 20,
  sendDepth: 4,
  shuffle: 0.5,
  split: 0.3,
  delayMs: [0, 3],
});
onSim('with partial sends in a small window', {
  split: 0.5,
  windowBytes: 8192,
  maxTransferBytes: 16_384,
  shuffle: 0.2,
});
onSim('choosing its buffers', { selectsBuffers: true, split: 0.3, shuffle: 0.3, delayMs: [0, 2] });
onSim('short of buffers', {
  selectsBuffers: true,
  bufferExhaustion: 0.05,
  loseCancelProbability: 0.5,
  split: 0.2,
});
onSim('short of buffers that are lent', {
  receiveDepth: 8,
  bufferExhaustion: 0.05,
  loseCancelProbability: 0.5,
  shuffle: 0.3,
});
onSim(
  'breaking down',
  {
    receiveDepth: 8,
    sendDepth: 2,
    resetProbability: 0.01,
    loseCancelProbability: 0.5,
    bufferExhaustion: 0.02,
    shuffle: 0.4,
    split: 0.3,
    datagramLoss: 0.2,
    datagramDuplicate: 0.1,
    datagramReorder: 0.2,
  },
  true,
);
