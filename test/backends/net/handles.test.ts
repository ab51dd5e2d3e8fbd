/** Connections on bare handles, where a write does not find room at once. */
import nodeNet from 'node:net';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR_CANCELED, ERROR_RESET } from '#generated/layout';
import { net } from '../../../backends/net/index.ts';
import { Rig } from '../../support/backend-host.ts';
import { contractSuite } from '../../support/contract.ts';
import { pattern, Reader } from '../../support/streams.ts';
import { SHOWS_RESETS } from '../../support/windows.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };
/** More than the system takes for a peer that does not read. */
const MUCH = 12_000_000;

const onNode = process.versions.bun === undefined && process.versions.deno === undefined;
const bare = onNode && process.platform !== 'win32';

function cases(name: string, bareHandles: boolean): void {
  const test = suite(name);
  const add = (title: string, work: (rig: Rig) => Promise<void>): void => {
    test(title, async () => {
      const rig = await Rig.open(net({ bareHandles }));
      try {
        await work(rig);
      } finally {
        await rig.dispose();
      }
    });
  };

  /** A plain peer that does not read until it waits to be closed, and the accepted connection's handle. */
  const open = async (rig: Rig) => {
    const listener = (await rig.listen(LOOPBACK).final).result;
    const accept = rig.accept(listener);
    const port = rig.driver.localAddress(listener)?.port as number;
    const plain = nodeNet.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    // A reset shows as an error, or as an end where it came behind unread bytes.
    plain.on('error', () => {});
    plain.pause();
    const server = (await accept.next()).result;
    const closed = async (): Promise<void> => {
      // A socket of Bun's that was paused does not tell of a reset when it reads again.
      if (process.versions.bun !== undefined) {
        plain.destroy();
        return;
      }
      const gone = new Promise((resolve) => plain.on('close', resolve));
      plain.on('end', () => plain.destroy());
      plain.resume();
      await gone;
    };
    return { plain, server, closed };
  };

  /** All that the peer reads until the end. */
  const readAll = async (plain: nodeNet.Socket): Promise<Uint8Array> => {
    const chunks: Uint8Array[] = [];
    plain.on('data', (chunk) => chunks.push(chunk));
    plain.resume();
    await new Promise((resolve) => plain.on('end', resolve));
    return Buffer.concat(chunks);
  };

  /** Lets some passes of the host's loop go by. */
  const passes = async (rig: Rig, count = 5): Promise<void> => {
    for (let pass = 0; pass < count; pass++) await rig.post().final;
  };

  const sameBytes = (is: Uint8Array, wanted: Uint8Array): void => {
    assert.is(is.length, wanted.length);
    assert.ok(Buffer.compare(is, wanted) === 0, 'other bytes');
  };

  add('tells how connections were accepted and written', async (rig) => {
    const { plain, server } = await open(rig);
    assert.is((await rig.send(server, 'x').final).result, 1);
    const { bareHandles: accepted, writesAtOnce, writesUnderWay } = rig.driver.counters();
    const expected = bare && bareHandles ? 1 : 0;
    assert.equal([accepted, writesAtOnce, writesUnderWay], [expected, expected, 0]);
    plain.destroy();
  });

  add('many writes to a peer that begins to read late arrive in order', async (rig) => {
    const { plain, server } = await open(rig);
    const bytes = pattern(MUCH);
    const size = 100_000;
    const sends = [];
    for (let at = 0; at < MUCH; at += size) {
      sends.push(rig.send(server, bytes.subarray(at, at + size)));
      // Some go alone, some several to a write.
      if (at % 3 === 0) rig.flush();
    }
    await passes(rig);
    assert.ok(
      sends.some(({ done }) => !done),
      'the system took all of it at once',
    );
    assert.not.ok(sends.slice(sends.findIndex(({ done }) => !done)).some(({ done }) => done));
    if (bare && bareHandles) assert.ok((rig.driver.counters().writesUnderWay ?? 0) > 0);
    const shut = rig.shutdown(server);
    sameBytes(await readAll(plain), bytes);
    for (const send of sends) assert.is((await send.final).result, size);
    assert.is((await shut.final).result, 0);
    assert.is(rig.driver.counters().bytesSent, MUCH);
    plain.end();
    assert.is((await new Reader(rig, server).ended).result, 0);
    assert.is((await rig.close(server).final).result, 0);
  });

  add('writes go on after a large one is done', async (rig) => {
    const { plain, server } = await open(rig);
    const bytes = pattern(MUCH);
    const large = rig.send(server, bytes);
    await passes(rig);
    assert.not.ok(large.done);
    const behind = rig.send(server, 'behind');
    const all = readAll(plain);
    assert.is((await large.final).result, MUCH);
    assert.is((await behind.final).result, 6);
    const atOnceBefore = rig.driver.counters().writesAtOnce ?? 0;
    for (let index = 0; index < 50; index++) {
      assert.is((await rig.send(server, 'more').final).result, 4);
    }
    if (bare && bareHandles) {
      assert.ok((rig.driver.counters().writesAtOnce ?? 0) > atOnceBefore);
    }
    await rig.shutdown(server).final;
    sameBytes(await all, Buffer.concat([bytes, Buffer.from(`behind${'more'.repeat(50)}`)]));
    plain.end();
  });

  for (const reset of [true, false]) {
    const title = reset ? 'a reset' : 'a close';
    add(`${title} while a write is under way cancels it`, async (rig) => {
      const { plain, server, closed } = await open(rig);
      const receive = rig.receive(server);
      const send = rig.send(server, pattern(MUCH));
      await passes(rig);
      const behind = rig.send(server, 'behind');
      const close = rig.close(server, reset);
      assert.is((await close.final).result, 0);

      for (const operation of [receive, send, behind]) {
        assert.is((await operation.final).result, ERROR_CANCELED);
      }
      await closed();
      console.error('gone');
      assert.ok(plain.bytesRead < MUCH);
    });
  }

  if (SHOWS_RESETS) {
    add('a reset by the peer while a write is under way ends both ways', async (rig) => {
      const { plain, server } = await open(rig);
      const reader = new Reader(rig, server);
      const sends = [rig.send(server, pattern(MUCH)), rig.send(server, 'behind')];
      await passes(rig);
      plain.resetAndDestroy();
      assert.is((await reader.ended).result, ERROR_RESET);
      for (const send of sends) assert.ok((await send.final).result < 0);
      assert.ok((await rig.send(server, 'late').final).result < 0);
      assert.is((await rig.close(server).final).result, 0);
    });
  }

  add(
    'a shutdown waits for a write that is under way, a reset after it does not hang',
    async (rig) => {
      const { server, closed } = await open(rig);
      const send = rig.send(server, pattern(MUCH));
      const shut = rig.shutdown(server);
      await passes(rig);
      assert.not.ok(send.done || shut.done);
      const close = rig.close(server, true);
      assert.is((await shut.final).result, ERROR_CANCELED);
      assert.is((await close.final).result, 0);
      await closed();
      console.error('gone');
    },
  );

  // A socket of Bun's does not notice that what it writes is refused.
  if (process.versions.bun === undefined) {
    add('a reset right behind a shutdown closes', async (rig) => {
      const { plain, server } = await open(rig);
      const shut = rig.shutdown(server);
      const close = rig.close(server, true);
      await Promise.all([shut.final, close.final]);
      assert.is((await close.final).result, 0);
      // A socket that was left open would take what is written to it.
      plain.resume();
      const gone = new Promise((resolve) => plain.on('close', resolve));
      const writing = setInterval(() => plain.write('anyone?'), 5);
      await gone;
      clearInterval(writing);
    });
  }

  add('dispose while a write is under way leaves nothing', async (rig) => {
    const { server, closed } = await open(rig);
    rig.send(server, pattern(MUCH));
    rig.receive(server);
    await passes(rig);
    assert.equal(await rig.dispose(), { operations: 0, handles: 0 });
    await closed();
  });

  add('a peer that ends is heard, and can still be written to', async (rig) => {
    const { plain, server } = await open(rig);
    const reader = new Reader(rig, server);
    plain.end('last words');
    assert.is(await reader.readText(10), 'last words');
    assert.is((await reader.ended).result, 0);
    const all = readAll(plain);
    assert.is((await rig.send(server, pattern(500_000)).final).result, 500_000);
    assert.is((await rig.close(server).final).result, 0);
    assert.is((await all).length, 500_000);
  });

  add('both addresses are known while the connection is open', async (rig) => {
    const { plain, server } = await open(rig);
    assert.equal(rig.driver.remoteAddress(server), {
      address: '127.0.0.1',
      port: plain.localPort,
      family: 'IPv4',
    });
    assert.equal(rig.driver.localAddress(server), {
      address: '127.0.0.1',
      port: plain.remotePort,
      family: 'IPv4',
    });
    plain.destroy();
  });

  test.run();
}

cases('net, accepted on bare handles', true);
if (bare) {
  cases('net, accepted on sockets', false);
  contractSuite('net over TCP, accepted on sockets', () => net({ bareHandles: false }), {
    endpoint: () => ({ host: '127.0.0.1', port: 0 }),
    unused: () => ({ host: '127.0.0.1', port: 1 }),
    resets: true,
  });
}
