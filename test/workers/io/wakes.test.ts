/**
 * What is posted to a worker that waits in the kernel ends that wait. These
 * workers wait as good as for ever: whatever is not woken for is never done.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { driversOf, inTime, PATIENCE_MS, withThread } from './one-thread.ts';
import { openClient } from './servers.ts';

const WAITING = { isBlocking: true, waitMs: 3_600_000 };
const CALLS = 50;

for (const name of ['net', 'bun', 'uring']) {
  const backend = { name, options: {} };
  if (!(await driversOf(backend)).includes('blocking')) continue;

  test(`${name}: calls, questions and the end are served by a worker that waits in the kernel`, () =>
    withThread(backend, WAITING, async ({ thread, port, call }) => {
      const client = await openClient(port, 'net');
      for (let round = 0; round < CALLS; round++) {
        await call(client.id, 'send', `posted ${round}`);
        assert.is(await inTime('message', client.next()), `posted ${round}`);
        // Now and then it has gone to sleep before the next one.
        if (round % 10 === 0) await sleep(5);
      }
      await Promise.all(Array.from({ length: CALLS }, (_, i) => call(client.id, 'send', `${i}`)));
      for (let i = 0; i < CALLS; i++) assert.is(await inTime('message', client.next()), `${i}`);
      assert.ok(await thread.askStatistics(PATIENCE_MS));
      assert.ok((thread.lastStatistics?.port.backend.wakes ?? 0) > 0);
      await call(client.id, 'end');
      assert.is(await inTime('end', client.ended()), '');
      await thread.close(PATIENCE_MS);
      const { operations, handles, connections } = thread.left ?? {};
      assert.equal([operations, handles, connections], [0, 0, 0]);
      await client.close();
    }));

  test(`${name}: a worker that waits in the kernel can be terminated`, () =>
    withThread(backend, WAITING, async ({ thread, port }) => {
      const client = await openClient(port, 'net');
      await sleep(5);
      await inTime('terminate', thread.terminate());
      assert.is(await inTime('reset', client.ended()), 'RESET');
      await client.close();
    }));
}

test.run();
