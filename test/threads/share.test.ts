/** A shared port under real threads: order, one handler at a time, nothing lost (R3, R4, R6, R7). */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Port } from '#generated/layout';
import type { Limits } from '../../backends/backend.ts';
import { type LoopProfileOptions, writeLoopProfile } from '../../src/core/loop-profile.ts';
import { placeRegions, portRecords } from '../../src/core/regions.ts';
import { fixed } from '../../src/framing.ts';
import { SHARED_VARIANTS, withCrew } from './crew.ts';
import { MESSAGE_BYTES, type ShareTask, STATE_BYTES, type WorkerOutcome } from './share.roles.ts';

interface Load {
  readonly workers: number;
  readonly connections: number;
  readonly messages: number;
  readonly locks: number;
  readonly limits?: Partial<Limits>;
  readonly profile?: Partial<LoopProfileOptions>;
  readonly task?: Partial<ShareTask>;
}

interface Outcome extends WorkerOutcome {
  readonly late: number;
}

/** Runs it and checks that nothing is lost or left; the order is the caller's to look at. */
async function run(debug: boolean, load: Load): Promise<Outcome> {
  const { workers, connections, messages, locks } = load;
  let sum: Outcome | undefined;
  await withCrew(workers + 1, debug, async (crew) => {
    const limits = {
      receiveDepth: 20,
      sendDepth: 1,
      maxTransferBytes: 1 << 20,
      selectsBuffers: false,
      ...load.limits,
    };
    const sizes = {
      maxConnections: 64,
      receiveBuffers: 1024,
      receiveBufferBytes: 64,
      arenaBytes: 1 << 21,
      stateBytes: STATE_BYTES,
      sharing: { workers, locks, batch: 16 },
    };
    const regions = placeRegions(crew.core, sizes, limits);
    const options = { framing: fixed(MESSAGE_BYTES), receiveDepth: limits.receiveDepth };
    const profile = writeLoopProfile(
      crew.core,
      { ...options, ...load.profile },
      { ...limits, receiveBytes: 64 },
    );
    const task = { regions, profile, connections, messages, posts: true, seed: 1, ...load.task };
    const [driver, ...outcomes] = await Promise.all([
      crew.start('shareDriver', task),
      ...Array.from({ length: workers }, (_, index) =>
        crew.start('shareWorker', { ...task, index: index + 1 }),
      ),
    ]);
    const total = (name: keyof WorkerOutcome) =>
      outcomes.reduce((before, outcome) => before + outcome[name], 0);
    assert.is(total('handled'), connections * messages);
    assert.is(total('overlaps'), 0);
    assert.is(total('closed'), connections);
    assert.is(driver.echoed, connections * messages);
    assert.is(driver.posted, total('posted'));
    if (task.posts) assert.ok(driver.posted > 0);
    assert.equal(driver.left, { operations: 1, buffers: 0, connections: 1, arenaBytes: 0 });
    const counter = (name: keyof typeof Port) =>
      portRecords(regions).reduce(
        (before, port) => before + (crew.core.f64[(port + Port[name]) >>> 3] as number),
        0,
      );
    assert.is(counter('stale'), 0);
    assert.is(counter('closed'), connections);
    assert.is(counter('failed'), 0);
    if (load.profile?.readOrder !== false) assert.is(driver.disorders, 0, 'what came back');
    sum = {
      handled: total('handled'),
      disorders: total('disorders'),
      overlaps: total('overlaps'),
      posted: total('posted'),
      closed: total('closed'),
      late: counter('late'),
    };
  });
  return sum as Outcome;
}

for (const { name, debug } of SHARED_VARIANTS) {
  for (const [workers, locks] of [
    [2, 64],
    [3, 3],
    [4, 1],
  ] as const) {
    test(`${name}: ${workers} workers, ${locks} locks, 20 receives pending: in order, one at a time`, async () => {
      const load = { workers, connections: 40, messages: debug ? 150 : 400, locks };
      const { disorders } = await run(debug, load);
      assert.is(disorders, 0);
    });
  }

  test(`${name}: a backend that selects buffers: in order by taking and claiming in one step`, async () => {
    const { disorders } = await run(debug, {
      workers: 3,
      connections: 20,
      messages: debug ? 150 : 400,
      locks: 64,
      limits: { selectsBuffers: true, receiveDepth: 1 },
    });
    assert.is(disorders, 0);
  });

  test(`${name}: one connection and four workers`, async () => {
    const { disorders } = await run(debug, {
      workers: 4,
      connections: 1,
      messages: 2000,
      locks: 1,
    });
    assert.is(disorders, 0);
  });

  test(`${name}: without the read order messages come as their receives complete`, async () => {
    const { disorders } = await run(debug, {
      workers: 2,
      connections: 40,
      messages: 200,
      locks: 64,
      profile: { readOrder: false },
      // Whole messages: pieces of several would make new ones.
      task: { receiveBytes: MESSAGE_BYTES, posts: false },
    });
    // 20 receives of each of 40 connections complete in any order: 800 chances at the least.
    assert.ok(disorders > 0);
  });
}

test.run();
