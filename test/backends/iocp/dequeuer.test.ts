/** Other hands in a driver's completion port: what they take, what they leave to it, and what it finds of those that are gone. */
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ERROR_CANCELED,
  IOCP_ENTRY_BYTES,
  IOCP_KEY_WAKE,
  IocpEntry,
  IocpPort,
} from '#generated/layout';
import type { Dequeuer } from '../../../backends/backend.ts';
import type { Dequeuing } from '../../../backends/iocp/dequeuer.ts';
import { iocp, openDequeuer } from '../../../backends/iocp/index.ts';
import { entriesOf, SEAT_ENTRIES, seatAt } from '../../../backends/iocp/seats.ts';
import { loadSystem } from '../../../backends/iocp/system.ts';
import { Rig } from '../../support/backend-host.ts';
import { openPair } from '../../support/streams.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };
const WAIT_MS = 30_000;
const test = suite('iocp, several dequeue');

interface Hands {
  readonly rig: Rig;
  readonly dequeuer: Dequeuer;
  /** Waits for packets of the port in seat 0, as `dequeue` does it, and goes no further. */
  fill(): number;
}

function add(title: string, work: (hands: Hands) => Promise<void>): void {
  if (process.platform !== 'win32') return;
  test(title, async () => {
    const options = { shared: true, workers: 2, memoryBytes: 96 << 20 };
    const rig = await Rig.open(iocp({ skipPackets: false, directSends: false }), options);
    try {
      const { core } = rig.host;
      const dequeuing = rig.driver.dequeuing as Dequeuing;
      const dequeuer = await openDequeuer(core, dequeuing, 0);
      const { win32, koffi } = await loadSystem();
      const seat = seatAt(dequeuing.seats, 0);
      const base = Number(koffi.address(core.u8));
      const fill = () => {
        const ok = win32.GetQueuedCompletionStatusEx(
          dequeuing.port,
          base + entriesOf(seat),
          SEAT_ENTRIES,
          base + seat + IocpPort.removed,
          WAIT_MS,
          0,
        );
        return ok === 0 ? 0 : (core.u32[(seat + IocpPort.removed) >>> 2] as number);
      };
      await work({ rig, dequeuer, fill });
      dequeuer.close();
      rig.driver.endDequeuer?.(0);
    } finally {
      await rig.dispose();
    }
    const { socketsOpen, handlesOpen, acceptsPending } = rig.driver.counters();
    assert.equal([socketsOpen, handlesOpen, acceptsPending], [0, 0, 0]);
  });
}

/** What another thread does, once in a while. */
async function help(dequeuer: Dequeuer, rig: Rig, until: Promise<unknown>): Promise<void> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  until.then(over, over);
  while (!isOver) {
    if (dequeuer.dequeue()) rig.driver.attend?.();
    rig.driver.wake();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

add('transfers, ends and closes, whoever dequeues them', async ({ rig, dequeuer }) => {
  const { client, server } = await openPair(rig, LOOPBACK);
  rig.driver.attend?.();
  for (let round = 0; round < 100; round++) {
    const receives = Array.from({ length: 4 }, () => rig.receive(server, 8));
    const sends = Array.from({ length: 4 }, (_, i) => rig.send(client, `${round} ${i}`.padEnd(8)));
    const all = Promise.all([...receives, ...sends].map(({ final }) => final));
    await help(dequeuer, rig, all);
    assert.is(
      (await all).every(({ result }) => result === 8),
      true,
    );
  }
  const pending = Array.from({ length: 20 }, () => rig.receive(client, 16));
  const closes = [rig.close(client, true), rig.close(server, true)];
  const ended = Promise.all([...pending, ...closes].map(({ final }) => final));
  await help(dequeuer, rig, ended);
  const results = (await ended).map(({ result }) => result);
  assert.equal(results, [...pending.map(() => ERROR_CANCELED), 0, 0]);
  assert.ok((dequeuer.counters().packets ?? 0) > 0);
  assert.ok((dequeuer.counters().looks ?? 0) > 0);
});

add('what a thread had dequeued as it died is dealt with, once', async ({ rig, fill }) => {
  const { client, server } = await openPair(rig, LOOPBACK);
  rig.driver.attend?.();
  const receive = rig.receive(server, 8);
  const send = rig.send(client, 'dequeued');
  let taken = 0;
  // Nothing else runs in this thread meanwhile: both packets come here.
  for (let call = 0; call < 2 && taken < 2; call++) {
    const found = fill();
    assert.ok(found > 0);
    taken += found;
    if (taken === 1) {
      // The next call would overwrite it.
      rig.driver.endDequeuer?.(0);
    }
  }
  rig.driver.endDequeuer?.(0);
  rig.driver.wake();
  assert.is((await receive.final).result, 8);
  assert.is((await send.final).result, 8);
  rig.driver.endDequeuer?.(0);
  for (const handle of [client, server]) assert.is((await rig.close(handle, true).final).result, 0);
  assert.equal([receive.seen.length, send.seen.length], [1, 1]);
});

add('a thread that was called gone and still runs takes nothing more', async (hands) => {
  const { rig, dequeuer } = hands;
  const { client, server } = await openPair(rig, LOOPBACK);
  rig.driver.endDequeuer?.(0);
  const next = await openDequeuer(rig.host.core, rig.driver.dequeuing, 0);
  rig.driver.attend?.();
  const receive = rig.receive(server, 4);
  const send = rig.send(client, 'mine');
  for (let i = 0; i < 20; i++) assert.is(dequeuer.dequeue(), false);
  assert.is(dequeuer.rest(), false);
  dequeuer.close();
  assert.is(dequeuer.counters().packets, 0);
  const both = Promise.all([receive.final, send.final]);
  await help(next, rig, both);
  assert.equal(
    (await both).map(({ result }) => result),
    [4, 4],
  );
  assert.is(next.counters().packets, 2);
  next.close();
});

add('what a thread could not call off is no packet', async ({ rig }) => {
  const { core } = rig.host;
  const { seats } = rig.driver.dequeuing as Dequeuing;
  const seat = seatAt(seats, 0);
  // A call that failed, and counted all the same: the thread ended before it saw to that.
  core.u32[(seat + IocpPort.removed) >>> 2] = 1;
  const first = entriesOf(seat);
  assert.is(core.u32[(first + IocpEntry.key) >>> 2], IOCP_KEY_WAKE);
  assert.equal(
    [...core.u8.subarray(first, first + IOCP_ENTRY_BYTES)],
    Array(IOCP_ENTRY_BYTES).fill(0),
  );
  rig.driver.endDequeuer?.(0);
  assert.is(core.u32[(seat + IocpPort.removed) >>> 2], 0);
});

test.run();
