/** What only this backend does: its two drivers, its accepts, its lifetimes, counted to the last. */
import { Buffer } from 'node:buffer';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR_CANCELED } from '#generated/layout';
import { probe, type UringOptions, uring } from '../../../backends/uring/index.ts';
import { type Operation, Rig, type RigOptions } from '../../support/backend-host.ts';
import { openPair, pattern, Reader } from '../../support/streams.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };
const TINY: UringOptions = { entries: 2, completionEntries: 4, providedBuffers: 2, idlePasses: 0 };
const NOTHING_OPEN = { socketsOpen: 0, handlesOpen: 0, buffersProvided: 0 };
const test = suite('uring, its own');
const { available } = await probe();

/** Sockets and rings of this process: what else it opens is not the driver's. */
function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Until it holds, or for long enough that it never will. */
async function eventually(holds: () => boolean): Promise<boolean> {
  for (let i = 0; i < 3000 && !holds(); i++) await sleep(10);
  return holds();
}

function add(
  title: string,
  work: (rig: Rig) => Promise<void>,
  options: UringOptions = {},
  rigOptions: RigOptions = {},
): void {
  if (!available) return;
  test(title, async () => {
    const before = openDescriptors();
    const rig = await Rig.open(uring(options), { memoryBytes: 96 << 20, ...rigOptions });
    try {
      await work(rig);
    } finally {
      await rig.dispose();
    }
    const { socketsOpen, handlesOpen, buffersProvided } = rig.driver.counters();
    assert.equal({ socketsOpen, handlesOpen, buffersProvided }, NOTHING_OPEN);
    const isLess = await eventually(() => openDescriptors() <= before);
    assert.ok(isLess, `${before} descriptors before, ${openDescriptors()} after`);
  });
}

test.before(async () => {
  if (!available) return;
  // Hosts open some descriptors with the first use, some a while later, and keep them.
  const rig = await Rig.open(uring({ idlePasses: 0 }), { memoryBytes: 96 << 20 });
  await openPair(rig, LOOPBACK);
  await rig.dispose();
  for (let count = -1, same = 0, i = 0; same < 10 && i < 40; i++) {
    const now = openDescriptors();
    same = now === count ? same + 1 : 0;
    count = now;
    await sleep(100);
  }
});

/** Sends until the system takes no more: nobody reads at the other end. */
async function blockedSend(rig: Rig, handle: number): Promise<Operation> {
  for (;;) {
    const send = rig.send(handle, new Uint8Array(1 << 20).fill(1));
    // Passes of the loop, and not time: a machine may stand still for as long.
    for (let pass = 0; pass < 20 && !send.done; pass++) await sleep(3);
    if (!send.done) return send;
  }
}

/** Until the driver sleeps: nothing that it counts changes any more. */
async function asleep(rig: Rig): Promise<void> {
  const state = () => JSON.stringify([rig.driver.counters(), rig.turns]);
  let before = '';
  // Twice the same: a timer may come before the passes that are due.
  for (let same = 0; same < 2; ) {
    const now = state();
    same = now === before ? same + 1 : 0;
    before = now;
    await sleep(100);
  }
}

