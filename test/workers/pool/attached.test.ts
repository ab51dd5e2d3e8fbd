/** A pool that several threads dispatch to (R8): what they get, the settings, and its ends. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DispatcherRecord } from '../../../src/workers/pool/desk-records.ts';
import { attachPool, orderedPool, type PoolHandle } from '../../../src/workers/pool/index.ts';
import { Shared } from './dispatcher-orders.ts';
import { DispatcherThread, sharedWords } from './dispatchers.ts';
import { job, Op } from './pool-handlers.worker.ts';
import {
  type Bench,
  HANDLERS,
  isSettled,
  rejection,
  rejectsWith,
  until,
  withPool,
} from './pools.ts';

/** Runs `work` with a pool and `count` threads that dispatch to it. */
async function withThreads(
  options: Parameters<typeof withPool>[0],
  count: number,
  work: (bench: Bench, threads: readonly DispatcherThread[], shared: Int32Array) => Promise<void>,
): Promise<void> {
  await withPool(options, async (bench) => {
    const shared = sharedWords();
    const handle = bench.pool.share();
    const starts = Array.from({ length: count }, () => DispatcherThread.start(handle, shared));
    const threads = await Promise.all(starts);
    try {
      await work(bench, threads, shared);
    } finally {
      Atomics.store(shared, Shared.gate, 1);
      await Promise.all(threads.map((thread) => thread.terminate()));
    }
  });
}

test('a result is the same in another thread: bytes, values, exceptions', async () => {
  await withThreads({ arenaBytes: 2 ** 16 }, 1, async ({ pool }, [thread]) => {
    if (thread === undefined) return;
    for (const length of [0, 1, 11, 511, 512, 513, 4096]) {
      const bytes = new Uint8Array(length).fill(length & 0x7f);
      for (const key of [undefined, 7, 'a key, größer']) {
        assert.equal(await thread.dispatch(bytes, key), bytes);
      }
    }
    assert.equal(await thread.dispatch(job(Op.value, 7)), new Map([['first', 7]]));
    assert.is(await thread.dispatch(job(Op.number, 7), 'x'), 3.5);
    assert.is(await thread.dispatch(job(Op.nothing), 1), undefined);
    assert.equal(await thread.dispatch(job(Op.async, 0x01020304)), new Uint8Array([4, 3, 2, 1]));
    assert.equal(await thread.dispatch(job(Op.tail, 1, 2)), job(0, 1, 2).subarray(4));
    const grown = (await thread.dispatch(job(Op.bytes, 5000, 5))) as Uint8Array;
    assert.ok(grown.length === 5000 && grown.every((byte) => byte === 5));
    const thrown = await rejection(thread.dispatch(job(Op.throw, 5), 1));
    assert.equal([thrown.name, thrown.message], ['RangeError', 'bad job 5']);
    assert.match((await rejection(thread.dispatch(job(Op.throwOdd)))).message, 'odd');
    await rejectsWith(thread.dispatch(job(Op.exit), 1), 'ABORTED');
    await rejectsWith(thread.dispatch(new Uint8Array(2 ** 16 + 1)), 'NO_BUFFERS');
    // There is memory for the job, and none for what it makes.
    await rejectsWith(thread.dispatch(job(Op.bytes, 2 ** 17, 5), 1), 'NO_BUFFERS');
    // All has been given back.
    const all = new Uint8Array(2 ** 15).fill(3);
    for (let i = 0; i < 10; i++) assert.equal(await thread.dispatch(all, i), all);
    assert.is(pool.statistics().pending, 0);
  });
});

test('a pool can be attached to in its own thread, and left', async () => {
  await withPool({}, async ({ pool }) => {
    const handle = pool.share();
    const client = await attachPool<number>(handle);
    assert.is(pool.statistics().dispatchers, 1);
    assert.is(await client.dispatch(job(Op.number, 4)), 2);
    await rejectsWith(client.dispatch('x' as unknown as Uint8Array), 'INVALID_OPTION');
    const key = {} as unknown as string;
    await rejectsWith(client.dispatch(job(Op.number, 4), { key }), 'INVALID_OPTION');
    const last = client.dispatch(job(Op.number, 6), { key: 1 });
    const left = client.close();
    await rejectsWith(client.dispatch(job(Op.number, 4)), 'CLOSED');
    assert.is(await last, 3);
    await left;
    await until(() => pool.statistics().dispatchers === 0);
    assert.is(await pool.dispatch(job(Op.number, 8), { key: 1 }), 4);
  });
});

