/** Sockets that share a TCP port, where the host's own `listen` cannot. */
import net, { type Server } from 'node:net';
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  closeDescriptor,
  hostReusesPorts,
  needsDescriptor,
  reusingDescriptor,
  SOCKETS,
  socketAddress,
} from '../../../backends/net/reuse-port.ts';
// Held against the system's headers by a test of their own.
import * as constants from '../../../backends/uring/constants.ts';
import { check, fc } from '../../support/property.ts';

test('the constants are those that the headers were asked for', () => {
  const known = constants as unknown as Record<string, unknown>;
  for (const [name, value] of Object.entries(SOCKETS)) assert.is(value, known[name], name);
});

test('which hosts share ports by themselves', () => {
  const expected: [Record<string, string>, boolean][] = [
    [{ node: '20.20.2' }, false],
    [{ node: '22.11.0' }, false],
    [{ node: '22.12.0' }, true],
    [{ node: '23.0.0' }, false],
    [{ node: '23.1.0' }, true],
    [{ node: '24.0.0' }, true],
    [{ node: '20.0.0', bun: '1.4.5' }, true],
    [{ node: '20.0.0', deno: '2.9.6' }, true],
  ];
  for (const [versions, reuses] of expected) {
    assert.is(hostReusesPorts(versions), reuses, JSON.stringify(versions));
  }
});

test('addresses as the system wants them', () => {
  assert.equal(
    [...socketAddress('127.0.0.1', 258)],
    [2, 0, 1, 2, 127, 0, 0, 1, ...Array(8).fill(0)],
  );
  const of = (text: string) => [...socketAddress(text, 80).subarray(8, 24)];
  assert.equal(of('::'), Array(16).fill(0));
  assert.equal(of('::1'), [...Array(15).fill(0), 1]);
  assert.equal(of('1::'), [0, 1, ...Array(14).fill(0)]);
  assert.equal(of('::ffff:1.2.3.4'), [...Array(10).fill(0), 255, 255, 1, 2, 3, 4]);
  assert.is(socketAddress('::1', 80).length, 28);
});

test('any IPv6 address, however it is shortened', async () => {
  await check(
    fc.property(fc.ipV6(), (text) => {
      // Bun's URL parser refuses some that are valid.
      fc.pre(URL.canParse(`http://[${text}]`));
      const bytes = socketAddress(text, 1).subarray(8, 24);
      const groups = Array.from({ length: 8 }, (_, index) =>
        (((bytes[2 * index] as number) << 8) | (bytes[2 * index + 1] as number)).toString(16),
      );
      // Both as the URL parser writes them.
      const canonical = (address: string) => new URL(`http://[${address}]`).hostname;
      assert.is(canonical(groups.join(':')), canonical(text));
    }),
  );
});

if (needsDescriptor() && process.platform === 'linux') {
  const listen = (fd: number): Promise<Server> =>
    new Promise((resolve, reject) => {
      const server = net.createServer().on('error', reject);
      server.listen({ fd }, () => resolve(server));
    });

  for (const host of ['127.0.0.1', '::1', 'localhost']) {
    test(`two servers on one port of ${host}`, async () => {
      const first = await listen(await reusingDescriptor(host, 0, false));
      const { port, address } = first.address() as net.AddressInfo;
      const second = await listen(await reusingDescriptor(address, port, false));
      assert.is((second.address() as net.AddressInfo).port, port);
      for (const server of [first, second]) server.close();
    });
  }

  test('what cannot be bound says why', async () => {
    const taken = net.createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as net.AddressInfo;
    const codeOf = (promise: Promise<number>) =>
      promise.then(
        () => '',
        (error: { code?: string }) => error.code,
      );
    assert.is(await codeOf(reusingDescriptor('127.0.0.1', port, false)), 'EADDRINUSE');
    assert.is(await codeOf(reusingDescriptor('192.0.2.1', 0, false)), 'EADDRNOTAVAIL');
    taken.close();
    await closeDescriptor(await reusingDescriptor('127.0.0.1', 0, false));
  });
}

test.run();
