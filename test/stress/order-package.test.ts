/** The order experiment on the package's own servers, with real threads (R12). */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sharedSockets } from '../../src/registry.ts';
import {
  PACKAGE_COMBINATIONS,
  type PackageOptions,
  runPackageCombination,
} from '../../src/stress/order-package.ts';

const watch = () => () => {};

const backends = (await sharedSockets('iocp').then(
  () => true,
  () => false,
))
  ? (['sim', 'iocp'] as const)
  : (['sim'] as const);

for (const backend of backends) {
  const options: PackageOptions = {
    backend,
    workers: 2,
    poolThreads: 4,
    // Each call on a socket is a trip to another process in Wine.
    packets: backend === 'iocp' ? 2000 : 10_000,
    seed: 3,
    timeoutMs: 60_000,
  };

  for (const combination of PACKAGE_COMBINATIONS) {
    const { name, effect } = combination;
    test(`${backend}: ${name}: ${effect}`, async () => {
      const run = await runPackageCombination(options, combination, watch);
      const text = JSON.stringify(run);
      const { sequenceMismatches, contentMismatches, duplicates, lost, errors } = run;
      if (effect !== 'stream out of order') {
        assert.is(run.received, run.packets, text);
        assert.equal([contentMismatches, duplicates, lost, errors], [0, 0, 0, {}], text);
      }
      if (effect === 'clean') {
        assert.is(sequenceMismatches, 0, text);
        assert.ok(run.held);
      } else if (backend === 'sim') assert.ok(run.shown, text);
      if (backend === 'sim' && effect !== 'stream out of order') {
        assert.ok(
          run.handled.every((count) => count > 0),
          'every worker had its share',
        );
      }
    });
  }
}

test.run();
