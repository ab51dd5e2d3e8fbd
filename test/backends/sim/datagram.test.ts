import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import type { Endpoint } from '../../../backends/backend.ts';
import { type NetworkAddress, readAddress } from '../../../backends/sim/addresses.ts';
import type { SimOptions } from '../../../backends/sim/index.ts';
import { AddressRecords } from '../../../src/core/address.ts';
import { type Port, world } from './world.ts';

const DATAGRAM = { reuseAddress: false, broadcast: false, ipv6Only: false };

function bindOn(port: Port, endpoint: Endpoint, peer?: Endpoint): number {
  return port.submit((driver, token) =>
    driver.bind(token, endpoint, peer === undefined ? DATAGRAM : { ...DATAGRAM, peer }),
  );
}

function sendTo(port: Port, handle: number, bytes: number[], to?: NetworkAddress): number {
  const offset = port.place(layout.ADDRESS_BYTES + bytes.length);
  port.core.u8.fill(0, offset, offset + layout.ADDRESS_BYTES);
  if (to !== undefined) new AddressRecords(port.core.u8).write(offset, to.text, to.port);
  port.core.u8.set(bytes, offset + layout.ADDRESS_BYTES);
  return port.submit((driver, token) =>
    driver.sendTo(token, handle, offset, layout.ADDRESS_BYTES + bytes.length),
  );
}

function receiveFrom(port: Port, handle: number, room = 100) {
  const offset = port.place(layout.ADDRESS_BYTES + room);
  const length = layout.ADDRESS_BYTES + room;
  return {
    offset,
    token: port.submit((driver, token) => driver.receiveFrom(token, handle, offset, length)),
  };
}

/** Sends 200 numbered datagrams and returns the numbers in the order of their arrival. */
function numbered(options: SimOptions): number[] {
  const { server, client, settle } = world(options);
  const bound = bindOn(server, { host: '127.0.0.1', port: 500 });
  const sender = bindOn(client, { host: '127.0.0.1', port: 0 }, { host: '127.0.0.1', port: 500 });
  settle();
  for (let number = 0; number < 200; number += 1) {
    sendTo(client, client.result(sender) as number, [number]);
  }
  settle();
  const numbers: number[] = [];
  for (;;) {
    const { token, offset } = receiveFrom(server, server.result(bound) as number, 8);
    settle();
    if (server.result(token) === undefined) return numbers;
    numbers.push(server.core.u8[offset + layout.ADDRESS_BYTES] as number);
  }
}

test('datagrams carry their sender, answers find it, IPv4 and IPv6', () => {
  for (const host of ['127.0.0.1', '::1']) {
    const { server, client, settle } = world();
    const bound = bindOn(server, { host, port: 500 });
    const other = bindOn(client, { host, port: 0 });
    settle();
    const handle = server.result(bound) as number;
    const waiting = [receiveFrom(server, handle), receiveFrom(server, handle)];
    const family = host.includes(':') ? 6 : 4;
    sendTo(client, client.result(other) as number, [1, 2, 3], { family, text: host, port: 500 });
    sendTo(client, client.result(other) as number, [], { family, text: host, port: 500 });
    settle();
    const [first, second] = waiting as [{ token: number; offset: number }, { token: number }];
    assert.is(server.result(first.token), 3);
    assert.is(server.result(second.token), 0);
    const from = readAddress(new AddressRecords(server.core.u8), first.offset) as NetworkAddress;
    assert.is(from.text, host);
    assert.equal(server.bytes(first.offset + layout.ADDRESS_BYTES, 3), Uint8Array.of(1, 2, 3));
    const back = receiveFrom(client, client.result(other) as number);
    sendTo(server, handle, [9], from);
    settle();
    assert.is(client.result(back.token), 1);
  }
});

test('a datagram that does not fit is cut and says so', () => {
  const { server, client, settle } = world();
  const bound = bindOn(server, { host: '127.0.0.1', port: 500 });
  const other = bindOn(client, { host: '127.0.0.1', port: 0 }, { host: '127.0.0.1', port: 500 });
  settle();
  const waiting = receiveFrom(server, server.result(bound) as number, 2);
  sendTo(client, client.result(other) as number, [1, 2, 3]);
  settle();
  assert.is(server.result(waiting.token), layout.ERROR_FRAME_TOO_LONG);
});

test('a connected socket hears of nobody there, and not of strangers', () => {
  const { server, client, settle, selection } = world();
  const bound = bindOn(client, { host: '127.0.0.1', port: 0 }, { host: '127.0.0.1', port: 500 });
  const stranger = bindOn(server, { host: '127.0.0.1', port: 600 });
  settle();
  const handle = client.result(bound) as number;
  const waiting = receiveFrom(client, handle);
  sendTo(client, handle, [1]);
  settle();
  assert.is(client.result(waiting.token), layout.ERROR_REFUSED);
  const { port } = client.driver.localAddress(handle) as { port: number };
  sendTo(server, server.result(stranger) as number, [1], { family: 4, text: '127.0.0.1', port });
  settle();
  assert.is(selection.network.counters.datagramsOfStrangers, 1);
});

test('loss, doubling and reordering happen where they are asked for', () => {
  const inOrder = Array.from({ length: 200 }, (_, number) => number);
  assert.equal(numbered({}), inOrder);
  const lossy = numbered({ datagramLoss: 0.3 });
  assert.ok(lossy.length > 100 && lossy.length < 190);
  const doubled = numbered({ datagramDuplicate: 0.3, datagramQueue: 1000 });
  assert.ok(doubled.length > 210);
  assert.equal([...new Set(doubled)], inOrder);
  const reordered = numbered({ datagramReorder: 0.3 });
  assert.not.equal(reordered, inOrder);
  assert.equal(
    reordered.sort((a, b) => a - b),
    inOrder,
  );
  assert.is(numbered({ datagramQueue: 10 }).length, 10);
});

test.run();
