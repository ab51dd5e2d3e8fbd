import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import type { SimOptions } from '../../../backends/sim/index.ts';
import { sim } from '../../../backends/sim/index.ts';
import { connected, connectTo, counting, listenOn, type Port, world } from './world.ts';

/** Sends `total` bytes one way with `depth` receives pending, and returns what came and in which order it was told. */
function transfer(options: SimOptions, total = 5000) {
  const { server, client, serverEnd, clientEnd, settle, selection } = connected(options);
  const depth = options.receiveDepth ?? 1;
  const bytes = counting(total);
  const received: number[] = [];
  const told: number[] = [];
  const pending: { token: number; offset: number }[] = [];
  let sent = 0;
  let sending = -1;
  let isOutOfOrder = false;
  for (let round = 0; round < 10_000 && received.length < total; round += 1) {
    while (pending.length < depth) pending.push(server.receive(serverEnd, 100));
    if (sending < 0 || client.result(sending) !== undefined) {
      sent += sending < 0 ? 0 : (client.result(sending) as number);
      if (sent < total) sending = client.send(clientEnd, bytes.subarray(sent, sent + 700)).token;
    }
    const before = server.completed.length;
    settle();
    const tokens = server.completed.slice(before).map(({ token }) => token);
    told.push(...tokens);
    for (let first = pending[0]; first !== undefined; first = pending[0]) {
      const result = server.result(first.token);
      if (result === undefined) break;
      if (result < 0) throw new Error(`receive: ${result}`);
      received.push(...server.bytes(first.offset, result));
      pending.shift();
    }
  }
  for (let at = 1; at < told.length; at += 1) {
    isOutOfOrder ||= (told[at] as number) < (told[at - 1] as number);
  }
  assert.equal(Uint8Array.from(received), bytes);
  return { isOutOfOrder, counters: selection.network.counters, trace: options.trace };
}

test('the same seed and calls give the same run; another seed gives another', () => {
  const run = (seed: number) => {
    const trace: string[] = [];
    transfer({ seed, trace, receiveDepth: 8, shuffle: 0.5, split: 0.5, delayMs: [0, 3] });
    return trace;
  };
  const first = run(7);
  assert.ok(first.length > 50);
  assert.equal(run(7), first);
  assert.not.equal(run(8), first);
});

test('checking lent ranges does not change what happens', () => {
  const run = (checkLent: boolean) => {
    const trace: string[] = [];
    transfer({ seed: 3, trace, receiveDepth: 4, shuffle: 0.5, split: 0.5, checkLent });
    return trace;
  };
  assert.equal(run(true), run(false));
});

test('shuffled receives are told out of order, and their bytes stay in the order of submission', () => {
  const options = { receiveDepth: 20, seed: 5 };
  assert.ok(transfer({ ...options, shuffle: 0.5 }).isOutOfOrder);
  assert.not.ok(transfer(options).isOutOfOrder);
});

test('split cuts receives, and sends where one is pending', () => {
  const { counters } = transfer({ split: 0.7, seed: 2 });
  assert.ok((counters.splits ?? 0) > 10);
  assert.ok((counters.partialSends ?? 0) > 0);
  const whole = transfer({ split: 0.7, sendDepth: 4, seed: 2 });
  assert.is(whole.counters.partialSends, undefined);
  assert.ok((whole.counters.segments ?? 0) > 20);
});

test('delay and bandwidth take virtual time', () => {
  const timeOf = (options: SimOptions) => {
    const { selection, server, client, serverEnd, clientEnd, settle } = connected({
      delayMs: [0, 0],
      ...options,
    });
    const { nowMs } = selection.network;
    const got = server.receive(serverEnd, 1000);
    client.send(clientEnd, counting(1000));
    settle();
    assert.is(server.result(got.token), 1000);
    return selection.network.nowMs - nowMs;
  };
  assert.is(timeOf({}), 0);
  assert.is(timeOf({ delayMs: [40, 40] }), 40);
  assert.is(timeOf({ bandwidthBytesPerMs: 10 }), 100);
});