test('64 threads at one time, and any number one after the other', async () => {
  await withPool({ capacity: 8, maxWaiting: 8 }, async ({ pool }) => {
    const handle = pool.share();
    for (let round = 0; round < 3; round++) {
      const clients = await Promise.all(Array.from({ length: 64 }, () => attachPool(handle)));
      await rejectsWith(attachPool(handle), 'NO_BUFFERS');
      for (const client of clients) assert.is(await client.dispatch(job(Op.number, 2)), 1);
      await Promise.all(clients.map((client) => client.close()));
      await until(() => pool.statistics().dispatchers === 0);
    }
  });
});

test('results of a key go out in order, thread after thread', async () => {
  await withThreads({}, 2, async ({ pool }, [first, second], shared) => {
    if (first === undefined || second === undefined) return;
    // It stays with its result: the second's must not come before it has done with it.
    const stuck = first.dispatch(job(Op.number, 0), 'k', true);
    await stuck;
    const behind = second.dispatch(job(Op.number, 2), 'k');
    const here = pool.dispatch(job(Op.number, 4), { key: 'k' });
    const other = second.dispatch(job(Op.number, 6), 'another');
    assert.is(await other, 3, 'other keys are not held up');
    await until(() => pool.statistics().completed === 4);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.is(await isSettled(behind), false);
    assert.is(await isSettled(here), false);
    Atomics.store(shared, Shared.gate, 1);
    Atomics.notify(shared, Shared.gate);
    assert.is(await behind, 1);
    assert.is(await here, 2);
  });
});

for (const how of ['exit', 'throw'] as const) {
  test(`a thread that dies (${how}) loses its results, and its keys go on`, async () => {
    await withThreads({ initialThreads: 2 }, 2, async (bench, [first, second]) => {
      const { pool, openGate, entered } = bench;
      if (first === undefined || second === undefined) return;
      const lost = [first.dispatch(job(Op.gate), 1), first.dispatch(job(Op.number, 2), 1)];
      await entered(1);
      await until(() => pool.statistics().pending === 2);
      const behind = second.dispatch(job(Op.number, 4), 1);
      await until(() => pool.statistics().pending === 3);
      await first.dispatch(job(Op.number, 0));
      void first.tell({ kind: how });
      await first.ended;
      await until(() => pool.statistics().dispatchers === 1);
      openGate();
      assert.is(await behind, 2);
      assert.is(await pool.dispatch(job(Op.number, 6), { key: 1 }), 3);
      assert.is(pool.statistics().failures.dropped, 2);
      for (const result of lost) assert.is(await isSettled(result), false);
    });
  });
}

/** How often the bells of attached threads have been heard. */
function beatsOf({ core, dispatchers }: PoolHandle): number[] {
  const words = new Uint32Array(core.memory.buffer);
  return [0, 1].map((index) => {
    const record = dispatchers + index * DispatcherRecord.$size;
    return Atomics.load(words, (record + DispatcherRecord.beats) >>> 2);
  });
}

for (const isTerminated of [true, false]) {
  const name = isTerminated
    ? 'a thread that was terminated is taken for dead after a while, and its keys go on'
    : 'a thread that does not turn is taken for dead, and comes back when it does';
  test(name, async () => {
    const options = { dispatcherTimeoutMs: 1000, initialThreads: 2 };
    await withThreads(options, 2, async ({ pool, clock }, [first, second], shared) => {
      if (first === undefined || second === undefined) return;
      await first.dispatch(job(Op.number, 0), 1, true);
      await until(() => Atomics.load(shared, Shared.stuck) === 1);
      if (isTerminated) await first.terminate();
      const behind = second.dispatch(job(Op.number, 4), 1);
      await until(() => pool.statistics().completed === 2);
      for (let timeMs = 250; timeMs <= 1000; timeMs += 250) {
        assert.is(await isSettled(behind), false);
        assert.is(pool.statistics().dispatchers, 2);
        const before = beatsOf(pool.share());
        clock.advance(250);
        // The one that lives.
        await until(() => beatsOf(pool.share()).some((beats, index) => beats !== before[index]));
      }
      assert.is(await behind, 2);
      assert.is(pool.statistics().dispatchers, 1);
      if (isTerminated) return;
      Atomics.store(shared, Shared.gate, 1);
      Atomics.notify(shared, Shared.gate);
      assert.is(await first.dispatch(job(Op.number, 8), 1), 4);
      assert.is(pool.statistics().dispatchers, 2);
    });
  });
}

