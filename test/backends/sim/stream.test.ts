import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import { connected, connectTo, counting, listenOn, world } from './world.ts';

test('nothing completes inside a submission, nor inside flush', () => {
  const { server, settle } = world();
  const token = server.submit((driver, posted) => driver.post(posted));
  assert.is(server.completed.length, 0);
  settle();
  assert.is(server.result(token), 0);
  assert.is(server.readyCalls, 1);
});

test('a submission that was never flushed is not performed', () => {
  const { server, settle } = world();
  server.driver.post(5);
  settle();
  assert.is(server.completed.length, 0);
  server.driver.flush();
  settle();
  assert.is(server.result(5), 0);
});

test('bytes travel both ways, and addresses match', () => {
  const { server, client, serverEnd, clientEnd, accepting, settle } = connected();
  assert.is(server.of(accepting)?.flags, layout.COMPLETION_MORE);
  assert.equal(client.driver.remoteAddress(clientEnd), {
    address: '127.0.0.1',
    port: 7000,
    family: 'IPv4',
  });
  assert.equal(client.driver.localAddress(clientEnd), server.driver.remoteAddress(serverEnd));
  assert.ok((client.driver.localAddress(clientEnd)?.port ?? 0) >= 49_152);
  const there = server.receive(serverEnd, 100);
  const back = client.receive(clientEnd, 100);
  const sent = client.send(clientEnd, counting(10));
  server.send(serverEnd, counting(20, 50));
  settle();
  assert.is(client.result(sent.token), 10);
  assert.is(server.result(there.token), 10);
  assert.equal(server.bytes(there.offset, 10), counting(10));
  assert.equal(client.bytes(back.offset, 20), counting(20, 50));
});

test('shutdown ends one direction after what was sent before; the other goes on', () => {
  const { server, client, serverEnd, clientEnd, settle } = connected();
  const sent = client.send(clientEnd, counting(3));
  const shut = client.submit((driver, token) => driver.shutdown(token, clientEnd));
  const late = client.send(clientEnd, counting(3));
  const first = server.receive(serverEnd, 10);
  settle();
  const second = server.receive(serverEnd, 10);
  settle();
  assert.is(client.result(sent.token), 3);
  assert.is(client.result(shut), 0);
  assert.is(client.result(late.token), layout.ERROR_BROKEN_PIPE);
  assert.is(server.result(first.token), 3);
  assert.is(server.result(second.token), 0);
  const back = client.receive(clientEnd, 10);
  server.send(serverEnd, counting(4));
  settle();
  assert.is(client.result(back.token), 4);
});

test('a reset is a reset, an end is an end', () => {
  for (const reset of [true, false]) {
    const { server, client, serverEnd, clientEnd, settle } = connected();
    const pending = server.receive(serverEnd, 10);
    const closed = client.close(clientEnd, reset);
    settle();
    assert.is(client.result(closed), 0);
    assert.is(server.result(pending.token), reset ? layout.ERROR_RESET : 0);
    assert.is(server.of(pending.token)?.systemError, reset ? 104 : 0);
    const again = server.receive(serverEnd, 10);
    settle();
    assert.is(server.result(again.token), reset ? layout.ERROR_RESET : 0);
  }
});

test('closing with bytes unread, or sending to a closed side, is a reset as in TCP', () => {
  const unread = connected();
  unread.client.send(unread.clientEnd, counting(5));
  unread.settle();
  const pending = unread.client.receive(unread.clientEnd, 5);
  unread.server.close(unread.serverEnd);
  unread.settle();
  assert.is(unread.client.result(pending.token), layout.ERROR_RESET);

  const late = connected();
  late.server.close(late.serverEnd);
  late.settle();
  late.client.send(late.clientEnd, counting(5));
  late.settle();
  const after = late.client.send(late.clientEnd, counting(5));
  const ended = late.client.receive(late.clientEnd, 5);
  late.settle();
  assert.is(late.client.result(after.token), layout.ERROR_BROKEN_PIPE);
  assert.is(late.client.result(ended.token), 0, 'the end came first and stays an end');
});

test('close cancels what is pending and completes last; its number is used again', () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const { server, serverEnd, accepting, client, settle } = connected({
      seed,
      receiveDepth: 4,
      shuffle: 1,
    });
    const receives = [1, 2, 3, 4].map(() => server.receive(serverEnd, 10).token);
    const before = server.completed.length;
    const closed = server.close(serverEnd);
    const refused = server.receive(serverEnd, 10);
    settle();
    for (const token of receives) assert.is(server.result(token), layout.ERROR_CANCELED);
    assert.is(server.result(refused.token), layout.ERROR_CLOSED);
    const order = server.completed.slice(before).map(({ token }) => token);
    assert.ok(receives.every((token) => order.indexOf(token) < order.indexOf(closed)));
    connectTo(client, { host: '127.0.0.1', port: 7000 });
    settle();
    assert.is(server.result(accepting), serverEnd);
  }
});