test('the network resets connections: both sides are told', () => {
  let resets = 0;
  for (let seed = 1; seed <= 30; seed += 1) {
    const { server, client, serverEnd, clientEnd, settle, selection } = connected({
      seed,
      resetProbability: 0.2,
    });
    const there = server.receive(serverEnd, 10);
    const back = client.receive(clientEnd, 10);
    settle();
    if (selection.network.counters.resets === undefined) {
      assert.is(server.result(there.token), undefined);
      continue;
    }
    resets += 1;
    assert.is(server.result(there.token), layout.ERROR_RESET);
    assert.is(client.result(back.token), layout.ERROR_RESET);
  }
  assert.ok(resets > 0 && resets < 30);
});

test('a cancel wins where nothing comes, and may lose to bytes that are on the way', () => {
  const quiet = connected({ loseCancelProbability: 1 });
  const idle = quiet.server.receive(quiet.serverEnd, 10);
  quiet.server.driver.cancel(idle.token);
  quiet.server.driver.flush();
  quiet.settle();
  assert.is(quiet.server.result(idle.token), layout.ERROR_CANCELED);

  for (const probability of [0, 1]) {
    const { server, client, serverEnd, clientEnd, settle } = connected({
      loseCancelProbability: probability,
      delayMs: [5, 5],
      receiveDepth: 2,
    });
    const first = server.receive(serverEnd, 10);
    const second = server.receive(serverEnd, 10);
    client.send(clientEnd, counting(4));
    server.driver.cancel(first.token);
    server.driver.cancel(second.token);
    server.driver.flush();
    settle();
    assert.is(server.result(first.token), probability === 1 ? 4 : layout.ERROR_CANCELED);
    assert.is(server.result(second.token), layout.ERROR_CANCELED);
    assert.is(server.all(first.token).length, 1);
  }

  const { server, client, settle } = world({ loseCancelProbability: 1 });
  listenOn(server, { host: 'h', port: 1 });
  settle();
  const connecting = connectTo(client, { host: 'h', port: 1 });
  client.driver.cancel(connecting);
  client.driver.flush();
  settle();
  assert.ok((client.result(connecting) as number) >= 0);
});

/** Counts a loop's effort to get all bytes through with buffers chosen by the backend. */
function selecting(options: SimOptions) {
  const { server, client, serverEnd, clientEnd, selection } = connected({
    selectsBuffers: true,
    ...options,
  });
  const bytes = counting(30_000);
  let sent = 0;
  let sending = client.send(clientEnd, bytes).token;
  const received: number[] = [];
  let armed = server.receive(serverEnd, 0).token;
  let isArmed = true;
  let arms = 1;
  let withoutBuffers = 0;
  let seen = server.completed.length;
  for (let round = 0; round < 10_000 && received.length < bytes.length; round += 1) {
    selection.network.step();
    if (client.result(sending) !== undefined) {
      sent += client.result(sending) as number;
      if (sent < bytes.length) sending = client.send(clientEnd, bytes.subarray(sent)).token;
    }
    for (; seen < server.completed.length; seen += 1) {
      const { token, result, flags, buffer } = server.completed[seen] as Port['completed'][number];
      if (token !== armed) continue;
      if ((flags & layout.COMPLETION_BUFFER) !== 0) {
        received.push(...server.bufferBytes(buffer, result));
        server.free.push(buffer);
      } else {
        assert.is(result, layout.ERROR_NO_BUFFERS);
        withoutBuffers += 1;
      }
      if ((flags & layout.COMPLETION_MORE) === 0) isArmed = false;
    }
    if (!isArmed && server.free.length > 0) {
      armed = server.receive(serverEnd, 0).token;
      isArmed = true;
      arms += 1;
    }
  }
  assert.is(received.length, bytes.length);
  assert.equal(Uint8Array.from(received), bytes);
  selection.network.advance(100);
  assert.is(server.free.length, 16, 'no buffer is lost');
  return { arms, withoutBuffers, counters: selection.network.counters };
}

