/** What only this backend does: its two drivers, its accepts, its lifetimes, counted to the last. */
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR_CANCELED, ERROR_NOT_SUPPORTED, ERROR_REFUSED } from '#generated/layout';
import { type IocpOptions, iocp } from '../../../backends/iocp/index.ts';
import { type Operation, Rig, type RigOptions } from '../../support/backend-host.ts';
import { openPair, Reader } from '../../support/streams.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };
const test = suite('iocp, its own');

function add(
  title: string,
  work: (rig: Rig) => Promise<void>,
  options: IocpOptions = {},
  rigOptions: RigOptions = {},
): void {
  if (process.platform !== 'win32') return;
  test(title, async () => {
    const rig = await Rig.open(iocp(options), { memoryBytes: 96 << 20, ...rigOptions });
    try {
      await work(rig);
    } finally {
      await rig.dispose();
    }
    // Every SOCKET that was made is closed, every AcceptEx is back.
    const { socketsOpen, handlesOpen, acceptsPending } = rig.driver.counters();
    assert.equal({ socketsOpen, handlesOpen, acceptsPending }, NOTHING_OPEN);
  });
}

const NOTHING_OPEN = { socketsOpen: 0, handlesOpen: 0, acceptsPending: 0 };

/** Until a thread waits: nothing that the driver counts changes any more. The counts. */
async function asleep(rig: Rig): Promise<Readonly<Record<string, number>>> {
  let before = '';
  // Twice the same: a timer may come before the passes that are due.
  for (let same = 0; same < 2; ) {
    const now = JSON.stringify(rig.driver.counters());
    same = now === before ? same + 1 : 0;
    before = now;
    await sleep(100);
  }
  return rig.driver.counters();
}

add(
  'a close with 20 receives and a blocked send pending gives just their completions',
  async (rig) => {
    const { client, server } = await openPair(rig, LOOPBACK);
    const receives = Array.from({ length: 20 }, () => rig.receive(client, 512));
    // Nobody reads at the server: sooner or later a send has to wait.
    let send: Operation;
    do {
      send = rig.send(client, new Uint8Array(1 << 20).fill(1));
      // Passes of the loop, and not time: a machine may stand still for as long.
      for (let pass = 0; pass < 20 && !send.done; pass++) await sleep(3);
    } while (send.done);
    const close = rig.close(client, true);
    assert.is((await close.final).result, 0);
    for (const { seen } of receives) {
      assert.equal(
        seen.map(({ result }) => result),
        [ERROR_CANCELED],
      );
    }
    assert.equal(
      send.seen.map(({ result }) => result),
      [ERROR_CANCELED],
    );
    // ... and then silence.
    await sleep(200);
    for (const { seen } of [...receives, send, close]) assert.is(seen.length, 1);
    assert.is(rig.driver.counters().packetsLate, 21);
    rig.close(server, true);
  },
);

add(
  'completions of reads and writes are never taken for each other',
  async (rig) => {
    const { client, server } = await openPair(rig, LOOPBACK);
    const up: Operation[] = [];
    const down: Operation[] = [];
    for (let round = 0; round < 200; round++) {
      // Different sizes: a mistaken completion would carry the other's.
      const receive = rig.receive(server, 64);
      const reply = rig.receive(client, 64);
      up.push(rig.send(client, 'u'.repeat(3)));
      down.push(rig.send(server, 'd'.repeat(5)));
      assert.is((await receive.final).bytes?.length, 3);
      assert.is((await reply.final).bytes?.length, 5);
    }
    for (const { final } of up) assert.is((await final).result, 3);
    for (const { final } of down) assert.is((await final).result, 5);
  },
  { directSends: false },
);

add('an idle port costs nothing: one wait, and no dequeue', async (rig) => {
  const { client, server } = await openPair(rig, LOOPBACK);
  const receive = rig.receive(server);
  const before = await asleep(rig);
  await sleep(500);
  const after = rig.driver.counters();
  assert.is(after.dequeues, before.dequeues);
  assert.is(after.waits, before.waits);
  // And what comes ends the wait.
  rig.send(client, 'up');
  assert.is((await receive.final).result, 2);
});

add('with nothing referenced no thread waits, and packets still come', async (rig) => {
  const { client, server, listener } = await openPair(rig, LOOPBACK);
  for (const handle of [client, server, listener]) rig.driver.setReferenced(handle, false);
  const receive = rig.receive(server);
  await sleep(300);
  const { waits } = rig.driver.counters();
  rig.send(client, 'quietly');
  assert.is((await receive.final).result, 7);
  await sleep(100);
  // A wait would keep the process alive.
  assert.is(rig.driver.counters().waits, waits);
  rig.driver.setReferenced(client, true);
  assert.is((await asleep(rig)).waits, Number(waits) + 1);
});