test('the settings hold for all: growth, the maximum, and its time-out', async () => {
  const settings = {
    initialThreads: 1,
    minThreads: 1,
    maxThreads: 2,
    dispatchTimeoutMs: 100,
    dispatchTimeoutAtMaxMs: 1000,
  };
  await withThreads(settings, 2, async (bench, [first, second]) => {
    const { pool, clock, openGate, entered } = bench;
    if (first === undefined || second === undefined) return;
    const gates = [first.dispatch(job(Op.gate))];
    await entered(1);
    gates.push(second.dispatch(job(Op.gate)));
    await until(() => pool.statistics().pending === 2);
    clock.advance(99);
    assert.is(pool.statistics().grown, 0);
    clock.advance(1);
    assert.is(pool.statistics().grown, 1);
    await entered(2);
    await until(() => pool.statistics().threads === 2);
    const late = first.dispatch(job(Op.number, 0), 'k');
    await until(() => pool.statistics().pending === 3);
    const later = second.dispatch(job(Op.number, 0), 'k');
    const timeOuts = [late, later].map((result) => rejectsWith(result, 'TIMED_OUT'));
    await until(() => pool.statistics().pending === 4);
    clock.advance(999);
    assert.is(await isSettled(late), false);
    clock.advance(1);
    await Promise.all(timeOuts);
    const next = second.dispatch(job(Op.number, 6), 'k');
    openGate();
    assert.is(await next, 3, 'the key goes on');
    assert.is(new Set(await Promise.all(gates)).size, 2);
    assert.equal([pool.statistics().waited, pool.statistics().failures.timedOut], [3, 2]);
  });
});

test('what is too much is refused, and room is told', async () => {
  const options = { capacity: 2, maxWaiting: 1 };
  await withThreads(options, 2, async ({ pool, openGate, entered }, [first, second]) => {
    if (first === undefined || second === undefined) return;
    const gates = [first.dispatch(job(Op.gate))];
    await entered(1);
    assert.is(await second.tell({ kind: 'hasRoom' }), true);
    gates.push(second.dispatch(job(Op.gate), 1), second.dispatch(job(Op.gate), 1));
    await until(() => pool.statistics().pending + pool.statistics().waiting === 3);
    assert.is(await first.tell({ kind: 'hasRoom' }), false);
    await rejectsWith(first.dispatch(job(Op.number)), 'NO_BUFFERS');
    const rooms = [first.tell({ kind: 'room' }), second.tell({ kind: 'room' })];
    assert.is(await isSettled(rooms[0] as Promise<unknown>), false);
    openGate();
    await Promise.all([...gates, ...rooms]);
    assert.is(await first.tell({ kind: 'hasRoom' }), true);
  });
});

test('close answers what was dispatched, wherever; then nothing is taken', async () => {
  await withThreads({ capacity: 8 }, 2, async ({ pool, openGate, entered }, [first, second]) => {
    if (first === undefined || second === undefined) return;
    const gate = first.dispatch(job(Op.gate), 1);
    await entered(1);
    const queued = [2, 4, 6].map((number) => second.dispatch(job(Op.number, number), 1));
    await until(() => pool.statistics().pending === 4);
    const closed = pool.close();
    await rejectsWith(first.dispatch(job(Op.number)), 'CLOSED');
    openGate();
    assert.equal(await closed, { canceled: 0, terminated: 0 });
    assert.equal(await Promise.all(queued), [1, 2, 3]);
    await gate;
    await rejectsWith(second.dispatch(job(Op.number)), 'CLOSED');
  });
});

test('what close gives up is told to those who wait for it', async () => {
  await withThreads({ initialThreads: 2 }, 2, async (bench, [first, second], shared) => {
    const { pool, clock, entered } = bench;
    if (first === undefined || second === undefined) return;
    // A job that never ends, and a result that waits for a thread which is stuck.
    const never = rejectsWith(second.dispatch(job(Op.never)), 'CANCELED');
    await entered(1);
    await first.dispatch(job(Op.number, 0), 1, true);
    const held = rejectsWith(second.dispatch(job(Op.number, 2), 1), 'CANCELED');
    await until(() => pool.statistics().completed === 2);
    const closed = pool.close({ timeoutMs: 500 });
    clock.advance(500);
    const left = await closed;
    assert.is(left.canceled, 2);
    await Promise.all([never, held]);
    Atomics.store(shared, Shared.gate, 1);
  });
});

test('a shared pool without work lets the process end', async () => {
  // That it does, the runner checks: it waits for the end of the process after the last test.
  const words = new Int32Array(new SharedArrayBuffer(1024));
  const options = { handler: HANDLERS, data: words, initialThreads: 1, minThreads: 1 };
  const pool = await orderedPool<number>(options);
  const client = await attachPool<number>(pool.share());
  assert.is(await client.dispatch(job(Op.number, 2), { key: 1 }), 1);
  client.unref();
  assert.is(await pool.dispatch(job(Op.number, 4), { key: 1 }), 2);
});

test.run();