test('an armed receive takes buffers again and again', () => {
  const mild = selecting({});
  assert.is(mild.arms, 1);
  const cut = selecting({ split: 0.5, shuffle: 0.5 });
  assert.ok((cut.counters.splits ?? 0) > 0);
});

test('without buffers a receive ends with NO_BUFFERS, and no byte is lost', () => {
  const scarce = selecting({ bufferExhaustion: 0.5, split: 0.8 });
  assert.ok(scarce.withoutBuffers > 0);
  assert.ok((scarce.counters.exhaustions ?? 0) > 0);
  assert.ok(scarce.arms - scarce.withoutBuffers <= 1);
});

test('an armed receive may end together with a buffer', () => {
  const { arms, withoutBuffers, counters } = selecting({ disarm: 0.5 });
  assert.is(withoutBuffers, 0);
  assert.ok(arms > 1);
  assert.ok((counters.disarmed as number) - arms <= 1);
});

test('a touched lent range is found, in a receive and in a send', () => {
  const touch = (spoil: (port: Port, range: { offset: number }) => void) => {
    const { server, client, serverEnd, clientEnd, settle } = connected({ windowBytes: 100 });
    const receive = server.receive(serverEnd, 64);
    const send = client.send(clientEnd, counting(264));
    settle();
    const again = server.receive(serverEnd, 200);
    spoil(server, again);
    spoil(client, { offset: send.offset + 150 });
    assert.is(server.result(receive.token), 64);
    return () => settle();
  };
  touch(() => {})();
  const flip = (port: Port, offset: number) => {
    port.core.u8[offset] = (port.core.u8[offset] as number) ^ 1;
  };
  let calls = 0;
  assert.throws(
    touch((port, { offset }) => {
      calls += 1;
      if (calls === 1) flip(port, offset + 199);
    }),
    /range lent to receive .* was touched/,
  );
  calls = 0;
  assert.throws(
    touch((port, { offset }) => {
      calls += 1;
      if (calls === 2) flip(port, offset);
    }),
    /range lent to send .* was touched/,
  );
});

test('overlapping ranges, limits and tokens used twice are found', () => {
  const overlap = connected({ receiveDepth: 2 });
  const { offset } = overlap.server.receive(overlap.serverEnd, 64);
  overlap.server.submit((d, token) => d.receive(token, overlap.serverEnd, offset + 32, 64));
  overlap.client.send(overlap.clientEnd, counting(64));
  assert.throws(() => overlap.settle(), /was touched/);

  const deep = connected();
  deep.server.receive(deep.serverEnd, 64);
  deep.server.receive(deep.serverEnd, 64);
  assert.throws(() => deep.settle(), /receiveDepth/);

  const twice = connected();
  twice.server.driver.post(900);
  twice.server.driver.post(900);
  twice.server.driver.flush();
  assert.throws(() => twice.settle(), /token 900 is pending already/);

  const outside = connected();
  outside.server.submit((d, token) => d.receive(token, outside.serverEnd, 2 ** 22 - 1, 2));
  assert.throws(() => outside.settle(), /receive of 2 bytes at/);
});

test('an unknown handle is an error of the operation, and counted', () => {
  const { server, settle, selection } = world();
  const receive = server.receive(77, 10);
  const closed = server.close(77);
  settle();
  assert.is(server.result(receive.token), layout.ERROR_CLOSED);
  assert.is(server.result(closed), layout.ERROR_CLOSED);
  assert.is(selection.network.counters.unknownHandles, 2);
});

test('impossible options are refused by name', () => {
  assert.throws(() => sim({ receiveDepth: 0 }), /receiveDepth/);
  assert.throws(() => sim({ split: 1.5 }), /split/);
  assert.throws(() => sim({ delayMs: [3, 2] }), /delayMs/);
  assert.throws(() => sim({ sede: 3 } as SimOptions), /sede/);
});

test.run();
