import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OverlappedError } from '../../../src/errors.ts';
import { job, Op } from './pool-handlers.worker.ts';
import { rejection, rejectsWith, withPool } from './pools.ts';

test('bytes there and bytes back, of every length up to the memory', async () => {
  await withPool({ arenaBytes: 4096 }, async ({ pool }) => {
    for (const length of [0, 1, 11, 511, 512, 513, 4096]) {
      const bytes = new Uint8Array(length).fill(length & 0x7f);
      const result = await pool.dispatch(bytes);
      assert.instance(result, Uint8Array);
      assert.equal(result, bytes);
      assert.ok((result as Uint8Array).buffer instanceof ArrayBuffer, 'a copy of our own');
    }
    await rejectsWith(pool.dispatch(new Uint8Array(4097)), 'NO_BUFFERS');
  });
});

test('the bytes are copied before dispatch returns', async () => {
  await withPool({ capacity: 1, maxWaiting: 4 }, async ({ pool }) => {
    const bytes = new Uint8Array([1, 2, 3]);
    const results = [pool.dispatch(bytes), pool.dispatch(bytes)];
    bytes.fill(9);
    for (const result of await Promise.all(results)) {
      assert.equal(result, new Uint8Array([1, 2, 3]));
    }
  });
});

test('a result may be anything that can be cloned', async () => {
  await withPool({}, async ({ pool }) => {
    assert.equal(await pool.dispatch(job(Op.value, 7)), new Map([['first', 7]]));
    assert.is(await pool.dispatch(job(Op.number, 7)), 3.5);
    assert.is(await pool.dispatch(job(Op.nothing)), undefined);
    assert.equal(await pool.dispatch(job(Op.async, 0x01020304)), new Uint8Array([4, 3, 2, 1]));
    assert.equal(await pool.dispatch(job(Op.tail, 1, 2)), job(0, 1, 2).subarray(4));
    const error = await rejection(pool.dispatch(job(Op.unclonable)));
    assert.ok(error.message.length > 0);
  });
});

test('a result larger than the free memory, or than all of it, still comes', async () => {
  await withPool({ arenaBytes: 4096 }, async ({ pool }) => {
    for (const length of [0, 1, 600, 4096, 4097, 1 << 20]) {
      const result = (await pool.dispatch(job(Op.bytes, length, 5))) as Uint8Array;
      assert.is(result.length, length);
      assert.ok(result.every((byte) => byte === 5));
    }
    // And it gave its memory back.
    const all = new Uint8Array(4096);
    assert.equal(await pool.dispatch(all), all);
  });
});

test('bytes are borrowed by default, and owned by choice', async () => {
  await withPool({}, async ({ pool }) => {
    assert.is(await pool.dispatch(job(Op.isShared)), true);
  });
  await withPool({ bytes: 'owned' }, async ({ pool }) => {
    assert.is(await pool.dispatch(job(Op.isShared)), false);
    assert.equal(await pool.dispatch(new Uint8Array([1])), new Uint8Array([1]));
  });
});

test('a handler that throws rejects its own job, with the exception, and no other', async () => {
  await withPool({}, async ({ pool }) => {
    const jobs = [
      pool.dispatch(job(Op.throw, 5), { key: 1 }),
      pool.dispatch(job(Op.throwOdd), { key: 1 }),
      pool.dispatch(job(Op.reject), { key: 1 }),
      pool.dispatch(job(Op.number, 8), { key: 1 }),
    ] as const;
    const [thrown, odd, rejected] = await Promise.all(jobs.slice(0, 3).map(rejection));
    assert.instance(thrown, RangeError);
    assert.is(thrown?.message, 'bad job 5');
    assert.is(odd?.message, 'odd');
    assert.is(rejected?.message, 'later');
    assert.is(await jobs[3], 4);
    const { completed, dispatched, failures, threads } = pool.statistics();
    assert.equal([dispatched, completed, failures.handler, threads], [4, 1, 3, 1]);
    assert.is(failures.deaths, 0);
  });
});

test('what dispatch refuses', async () => {
  await withPool({}, async ({ pool }) => {
    await rejectsWith(pool.dispatch('text' as unknown as Uint8Array), 'INVALID_OPTION');
    const key = {} as unknown as string;
    await rejectsWith(pool.dispatch(new Uint8Array(1), { key }), 'INVALID_OPTION');
    await pool.close();
    const error = await rejection(pool.dispatch(new Uint8Array(1)));
    assert.instance(error, OverlappedError);
    assert.is((error as OverlappedError).code, 'CLOSED');
  });
});

test.run();
