import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sim } from '../../../backends/sim/index.ts';
import { Random } from '../../../backends/sim/random.ts';
import { Scheduler } from '../../../backends/sim/scheduler.ts';
import { check, fc } from '../../support/property.ts';
import { connectTo, listenOn, Port, world } from './world.ts';

test('numbers are the same everywhere', () => {
  const random = new Random(42);
  const first = [random.next(), random.next(), random.next(), random.next()];
  assert.equal(first, [660_444_221, 3_652_823_732, 77_678_286, 922_035_873]);
  assert.not.equal(new Random(43).next(), first[0]);
  assert.not.equal(new Random(42 + 2 ** 32).next(), first[0]);
});

test('numbers are spread evenly and stay in their range', () => {
  const random = new Random(1);
  const counts = new Array<number>(8).fill(0);
  for (let draw = 0; draw < 8000; draw += 1) {
    const number = random.integer(3, 10);
    counts[number - 3] = (counts[number - 3] as number) + 1;
  }
  assert.is(counts.length, 8);
  assert.ok(Math.min(...counts) > 850 && Math.max(...counts) < 1150, counts.join());
  assert.is(random.chance(0), false);
  assert.is(random.chance(1), true);
});

test('what is scheduled runs by time, then in the order in which it was scheduled', async () => {
  await check(
    fc.property(
      fc.array(fc.record({ timeMs: fc.nat(20), isOff: fc.boolean() }), { maxLength: 300 }),
      (plans) => {
        const scheduler = new Scheduler();
        const ran: { timeMs: number; index: number }[] = [];
        const scheduled = plans.map(({ timeMs }, index) =>
          scheduler.at(timeMs, () => ran.push({ timeMs, index })),
        );
        for (const [index, { isOff }] of plans.entries()) {
          if (isOff) scheduler.cancel(scheduled[index] as (typeof scheduled)[number]);
        }
        for (let next = scheduler.nextTimeMs(); next !== undefined; next = scheduler.nextTimeMs()) {
          scheduler.advance(next);
          while (scheduler.runDue());
        }
        const expected = plans
          .map(({ timeMs, isOff }, index) => ({ timeMs, index, isOff }))
          .filter(({ isOff }) => !isOff)
          .sort((a, b) => a.timeMs - b.timeMs || a.index - b.index)
          .map(({ timeMs, index }) => ({ timeMs, index }));
        assert.equal(ran, expected);
        assert.is(scheduler.pending, 0);
      },
    ),
  );
});

test('timers are virtual: a day passes at once, in order, and can be called off', async () => {
  const port = new Port(sim());
  // A timer of the simulator keeps no process alive; this one does.
  const alive = setInterval(() => {}, 1000);
  const rang: string[] = [];
  const off = port.driver.setTimer(1000, () => rang.push('off'));
  off();
  await new Promise<void>((resolve) => {
    port.driver.setTimer(86_400_000, () => {
      rang.push('day');
      resolve();
    });
    port.driver.setTimer(10, () => rang.push('ten'));
  });
  assert.equal(rang, ['ten', 'day']);
  clearInterval(alive);
  assert.is(port.driver.now(), 86_400_000);
  await port.driver.dispose();
});

test('by itself the network runs in tasks of the host, and tells each loop once a batch', async () => {
  const port = new Port(sim({ delayMs: [0, 0] }));
  for (let count = 0; count < 10; count += 1) port.driver.post(100 + count);
  port.driver.flush();
  assert.is(port.completed.length, 0);
  await Promise.resolve();
  assert.is(port.completed.length, 0, 'not in a microtask either');
  while (port.completed.length < 10) await new Promise((resolve) => setTimeout(resolve, 0));
  assert.is(port.readyCalls, 1);
  await port.driver.dispose();
});

test('wait lets virtual time pass until something is reported', async () => {
  const selection = sim({ delayMs: [5, 5] });
  const server = new Port(selection);
  const client = new Port(selection);
  listenOn(server, { host: '127.0.0.1', port: 1 });
  const token = connectTo(client, { host: '127.0.0.1', port: 1 });
  assert.is(client.driver.wait(1), true);
  assert.is(client.result(token), undefined);
  assert.is(client.driver.now(), 1);
  assert.is(client.driver.wait(1000), true);
  assert.ok((client.result(token) as number) >= 0);
  assert.is(client.driver.now(), 10);
  client.driver.wake();
  assert.is(client.driver.wait(-1), true);
  await Promise.all([server.driver.dispose(), client.driver.dispose()]);
});

test('where there is no setImmediate, as in browsers, it runs all the same', async () => {
  const host = globalThis as { setImmediate?: unknown; MessageChannel?: unknown };
  const { setImmediate, MessageChannel } = host;
  try {
    for (const missing of ['setImmediate', 'MessageChannel'] as const) {
      host[missing] = undefined;
      const port = new Port(sim());
      const token = port.submit((driver, posted) => driver.post(posted));
      assert.is(port.completed.length, 0);
      while (port.completed.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      assert.is(port.result(token), 0);
      assert.equal(await port.driver.dispose(), { operations: 0, handles: 0 });
    }
  } finally {
    host.setImmediate = setImmediate;
    host.MessageChannel = MessageChannel;
  }
});

test('wake makes ready come though nothing was reported', () => {
  const { server, settle } = world();
  server.driver.wake();
  assert.is(server.readyCalls, 0);
  settle();
  assert.is(server.readyCalls, 1);
});

test('an exception in one loop does not keep the others from theirs', () => {
  const { server, client, settle, selection } = world();
  server.driver.attach(() => {
    throw new Error('of the loop');
  });
  server.submit((driver, token) => driver.post(token));
  const token = client.submit((driver, posted) => driver.post(posted));
  assert.throws(() => selection.network.step(), /of the loop/);
  settle();
  assert.is(client.result(token), 0);
  assert.is(client.readyCalls, 1);
});

test('networks are apart unless made from one selection', () => {
  const one = world();
  const other = world();
  listenOn(one.server, { host: '127.0.0.1', port: 80 });
  one.settle();
  const reached = connectTo(one.client, { host: 'localhost', port: 80 });
  const missed = connectTo(other.client, { host: 'localhost', port: 80 });
  one.settle();
  other.settle();
  assert.ok((one.client.result(reached) as number) >= 0);
  assert.ok((other.client.result(missed) as number) < 0);
});

test.run();
