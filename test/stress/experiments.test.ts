/** The experiments with real threads: what they are about appears, and is gone with the lock. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type SharedSocketBackend, sharedSockets } from '../../src/registry.ts';
import { runLocks } from '../../src/stress/locks.ts';
import { type RecvOptions, runRecv } from '../../src/stress/recv.ts';
import { runSenders } from '../../src/stress/senders.ts';

const watch = () => () => {};
const TIMEOUT_MS = 60_000;

async function isAvailable(backend: SharedSocketBackend): Promise<boolean> {
  return sharedSockets(backend).then(
    () => true,
    () => false,
  );
}

const BACKENDS = ['sim', 'uring', 'iocp'] as const;
const available: SharedSocketBackend[] = [];
for (const backend of BACKENDS) if (await isAvailable(backend)) available.push(backend);

const recv = (backend: SharedSocketBackend): RecvOptions => ({
  backend,
  protocols: ['tcp', 'udp'],
  locks: [false, true],
  threads: 3,
  receives: 4,
  // Each call is a trip to another process in Wine.
  slices: backend === 'iocp' ? 1000 : 3000,
  bufferBytes: 1024,
  max: 250,
  waitAll: false,
  seed: 5,
  timeoutMs: TIMEOUT_MS,
});

for (const backend of available) {
  test(`recv on ${backend}: with the lock no slice is corrupt`, async () => {
    const options = recv(backend);
    const { runs, held } = await runRecv(options, watch);
    assert.equal(
      runs.map(({ protocol, lock }) => [protocol, lock]),
      [
        ['tcp', false],
        ['tcp', true],
        ['udp', false],
        ['udp', true],
      ],
    );
    for (const run of runs) {
      const name = `${run.protocol} ${run.lock}`;
      assert.ok(run.slices >= options.slices, name);
      assert.ok(run.bytes >= run.slices, name);
      if (run.lock) assert.equal([run.corrupt, run.overlaps], [0, 0], name);
      else if (backend === 'sim') {
        assert.ok(run.overlaps > 0, name);
        assert.ok(run.corrupt > 0, name);
        assert.ok(run.examples.length > 0, name);
      }
    }
    assert.ok(held);
  });

  test(`senders on ${backend}: with the lock every packet arrives whole and once`, async () => {
    const packets = backend === 'iocp' ? 500 : 2000;
    const { runs, held } = await runSenders(
      {
        backend,
        locks: [false, true],
        threads: 8,
        packets,
        leastBytes: 64,
        mostBytes: 4096,
        seed: 6,
        timeoutMs: TIMEOUT_MS,
      },
      watch,
    );
    const [without, locked] = runs;
    assert.is(without?.sent, packets);
    assert.equal(
      [locked?.sent, locked?.whole, locked?.lost, locked?.doubled, locked?.broken],
      [packets, packets, 0, 0, 0],
    );
    assert.is(locked?.overlaps, 0);
    assert.ok(locked?.instance);
    assert.ok((locked?.partialSends ?? 0) > 0 || backend === 'iocp', 'packets went in parts');
    if (backend === 'sim') {
      assert.ok((without?.overlaps ?? 0) > 0);
      assert.ok((without?.broken ?? 0) > 0);
      assert.ok((without?.lost ?? 0) > 0);
    }
    assert.ok(held);
  });
}

test('alone, a thread that takes no lock corrupts nothing', async () => {
  const { runs, held } = await runRecv({ ...recv('sim'), locks: [false], threads: 1 }, watch);
  for (const { corrupt, overlaps } of runs) assert.equal([corrupt, overlaps], [0, 0]);
  assert.ok(held);
});

test('locks: every operation is handed out in its turn, however many share a lock', async () => {
  const options = { workers: [1, 3], connections: [1, 5], stripes: 2, ms: 20 };
  const { runs, recommended, relative, held } = await runLocks(options, watch);
  assert.is(runs.length, 12);
  for (const { operations, violations, nsPerOperation } of runs) {
    assert.ok(operations > 0);
    assert.is(violations, 0);
    assert.ok(nsPerOperation > 0);
  }
  assert.equal(Object.keys(relative), ['socket', 'stripes:2', 'all']);
  assert.ok(Object.values(relative).every((ratio) => ratio >= 1));
  assert.is(relative[recommended], Math.min(...Object.values(relative)));
  assert.ok(held);
});

test.run();