add(
  'a thread of its own waits in the kernel, by the other driver',
  async (rig) => {
    const until = async (operation: Operation) => {
      for (let i = 0; i < 3000 && !operation.done; i++) {
        rig.wait(10);
        // Names are resolved by the host, in its own loop.
        await sleep(0);
      }
      return operation.final;
    };
    const listener = (await until(rig.listen(LOOPBACK))).result;
    const accept = rig.accept(listener);
    const port = rig.driver.localAddress(listener)?.port as number;
    const client = (await until(rig.connect({ host: '127.0.0.1', port }))).result;
    while (accept.seen.length === 0) rig.wait(10);
    const server = (await accept.next()).result;
    const receive = rig.receive(server);
    // Nothing there: the wait ends by its time, and that is no error (R22).
    while (rig.wait(1));
    assert.is(rig.wait(1), false);
    assert.is((await until(rig.send(client, 'wake'))).result, 4);
    assert.is((await until(receive)).result, 4);
    assert.is(rig.driver.counters().waits, 0);
    // `dispose` is the host's loop again.
    rig.driver.attach(() => rig.wait(0));
  },
  {},
  { worker: true },
);

add('clients that are gone before they are accepted do not end the listener', async (rig) => {
  const listener = (await rig.listen(LOOPBACK).final).result;
  const accept = rig.accept(listener);
  const port = rig.driver.localAddress(listener)?.port as number;
  for (let round = 0; round < 40; round++) {
    const client = (await rig.connect({ host: '127.0.0.1', port }).final).result;
    rig.close(client, true);
  }
  const client = (await rig.connect({ host: '127.0.0.1', port }).final).result;
  rig.send(client, 'here');
  let answered = 0;
  const readers: Reader[] = [];
  // Some of the forty may show as connections that were reset.
  const failedAccepts = () => Number(rig.driver.counters().acceptsFailed);
  while (readers.length + failedAccepts() < 41) {
    const { result } = await accept.next();
    assert.ok(result >= 0, `accept: ${result}`);
    const reader = new Reader(rig, result);
    readers.push(reader);
    void reader.readText(4).then(
      () => answered++,
      () => undefined,
    );
  }
  for (let i = 0; i < 3000 && answered === 0; i++) await sleep(10);
  assert.is(answered, 1);
});

add('a listener that is cancelled keeps no AcceptEx, and can be armed again', async (rig) => {
  const listener = (await rig.listen(LOOPBACK).final).result;
  const accept = rig.accept(listener);
  await rig.post().final;
  assert.is(rig.driver.counters().acceptsPending, 16);
  rig.cancel(accept);
  assert.is((await accept.final).result, ERROR_CANCELED);
  assert.is(rig.driver.counters().acceptsPending, 0);
  const again = rig.accept(listener);
  const port = rig.driver.localAddress(listener)?.port as number;
  const client = (await rig.connect({ host: '127.0.0.1', port }).final).result;
  assert.ok((await again.next()).result >= 0);
  assert.is(rig.driver.remoteAddress(client)?.port, port);
});

add('addresses of an accepted connection are those of its peer', async (rig) => {
  for (const host of ['127.0.0.1', '::1']) {
    const { client, server } = await openPair(rig, { host, port: 0 });
    assert.equal(rig.driver.remoteAddress(server)?.port, rig.driver.localAddress(client)?.port);
    assert.equal(rig.driver.localAddress(server)?.port, rig.driver.remoteAddress(client)?.port);
    assert.is(rig.driver.remoteAddress(server)?.address, host);
    assert.is(rig.driver.localAddress(server)?.address, host);
  }
});

add('a connect to a port that was just freed never ends at itself', async (rig) => {
  for (let round = 0; round < 300; round++) {
    const listener = (await rig.listen(LOOPBACK).final).result;
    const port = rig.driver.localAddress(listener)?.port as number;
    await rig.close(listener).final;
    const tries = Array.from({ length: 4 }, () => rig.connect({ host: '127.0.0.1', port }));
    for (const { final } of tries) assert.is((await final).result, ERROR_REFUSED);
  }
});

add('what Windows has no call for is refused as not supported', async (rig) => {
  const shared = rig.listen(LOOPBACK, { reusePort: true });
  assert.is((await shared.final).result, ERROR_NOT_SUPPORTED);
  const path = rig.listen({ path: '\\\\.\\pipe\\overlapped-nowhere' });
  assert.is((await path.final).result, ERROR_NOT_SUPPORTED);
});

test.run();
