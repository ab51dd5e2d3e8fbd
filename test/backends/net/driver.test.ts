import { spawnSync } from 'node:child_process';
import { existsSync, unlinkSync, writeFileSync } from 'node:fs';
import nodeNet from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ERROR_ADDRESS_IN_USE,
  ERROR_INVALID_OPTION,
  ERROR_REFUSED,
  ERROR_RESET,
  ERROR_UNREACHABLE,
} from '#generated/layout';
import type { BackendSelection } from '../../../backends/backend.ts';
import { bun, probe as probeBun } from '../../../backends/bun/index.ts';
import { net } from '../../../backends/net/index.ts';
import { Rig } from '../../support/backend-host.ts';
import { openPair, pattern, Reader } from '../../support/streams.ts';
import { IS_WINE, SHOWS_REFUSALS, SHOWS_RESETS } from '../../support/windows.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };

function cases<Options>(name: string, selection: () => BackendSelection<Options>): void {
  const test = suite(`${name}, against plain sockets`);
  const add = (title: string, work: (rig: Rig) => Promise<void>): void => {
    test(title, async () => {
      const rig = await Rig.open(selection());
      try {
        await work(rig);
      } finally {
        await rig.dispose();
      }
    });
  };

  /** A listener, and a plain client that the test drives. */
  const openPlain = async (rig: Rig) => {
    const listener = (await rig.listen(LOOPBACK).final).result;
    const accept = rig.accept(listener);
    const port = rig.driver.localAddress(listener)?.port as number;
    const plain = nodeNet.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    plain.on('error', () => {});
    const server = (await accept.next()).result;
    return { plain, server, accept, listener, port };
  };

  // Wine loses the error of a connection that has no receive pending.
  if (!IS_WINE) {
    add('a reset of a connection that nobody reads shows when it is read', async (rig) => {
      const { plain, server } = await openPlain(rig);
      await new Promise<void>((resolve) => plain.write('x', () => resolve()));
      const closed = new Promise((resolve) => plain.on('close', resolve));
      plain.resetAndDestroy();
      await closed;
      await rig.post().final;
      const { result } = await new Reader(rig, server).ended;
      assert.is(result, ERROR_RESET);
      assert.is((await rig.close(server).final).result, 0);
    });
  }

  if (SHOWS_RESETS) {
    add('the system number of a reset has its name', async (rig) => {
      const { plain, server } = await openPlain(rig);
      const reader = new Reader(rig, server);
      plain.resetAndDestroy();
      const { result, systemError } = await reader.ended;
      assert.is(result, ERROR_RESET);
      assert.is(rig.driver.systemErrorName(systemError), 'ECONNRESET');
    });
  }

  add('connections beyond the backlog are reset while no accept is armed', async (rig) => {
    const listener = (await rig.listen(LOOPBACK, { backlog: 2 }).final).result;
    const port = rig.driver.localAddress(listener)?.port as number;
    const plain = Array.from({ length: 6 }, () => nodeNet.connect({ port, host: '127.0.0.1' }));
    for (const socket of plain) socket.on('error', () => {});
    while ((rig.driver.counters().acceptsReset ?? 0) < 4) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.ok((rig.driver.counters().acceptsHeld ?? 0) >= 2);
    const accept = rig.accept(listener);
    assert.ok((await accept.next()).result >= 0);
    assert.ok((await accept.next()).result >= 0);
    for (const socket of plain) socket.destroy();
  });

  add('a peer that sends and resets at once does no harm', async (rig) => {
    const { server, accept, port, plain } = await openPlain(rig);
    plain.destroy();
    await rig.close(server).final;
    for (let round = 0; round < 30; round++) {
      const socket = nodeNet.connect({ port, host: '127.0.0.1' });
      socket.on('error', () => {});
      const handle = (await accept.next()).result;
      const reader = new Reader(rig, handle);
      socket.write('some bytes', () => socket.resetAndDestroy());
      const send = rig.send(handle, pattern(100_000));
      await Promise.all([reader.ended, send.final]);
      assert.is((await rig.close(handle, round % 2 === 0).final).result, 0);
    }
  });

  add('bad endpoints fail with a code', async (rig) => {
    const connects = [
      rig.connect({ host: 'nothing.invalid', port: 80 }),
      rig.connect({ host: '127.0.0.1', port: 1 }),
      rig.connect({ host: '127.0.0.1', port: 70_000 }),
    ];
    const [unknownName, refused, badPort] = await Promise.all(connects.map(({ final }) => final));
    assert.is(unknownName?.result, ERROR_UNREACHABLE);
    if (SHOWS_REFUSALS) assert.is(refused?.result, ERROR_REFUSED);
    assert.is(badPort?.result, ERROR_INVALID_OPTION);
    const foreign = (await rig.listen({ host: '192.0.2.1', port: 0 }).final).result;
    // Deno says EINVAL.
    assert.ok(foreign === ERROR_UNREACHABLE || foreign === ERROR_INVALID_OPTION, `${foreign}`);
  });

  add('a host name is resolved', async (rig) => {
    const listener = (await rig.listen({ host: 'localhost', port: 0 }).final).result;
    assert.ok(listener >= 0);
    const address = rig.driver.localAddress(listener);
    assert.ok(address?.address === '127.0.0.1' || address?.address === '::1', address?.address);
    const client = (await rig.connect({ host: 'localhost', port: address.port }).final).result;
    assert.ok(client >= 0);
    const socket = (await rig.bind({ host: 'localhost', port: 0 }).final).result;
    assert.ok(socket >= 0);
  });

  add('addresses stay known after the connection is gone', async (rig) => {
    const { client, server } = await openPair(rig, LOOPBACK);
    const remote = rig.driver.remoteAddress(server);
    assert.is(remote?.address, '127.0.0.1');
    const reader = new Reader(rig, server);
    await rig.close(client, true).final;
    await reader.ended;
    await rig.post().final;
    assert.equal(rig.driver.remoteAddress(server), remote);
  });

  add('options of a connection can be changed at any time', async (rig) => {
    const { client, server } = await openPair(rig, LOOPBACK);
    rig.driver.configure(client, { noDelay: false, keepAliveMs: 1000 });
    rig.driver.setReferenced(client, false);
    rig.driver.setReferenced(client, true);
    await rig.close(client).final;
    rig.driver.configure(client, { noDelay: true, keepAliveMs: 0 });
    rig.driver.configure(12_345, { noDelay: true, keepAliveMs: 0 });
    await rig.close(server).final;
  });

  if (process.platform !== 'win32') {
    const freshPath = (): string =>
      join(tmpdir(), `overlapped-${name}-${process.pid}-${Date.now().toString(36)}.sock`);

    add('a socket file that a dead process left is replaced', async (rig) => {
      const path = freshPath();
      // A process that listens and dies without closing.
      const script =
        'import socket,sys,os; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); os._exit(0)';
      const { status, error } = spawnSync('python3', ['-c', script, path]);
      if (error !== undefined || status !== 0) return;
      assert.ok(existsSync(path));
      const listener = (await rig.listen({ path }).final).result;
      assert.ok(listener >= 0, `listen: ${listener}`);
      assert.is(rig.driver.counters().staleSocketsReplaced, 1);
      assert.is((await rig.close(listener).final).result, 0);
      assert.not(existsSync(path));
    });

    add('another file at the path is left alone', async (rig) => {
      const path = freshPath();
      writeFileSync(path, 'precious');
      assert.is((await rig.listen({ path }).final).result, ERROR_ADDRESS_IN_USE);
      assert.ok(existsSync(path));
      unlinkSync(path);
    });

    add('a folder that does not exist is an error', async (rig) => {
      const { result } = await rig.listen({ path: '/nowhere/at/all.sock' }).final;
      assert.ok(result < 0, `listen: ${result}`);
    });
  }

  test.run();
}

cases('net', () => net());
if (probeBun().available) cases('bun', () => bun());
