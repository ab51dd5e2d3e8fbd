import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type SimNetwork, type SimOptions, sim } from '../../backends/sim/index.ts';
import { environment } from '../support/environment.ts';
import { conformance } from './suite.ts';

const BLACKHOLE = 'hole.example';

/** Another seed for every case; SIM_SEED plays one run again or tries another. */
let seed = Number(environment('SIM_SEED') ?? 1);

/** @param happens counters that must not stay at zero: else the options did not do their part */
function onSim(
  label: string,
  options: SimOptions,
  happens: readonly string[],
  breaks = false,
): void {
  const networks: SimNetwork[] = [];
  const select = () => {
    seed += 1;
    const selection = sim({ seed, blackhole: [BLACKHOLE], ...options });
    networks.push(selection.network);
    return selection;
  };
  conformance(`sim ${label}`, select, {
    endpoint: 'tcp',
    datagrams: true,
    resets: true,
    ipv6: true,
    blackhole: BLACKHOLE,
    breaks,
  });

  if (environment('CONFORMANCE_CASE') !== undefined) return;
  const test = suite(`sim ${label}, looked back on`);
  test(`sim ${label}: the faults that were asked for happened, and the loop kept its side`, () => {
    const total = (name: string) =>
      networks.reduce((sum, { counters }) => sum + (counters[name] ?? 0), 0);
    for (const name of happens) assert.ok(total(name) > 0, name);
    for (const name of ['lentViolations', 'limitViolations', 'unknownHandles']) {
      assert.is(total(name), 0, name);
    }
  });
  test.run();
}

onSim('as it is', {}, ['completions']);
onSim(
  'with 20 receives, shuffled and split',
  { receiveDepth: 20, sendDepth: 4, shuffle: 0.5, split: 0.3, delayMs: [0, 3] },
  ['shuffled', 'splits'],
);
onSim(
  'with partial sends in a small window',
  { split: 0.5, windowBytes: 8192, maxTransferBytes: 16_384, shuffle: 0.2 },
  ['partialSends', 'splits'],
);
onSim('choosing its buffers', { selectsBuffers: true, split: 0.3, shuffle: 0.3, delayMs: [0, 2] }, [
  'splits',
  'shuffled',
]);
onSim(
  'short of buffers',
  { selectsBuffers: true, bufferExhaustion: 0.05, loseCancelProbability: 0.5, split: 0.2 },
  ['receivesWithoutBuffer', 'exhaustions', 'cancelsLost'],
);
onSim(
  'short of buffers that are lent',
  { receiveDepth: 8, bufferExhaustion: 0.05, loseCancelProbability: 0.5, shuffle: 0.3 },
  ['exhaustions', 'cancelsLost'],
);
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
  ['resets', 'datagramsLost', 'datagramsDoubled', 'datagramsReordered'],
  true,
);
onSim(
  'breaking down, choosing its buffers',
  {
    selectsBuffers: true,
    resetProbability: 0.01,
    loseCancelProbability: 0.5,
    bufferExhaustion: 0.05,
    shuffle: 0.4,
    split: 0.3,
    windowBytes: 16_384,
    delayMs: [0, 4],
  },
  ['resets', 'receivesWithoutBuffer'],
  true,
);
