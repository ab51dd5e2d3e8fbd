/** The order experiment with real threads: each combination of switches has its effect (R12). */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sharedSockets } from '../../src/registry.ts';
import {
  COMBINATIONS,
  type Combination,
  type OrderOptions,
  type OrderRun,
  runCombination,
} from '../../src/stress/order.ts';

const watch = () => () => {};

const backends = (await sharedSockets('iocp').then(
  () => true,
  () => false,
))
  ? (['sim', 'iocp'] as const)
  : (['sim'] as const);

function counts({ sequenceMismatches, contentMismatches, duplicates, lost, malformed }: OrderRun) {
  return { sequenceMismatches, contentMismatches, duplicates, lost, malformed };
}

const NOTHING = {
  sequenceMismatches: 0,
  contentMismatches: 0,
  duplicates: 0,
  lost: 0,
  malformed: 0,
};

for (const backend of backends) {
  // Each call on a socket is a trip to another process in Wine.
  const packets = backend === 'iocp' ? 2000 : 20_000;
  const options: OrderOptions = {
    backend,
    threads: 2,
    poolThreads: 4,
    separateLocks: false,
    packets,
    seed: 3,
    timeoutMs: 60_000,
  };

  const cases = COMBINATIONS.map((combination) => ({ ...combination, separateLocks: false }));
  const allOn = COMBINATIONS[0] as Combination;
  cases.push({ ...allOn, name: `${allOn.name}, a lock for each direction`, separateLocks: true });

  for (const { separateLocks, ...combination } of cases) {
    const { name, effect } = combination;
    test(`${backend}: ${name}: ${effect}`, async () => {
      const run = await runCombination({ ...options, separateLocks }, combination, watch);
      const seen = counts(run);
      const text = JSON.stringify(run);
      if (effect === 'clean') {
        assert.equal(seen, NOTHING, text);
        assert.is(run.received, run.packets);
        assert.is(run.left, 0, 'nothing is left in the server');
      }
      if (effect === 'stream out of order' && backend === 'sim') {
        // Receives that hold whole packets change places without breaking any.
        const { malformed, lost, contentMismatches, sequenceMismatches } = seen;
        assert.ok(malformed + lost + contentMismatches + sequenceMismatches > 0, text);
      }
      if (effect === 'sequence and content mismatches' && backend === 'sim') {
        assert.ok(seen.sequenceMismatches > 0 && seen.contentMismatches > 0, text);
      }
      if (effect === 'sequence mismatches only') {
        assert.is(run.received, run.packets);
        assert.equal({ ...seen, sequenceMismatches: 0 }, NOTHING, text);
        if (backend === 'sim') assert.ok(seen.sequenceMismatches > 0, text);
      }
      if (effect === 'mixed writes' && backend === 'sim') {
        assert.ok(seen.contentMismatches > 0, text);
      }
      if (backend === 'sim' && effect !== 'stream out of order') {
        assert.equal(run.threads, [2, 4], 'every thread had its share');
      }
    });
  }
}

test.run();
