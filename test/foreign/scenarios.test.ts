import { bun, probe } from '../../backends/bun/index.ts';
import { net } from '../../backends/net/index.ts';
import { sim } from '../../backends/sim/index.ts';
import { IS_WINE } from '../support/windows.ts';
import { scenarioSuite } from './scenarios.ts';

const endpoint = () => ({ host: '127.0.0.1', port: 0 });
const options = { endpoint, resets: true };
// Bun's own sockets hear of a reset in Wine only as an end.
const ofHost = { endpoint, resets: !(IS_WINE && 'Bun' in globalThis) };

scenarioSuite('net', () => net(), ofHost);
if ((await probe()).available) scenarioSuite('bun', () => bun(), ofHost);
scenarioSuite(
  'sim',
  () => sim({ seed: 1, receiveDepth: 20, sendDepth: 4, shuffle: 0.5, split: 0.3 }),
  options,
);
scenarioSuite(
  'sim, choosing its buffers',
  () => sim({ seed: 2, selectsBuffers: true, shuffle: 0.3 }),
  options,
);
