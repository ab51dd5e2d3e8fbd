import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  Completion as cell,
  CompletionQueue as layout,
  QUEUE_DEQUEUE,
  QUEUE_ENQUEUE,
} from '#generated/layout';
import { CompletionQueue } from '../../src/core/index.ts';
import { type Crew, SHARED_VARIANTS, withCrew } from './crew.ts';

const PER_PRODUCER = 50_000;

/** Resolves once `count` consumers sleep on the queue or are about to. */
async function sleepers(crew: Crew, queue: CompletionQueue, count: number): Promise<void> {
  const index = (queue.address + layout.sleepers) >>> 2;
  while (Atomics.load(crew.core.i32, index) !== count) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  // From the announcement to the sleep it is a few instructions.
  await new Promise((resolve) => setTimeout(resolve, 20));
}

const pause = (timeMs: number) =>
  new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), timeMs));

/** Does the first half of a push: takes position 0 of a fresh queue. */
function claimFirst({ core }: Crew, queue: CompletionQueue): void {
  Atomics.store(core.i32, (queue.address + QUEUE_ENQUEUE) >>> 2, 1);
}

/** Does the second half of that push, with `token`. */
function publishFirst({ core }: Crew, queue: CompletionQueue, token: number): void {
  const cells = core.u32[(queue.address + layout.cells) >>> 2] as number;
  core.f64[(cells + cell.token) >>> 3] = token;
  Atomics.store(core.i32, (cells + cell.ticket) >>> 2, 1);
  const posts = (queue.address + layout.posts) >>> 2;
  Atomics.add(core.i32, posts, 1);
  Atomics.notify(core.i32, posts, 1);
}

for (const { name, debug } of SHARED_VARIANTS) {
  test(`${name}: 2 producers, 2 consumers: each completion once, each producer's in order`, async () => {
    await withCrew(4, debug, async (crew) => {
      const queue = CompletionQueue.create(crew.core, { capacity: 64 });
      const marks = crew.core.reserve(2 * PER_PRODUCER * 4);
      const task = { queue: queue.address, marks, perProducer: PER_PRODUCER };
      const consumers = [crew.start('consume', task), crew.start('consume', task)];
      await Promise.all(
        [0, 1].map((id) =>
          crew.start('produce', { queue: queue.address, id, count: PER_PRODUCER }),
        ),
      );
      queue.close();
      let taken = 0;
      for (const result of await Promise.all(consumers)) {
        assert.is(result.faults, 0);
        taken += result.taken;
      }
      assert.is(taken, 2 * PER_PRODUCER);
      const counts = crew.core.i32.subarray(marks >>> 2, (marks >>> 2) + 2 * PER_PRODUCER);
      assert.ok(counts.every((count) => count === 1));
    });
  });

  test(`${name}: no wake is lost in thousands of handovers between sleepers`, async () => {
    await withCrew(2, debug, async (crew) => {
      const there = CompletionQueue.create(crew.core, { capacity: 2 }).address;
      const back = CompletionQueue.create(crew.core, { capacity: 2 }).address;
      const times = 20_000;
      const last = await Promise.all([
        crew.start('bounce', { from: back, to: there, times, first: true }),
        crew.start('bounce', { from: there, to: back, times, first: false }),
      ]);
      assert.equal(last, [2 * times - 1, 2 * times - 2]);
    });
  });

  test(`${name}: no wake is lost at any moment between looking and sleeping`, async () => {
    await withCrew(2, debug, async (crew) => {
      const queue = CompletionQueue.create(crew.core, { capacity: 2 }).address;
      const task = { queue, ready: crew.core.reserve(64), times: 20_000 };
      const pushed = crew.start('pushEach', task);
      assert.is(await crew.start('awaitEach', task), 0);
      await pushed;
    });
  });

  test(`${name}: a sleeping consumer is woken by a push, a wake, a close, or its time`, async () => {
    await withCrew(1, debug, async (crew) => {
      const create = () => CompletionQueue.create(crew.core, { capacity: 4 });
      const queues = [create(), create(), create(), create()] as const;
      const wait = (queue: CompletionQueue, timeoutMs = Infinity) =>
        crew.start('popOnce', { queue: queue.address, timeoutMs });
      const results = [wait(queues[0]), wait(queues[1]), wait(queues[2]), wait(queues[3], 30)];
      for (const queue of queues.slice(0, 3)) await sleepers(crew, queue, 1);
      queues[0].push({ token: 77 });
      queues[1].wake();
      queues[2].close();
      assert.equal(await Promise.all(results), [77, undefined, 'CLOSED', undefined]);
    });
  });

  test(`${name}: a consumer woken too early does not keep the wake from another`, async () => {
    await withCrew(2, debug, async (crew) => {
      const queue = CompletionQueue.create(crew.core, { capacity: 4 });
      const task = { queue: queue.address, timeoutMs: 10_000 };
      const results = [crew.start('popOnce', task), crew.start('popOnce', task)];
      await sleepers(crew, queue, 2);
      // One producer is held up between claiming and filling; another overtakes it.
      claimFirst(crew, queue);
      queue.push({ token: 2 });
      await sleepers(crew, queue, 2);
      publishFirst(crew, queue, 1);
      assert.equal((await Promise.all(results)).sort(), [1, 2]);
    });
  });

  test(`${name}: closed while a push is under way: it is delivered, then all hear of the end`, async () => {
    await withCrew(2, debug, async (crew) => {
      const queue = CompletionQueue.create(crew.core, { capacity: 4 });
      const task = { queue: queue.address, timeoutMs: 10_000 };
      const results = [crew.start('popOnce', task), crew.start('popOnce', task)];
      await sleepers(crew, queue, 2);
      claimFirst(crew, queue);
      queue.close();
      await sleepers(crew, queue, 2);
      publishFirst(crew, queue, 1);
      assert.equal((await Promise.all(results)).sort(), [1, 'CLOSED']);
    });
  });

  test(`${name}: a push that meets a cell that is just being taken waits for it`, async () => {
    await withCrew(1, debug, async (crew) => {
      const queue = CompletionQueue.create(crew.core, { capacity: 4 });
      for (let token = 0; token < 4; token++) queue.push({ token });
      // A consumer is held up between claiming the first cell and freeing it.
      Atomics.store(crew.core.i32, (queue.address + QUEUE_DEQUEUE) >>> 2, 1);
      const ready = crew.core.reserve(64);
      const pushed = crew.start('pushOnce', { queue: queue.address, token: 4, ready });
      while (Atomics.load(crew.core.i32, ready >>> 2) === 0) await pause(1);
      assert.is(await Promise.race([pushed, pause(50)]), undefined);
      const cells = crew.core.u32[(queue.address + layout.cells) >>> 2] as number;
      Atomics.store(crew.core.i32, (cells + cell.ticket) >>> 2, 4);
      assert.is(await pushed, true);
      assert.is(queue.push({ token: 5 }), false);
      assert.equal(
        [1, 2, 3, 4].map(() => queue.pop()?.token),
        [1, 2, 3, 4],
      );
    });
  });
}

test.run();
