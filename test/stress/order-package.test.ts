/** The order experiment on the package's own servers, with real threads (R12). */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  expectedOf,
  PACKAGE_COMBINATIONS,
  type PackageOptions,
  runPackageCombination,
} from '../../src/stress/order-package.ts';

const watch = () => () => {};

const PLACES = [
  ['sim', 'shared'],
  ['iocp', 'shared'],
  ['iocp', 'pinned'],
  ['uring', 'pinned'],
  ['bun', 'pinned'],
  ['net', 'pinned'],
] as const;

for (const [backend, scheduling] of PLACES) {
  const options: PackageOptions = {
    backend,
    scheduling,
    workers: 2,
    poolThreads: 4,
    // Each call on a socket is a trip to another process in Wine.
    packets: backend === 'iocp' ? 2000 : 10_000,
    seed: 3,
    timeoutMs: 60_000,
  };
  const isSimulated = backend === 'sim';

  for (const known of PACKAGE_COMBINATIONS) {
    const combination = expectedOf(options, known);
    const { name, effect } = combination;
    test(`${backend}, ${scheduling}: ${name}: ${effect}`, async () => {
      const run = await runPackageCombination(options, combination, watch).catch((error) => {
        if (isSimulated || error.code !== 'NOT_SUPPORTED') throw error;
        console.log(`${scheduling} on ${backend}: not here`);
      });
      if (run === undefined) return;
      const text = JSON.stringify(run);
      const { sequenceMismatches, contentMismatches, duplicates, lost, errors } = run;
      if (effect !== 'stream may be out of order') {
        assert.is(run.received, run.packets, text);
        assert.equal([contentMismatches, duplicates, lost, errors], [0, 0, 0, {}], text);
      }
      if (effect === 'clean') {
        assert.is(sequenceMismatches, 0, text);
        assert.ok(run.held);
      } else if (isSimulated && effect === 'sequence mismatches only') assert.ok(run.shown, text);
      if (isSimulated && effect !== 'stream may be out of order') {
        assert.ok(run.allowed, text);
        assert.ok(
          run.handled.every((count) => count > 0),
          'every worker had its share',
        );
      }
    });
  }
}

test.run();