for (const [name, options] of [
  ['', {}],
  [', tiny rings', TINY],
  [', single receives', { multishot: false }],
] as const) {
  add(
    `a close with receives and a blocked send pending gives just their completions${name}`,
    async (rig) => {
      const { client, server, listener, accept } = await openPair(rig, LOOPBACK);
      const datagrams = (await rig.bind(LOOPBACK).final).result;
      const pending = [
        rig.receive(client),
        await blockedSend(rig, client),
        ...Array.from({ length: 20 }, () => rig.receiveFrom(datagrams, 512)),
      ];
      const closes = [
        rig.close(client, true),
        rig.close(datagrams, true),
        rig.close(listener, true),
      ];
      for (const close of closes) assert.is((await close.final).result, 0);
      for (const { seen } of pending) {
        assert.equal(
          seen.map(({ result }) => result),
          [ERROR_CANCELED],
        );
      }
      assert.is(accept.seen.at(-1)?.result, ERROR_CANCELED);
      assert.is(rig.driver.counters().handlesOpen, 1);
      // ... and then silence.
      const accepted = accept.seen.length;
      await sleep(200);
      for (const { seen } of [...pending, ...closes]) assert.is(seen.length, 1);
      assert.is(accept.seen.length, accepted);
      rig.close(server, true);
    },
    options,
  );

  add(
    `descriptors that are used again at once carry nothing of their old connection${name}`,
    async (rig) => {
      const listener = (await rig.listen(LOOPBACK).final).result;
      const accept = rig.accept(listener);
      const port = rig.driver.localAddress(listener)?.port as number;
      const endpoint = { host: '127.0.0.1', port };
      const open = async () => {
        const connecting = rig.connect(endpoint);
        const server = (await accept.next()).result;
        return { client: (await connecting.final).result, server };
      };
      let old = await open();
      for (let round = 0; round < 300; round++) {
        // Bytes, a receive and a send under way as both ends go.
        new Reader(rig, old.server);
        rig.send(old.client, `old${round}`.padEnd(64, '-'));
        rig.send(old.server, 'back'.padEnd(64, '-'));
        if (round % 2 === 1) rig.flush();
        const closed = [
          rig.close(old.server, round % 3 === 0),
          rig.close(old.client, round % 3 < 2),
        ];
        const next = round % 4 === 0 ? await open() : undefined;
        await Promise.all(closed.map(({ final }) => final));
        const { client, server } = next ?? (await open());
        const reader = new Reader(rig, server);
        const answers = new Reader(rig, client);
        const text = `new${round}`.padEnd(8, '.');
        assert.is((await rig.send(client, text).final).result, 8);
        assert.is(await reader.readText(8), text);
        assert.is((await rig.send(server, text).final).result, 8);
        assert.is(await answers.readText(8), text);
        assert.equal([reader.length, answers.length], [8, 8]);
        // The readers stay: they end with their connection.
        old = await open();
        await Promise.all([rig.close(client, true).final, rig.close(server, true).final]);
      }
    },
    options,
  );
}

for (const [name, options] of [
  ['', {}],
  [' without a copy', { zeroCopyBytes: 1 }],
] as const) {
  add(
    `the memory of a send${name} is free once it has completed, and not before`,
    async (rig) => {
      const { client, server } = await openPair(rig, LOOPBACK);
      const { u8 } = rig.host.core;
      const sent: Uint8Array[] = [];
      let length = 0;
      const reuse = ({ offset, length }: Operation) => u8.fill(0xee, offset, offset + length);
      // More and more lies in the system, as nobody reads yet.
      let last: Operation;
      for (;;) {
        const bytes = pattern(1 << 17, sent.length + 1);
        last = rig.send(client, bytes);
        sent.push(bytes);
        await Promise.race([last.final, sleep(100)]);
        if (!last.done) break;
        const { result } = await last.final;
        length += result;
        reuse(last);
        assert.ok(sent.length < 200, 'the system takes all');
        if (result < bytes.length) break;
      }
      const reader = new Reader(rig, server);
      if (!last.done) {
        length += (await last.final).result;
        reuse(last);
      }
      const read = await reader.read(length);
      for (const [index, bytes] of sent.entries()) {
        const part = read.subarray(index << 17, (index + 1) << 17);
        assert.is(Buffer.compare(part, bytes.subarray(0, part.length)), 0, `send ${index}`);
      }
    },
    options,
    { memoryBytes: 160 << 20 },
  );
}

add('completions of reads and writes are never taken for each other', async (rig) => {
  const { client, server } = await openPair(rig, LOOPBACK);
  const readers = [new Reader(rig, server), new Reader(rig, client)];
  for (let round = 1; round <= 200; round++) {
    // Different sizes: a mistaken completion would carry the other's.
    const up = rig.send(client, 'u'.repeat(3));
    const down = rig.send(server, 'd'.repeat(5));
    assert.is((await up.final).result, 3);
    assert.is((await down.final).result, 5);
    assert.is((await readers[0]?.readText(3 * round))?.length, 3 * round);
    assert.is((await readers[1]?.readText(5 * round))?.length, 5 * round);
  }
});