test('a reader that stops holds the sender back at the window', () => {
  const { server, client, serverEnd, clientEnd, settle, selection } = connected({
    windowBytes: 1000,
  });
  const sent = client.send(clientEnd, counting(2500));
  settle();
  assert.is(client.result(sent.token), undefined);
  assert.is(selection.network.counters.bytesSent, 1000);
  const got: number[] = [];
  while (got.length < 2500) {
    const { token, offset } = server.receive(serverEnd, 300);
    settle();
    got.push(...server.bytes(offset, server.result(token) as number));
  }
  assert.is(client.result(sent.token), 2500);
  assert.equal(Uint8Array.from(got), counting(2500));
});

test('who is refused, who waits for ever, who has no way', () => {
  const { client, server, settle, selection } = world({
    blackhole: ['hole'],
    unreachable: ['island'],
    connectTimeoutMs: 5000,
  });
  const refused = connectTo(client, { host: '127.0.0.1', port: 9 });
  const island = connectTo(client, { host: 'island', port: 9 });
  const lost = connectTo(client, { host: 'hole', port: 9 });
  const called = connectTo(client, { host: 'hole', port: 9 });
  client.driver.cancel(called);
  client.driver.flush();
  settle();
  assert.is(client.result(refused), layout.ERROR_REFUSED);
  assert.is(client.driver.systemErrorName(111), 'ECONNREFUSED');
  assert.is(client.result(island), layout.ERROR_UNREACHABLE);
  assert.is(client.result(called), layout.ERROR_CANCELED);
  assert.is(client.result(lost), undefined);
  selection.network.advance(6000);
  assert.is(client.result(lost), layout.ERROR_TIMED_OUT);

  listenOn(server, { path: '/tmp/one' });
  const twice = listenOn(server, { path: '/tmp/one' });
  settle();
  assert.is(server.result(twice), layout.ERROR_ADDRESS_IN_USE);
  const byPath = connectTo(client, { path: '/tmp/one' });
  const elsewhere = connectTo(client, { path: '/tmp/two' });
  settle();
  assert.ok((client.result(byPath) as number) >= 0);
  assert.is(client.result(elsewhere), layout.ERROR_REFUSED);
});

test('a full backlog makes connects wait; the end of the listener refuses them', () => {
  const { client, server, settle } = world();
  const listening = listenOn(server, { host: '0.0.0.0', port: 7001 }, 2);
  settle();
  const listener = server.result(listening) as number;
  const connects = [1, 2, 3, 4].map(() => connectTo(client, { host: '127.0.0.1', port: 7001 }));
  settle();
  assert.is(connects.filter((token) => client.result(token) !== undefined).length, 2);
  const accepting = server.submit((driver, token) => driver.accept(token, listener));
  settle();
  assert.is(server.all(accepting).length, 4);
  const more = [1, 2, 3].map(() => connectTo(client, { host: '127.0.0.1', port: 7001 }));
  server.driver.cancel(accepting);
  server.driver.flush();
  settle();
  assert.is(server.result(accepting), layout.ERROR_CANCELED);
  const closed = server.close(listener);
  settle();
  assert.is(server.result(closed), 0);
  assert.is(more.filter((token) => client.result(token) === layout.ERROR_REFUSED).length, 1);
});

test('dispose reports every operation once and closes every handle, paused or not', async () => {
  const { client, server, serverEnd, clientEnd, settle, selection } = connected({
    receiveDepth: 2,
    blackhole: ['hole'],
    shuffle: 0.5,
  });
  const tokens = [
    client.receive(clientEnd, 10).token,
    client.receive(clientEnd, 10).token,
    client.send(clientEnd, counting(200_000)).token,
    connectTo(client, { host: 'hole', port: 1 }),
    connectTo(client, { host: '127.0.0.1', port: 7000 }),
    client.submit((driver, token) => driver.close(token, clientEnd, false)),
  ];
  assert.equal(await client.driver.dispose(), { operations: 0, handles: 0 });
  for (const token of tokens) assert.is(client.all(token).length, 1, `token ${token}`);
  const late = client.submit((driver, token) => driver.post(token));
  // In a pass of the host's loop; which one is the host's affair.
  for (let pass = 0; pass < 200 && client.result(late) === undefined; pass++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.is(client.result(late), layout.ERROR_CLOSED);
  server.receive(serverEnd, 10);
  settle();
  assert.equal(await server.driver.dispose(), { operations: 0, handles: 0 });
  assert.is(selection.network.counters.lentViolations, undefined);
});

test.run();