add('an idle port costs nothing, and what comes ends its sleep', async (rig) => {
  const { client, server } = await openPair(rig, LOOPBACK);
  const receive = rig.receive(server);
  for (let round = 0; round < 3; round++) {
    await asleep(rig);
    const { enters, waits, passes } = rig.driver.counters();
    const { turns } = rig;
    await sleep(300);
    const after = rig.driver.counters();
    assert.equal([after.enters, after.waits, after.passes], [enters, waits, passes]);
    assert.is(rig.turns, turns);
    rig.send(client, 'up');
    assert.is((await receive.next()).result, 2);
    await asleep(rig);
    // It slept again, once; or on, if all was taken before anybody could wake it.
    assert.ok(Number(rig.driver.counters().waits) <= Number(waits) + 1);
  }
});

add('with nothing referenced packets still come', async (rig) => {
  const { client, server, listener } = await openPair(rig, LOOPBACK);
  for (const handle of [client, server, listener]) rig.driver.setReferenced(handle, false);
  const receive = rig.receive(server);
  for (let round = 0; round < 5; round++) {
    await sleep(100);
    rig.send(client, 'quietly');
    assert.is((await receive.next()).result, 7);
  }
  rig.driver.setReferenced(client, true);
  await sleep(100);
  rig.send(client, 'aloud');
  assert.is((await receive.next()).result, 5);
});

for (const [name, options] of [
  ['', { blocking: true }],
  [', on rings of the other driver', {}],
  [', tiny rings', { ...TINY, blocking: true }],
] as const) {
  add(
    `a thread of its own waits in the kernel, by the other driver${name}`,
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
      // Nothing there: the wait ends by its time, and that is no error.
      while (rig.wait(1));
      const { waits } = rig.driver.counters();
      assert.is(rig.wait(1), false);
      assert.is(rig.driver.counters().waits, Number(waits) + 1);
      for (let round = 0; round < 200; round++) {
        const send = rig.send(client, 'wake');
        for (let i = 0; i < 3000 && receive.seen.length <= round; i++) rig.wait(10);
        assert.is((await receive.next()).result, 4);
        assert.is((await until(send)).result, 4);
      }
      const closes = [rig.close(client), rig.close(server), rig.close(listener)];
      for (const close of closes) assert.is((await until(close)).result, 0);
      assert.is(receive.done, true);
    },
    options,
    { worker: true },
  );
}

add('clients that are gone before they are accepted do not end the listener', async (rig) => {
  const listener = (await rig.listen(LOOPBACK).final).result;
  const port = rig.driver.localAddress(listener)?.port as number;
  // They wait in the backlog, and some of them are reset there.
  for (let round = 0; round < 40; round++) {
    const client = (await rig.connect({ host: '127.0.0.1', port }).final).result;
    if (round % 2 === 0) await rig.close(client, true).final;
  }
  const client = (await rig.connect({ host: '127.0.0.1', port }).final).result;
  const accept = rig.accept(listener);
  rig.send(client, 'here');
  let said = '';
  // All are accepted, the living ones among them; one of those says something.
  for (let count = 0; count < 41 && said === ''; count++) {
    const { result } = await accept.next();
    assert.ok(result >= 0, `accept: ${result}`);
    const reader = new Reader(rig, result);
    void reader.readText(4).then((text) => {
      said = text;
    });
    await sleep(0);
  }
  assert.ok(await eventually(() => said !== ''));
  assert.is(said, 'here');
});

add('a listener that is cancelled can be armed again', async (rig) => {
  const listener = (await rig.listen(LOOPBACK).final).result;
  const accept = rig.accept(listener);
  await rig.post().final;
  rig.cancel(accept);
  assert.is((await accept.final).result, ERROR_CANCELED);
  const again = rig.accept(listener);
  const port = rig.driver.localAddress(listener)?.port as number;
  const client = (await rig.connect({ host: '127.0.0.1', port }).final).result;
  assert.ok((await again.next()).result >= 0);
  assert.is(rig.driver.remoteAddress(client)?.port, port);
});

add('a connect to a port that was just freed never ends at itself', async (rig) => {
  for (let round = 0; round < 200; round++) {
    const listener = (await rig.listen(LOOPBACK).final).result;
    const port = rig.driver.localAddress(listener)?.port as number;
    await rig.close(listener).final;
    const tries = Array.from({ length: 4 }, () => rig.connect({ host: '127.0.0.1', port }));
    for (const { final } of tries) assert.ok((await final).result < 0);
  }
});

test.run();
