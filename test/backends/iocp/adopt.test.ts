/** Sockets that one driver accepts and another one opens. */
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { COMPLETION_MORE, ERROR_CANCELED, ERROR_RESET } from '#generated/layout';
import type { AcceptedSocket, SocketAddress } from '../../../backends/backend.ts';
import { iocp, reclaim } from '../../../backends/iocp/index.ts';
import { type Operation, Rig } from '../../support/backend-host.ts';
import { Reader } from '../../support/streams.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };
const MEMORY = { memoryBytes: 96 << 20 };
const test = suite('iocp, sockets handed over');

/** A driver that accepts, one that adopts, and what goes between them. */
interface Pair {
  readonly from: Rig;
  readonly to: Rig;
  readonly listener: number;
  readonly adopter: number;
  /** Accepted, and given to nobody yet. */
  readonly accepted: AcceptedSocket[];
  /** Whether the function takes what is handed over. */
  takes: boolean;
  /** Adopted ones that are closed. */
  closed: number;
  /** A client that is connected. */
  connect(): Promise<number>;
  /** Until so many were accepted. */
  untilAccepted(count: number): Promise<void>;
}

async function until(holds: () => boolean): Promise<void> {
  for (let look = 0; !holds(); look++) {
    if (look > 4000) throw new Error(`not within time: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const resultOf = async ({ final }: Operation) => (await final).result;

function add(title: string, work: (pair: Pair) => Promise<void>): void {
  if (process.platform !== 'win32') return;
  test(title, async () => {
    const from = await Rig.open(iocp({ acceptDepth: 4 }), MEMORY);
    const to = await Rig.open(iocp(), { ...MEMORY, shared: true });
    const accepted: AcceptedSocket[] = [];
    const state = { takes: true, closed: 0 };
    try {
      const listener = await resultOf(
        from.listen(LOOPBACK, {
          handOver(socket) {
            if (state.takes) accepted.push(socket);
            return state.takes;
          },
        }),
      );
      const address = from.driver.localAddress(listener) as SocketAddress;
      const adopter = await resultOf(
        to.listen(LOOPBACK, { adopts: { address, closed: () => void state.closed++ } }),
      );
      await work(
        Object.assign(state, {
          ...{ from, to, listener, adopter, accepted },
          connect: () => resultOf(from.connect({ host: '127.0.0.1', port: address.port })),
          untilAccepted: (count: number) => until(() => accepted.length === count),
        }),
      );
    } finally {
      for (const rig of [to, from]) await rig.dispose();
    }
    for (const { driver } of [to, from]) {
      const { socketsOpen, handlesOpen, acceptsPending } = driver.counters();
      assert.equal([socketsOpen, handlesOpen, acceptsPending], [0, 0, 0]);
    }
  });
}

add('bytes go both ways, by the other driver', async (pair) => {
  const { from, to, listener, adopter, accepted } = pair;
  assert.equal(to.driver.localAddress(adopter), from.driver.localAddress(listener));
  from.accept(listener);
  const accept = to.accept(adopter);
  const client = await pair.connect();
  await pair.untilAccepted(1);
  const [socket] = accepted as [AcceptedSocket];
  to.driver.adopt?.(adopter, socket);
  assert.is(accept.seen.length, 0, 'nothing completes in the call');
  const { result: server, flags } = await accept.next();
  assert.is(flags, COMPLETION_MORE);
  assert.equal(to.driver.remoteAddress(server), from.driver.localAddress(client));
  assert.equal(to.driver.localAddress(server), from.driver.localAddress(listener));
  from.send(client, 'ping');
  assert.is(await new Reader(to, server).readText(4), 'ping');
  to.send(server, 'pong!');
  assert.is(await new Reader(from, client).readText(5), 'pong!');
  assert.is(pair.closed, 0);
  assert.is(await resultOf(to.close(server, false)), 0);
  assert.is(pair.closed, 1);
  from.close(client, true);
});

add(
  'what is adopted before there is an accept waits for one, more than a pass takes',
  async (pair) => {
    const { from, to, listener, adopter, accepted } = pair;
    from.accept(listener);
    const clients = await Promise.all(Array.from({ length: 40 }, () => pair.connect()));
    await pair.untilAccepted(40);
    for (const socket of accepted) to.driver.adopt?.(adopter, socket);
    const accept = to.accept(adopter);
    const handles = new Set<number>();
    for (let i = 0; i < 40; i++) handles.add((await accept.next()).result);
    assert.is(handles.size, 40);
    to.driver.cancel(accept.token);
    assert.is(await resultOf(accept), ERROR_CANCELED);
    for (const client of clients) from.close(client, true);
    for (const handle of handles) to.close(handle, true);
  },
);

add('what waits as the listener closes, or comes after that, is reset', async (pair) => {
  const { from, to, listener, adopter, accepted } = pair;
  from.accept(listener);
  const clients = [await pair.connect(), await pair.connect()];
  await pair.untilAccepted(2);
  to.driver.adopt?.(adopter, accepted[0] as AcceptedSocket);
  assert.is(await resultOf(to.close(adopter, false)), 0);
  to.driver.adopt?.(adopter, accepted[1] as AcceptedSocket);
  for (const client of clients) {
    assert.is((await new Reader(from, client).ended).result, ERROR_RESET);
    from.close(client, true);
  }
  assert.is(pair.closed, 1, 'the second one was never its own');
});

add('what nobody takes is kept, the others wait in the queue, and none is lost', async (pair) => {
  const { from, to, listener, adopter, accepted } = pair;
  from.accept(listener);
  pair.takes = false;
  const clients = await Promise.all(Array.from({ length: 12 }, () => pair.connect()));
  // The accepts that were pending, and no new ones.
  await until(() => from.driver.counters().acceptsPending === 0);
  assert.is(from.driver.counters().acceptCalls, 4);
  from.driver.offer?.(listener);
  assert.is(from.driver.counters().acceptCalls, 4);
  pair.takes = true;
  from.driver.offer?.(listener);
  await pair.untilAccepted(12);
  const accept = to.accept(adopter);
  for (const socket of accepted) to.driver.adopt?.(adopter, socket);
  for (let i = 0; i < 12; i++) to.close((await accept.next()).result, true);
  for (const client of clients) from.close(client, true);
});

add('what nobody has taken is reset with the listener', async (pair) => {
  const { from, listener } = pair;
  pair.takes = false;
  from.accept(listener);
  const client = await pair.connect();
  await until(() => from.driver.counters().acceptsPending < 4);
  from.close(listener, false);
  assert.is((await new Reader(from, client).ended).result, ERROR_RESET);
  from.close(client, true);
});

/** Never disposed of, as a thread that is killed: only what others can reach is closed. */
if (process.platform === 'win32') {
  test('of a driver that is no more, everything is closed, and what was on its way', async () => {
    const from = await Rig.open(iocp(), MEMORY);
    const dead = await Rig.open(iocp(), { ...MEMORY, shared: true, worker: true });
    const accepted: AcceptedSocket[] = [];
    const opening = from.listen(LOOPBACK, { handOver: (socket) => accepted.push(socket) > 0 });
    const listener = await resultOf(opening);
    const address = from.driver.localAddress(listener) as SocketAddress;
    from.accept(listener);
    const adopting = dead.listen(LOOPBACK, { adopts: { address, closed() {} } });
    dead.wait(0);
    const adopter = await resultOf(adopting);
    const clients: number[] = [];
    for (let i = 0; i < 4; i++) {
      clients.push(await resultOf(from.connect({ host: '127.0.0.1', port: address.port })));
    }
    await until(() => accepted.length === 4);
    const accept = dead.accept(adopter);
    for (const socket of accepted.slice(0, 3)) dead.driver.adopt?.(adopter, socket);
    dead.wait(0);
    const [first, second] = [await accept.next(), await accept.next()];
    // One waits for bytes, one for nothing, one is closed already, and one is on its way.
    for (let depth = 0; depth < 4; depth++) dead.receive(first.result);
    const third = await accept.next();
    dead.close(third.result, false);
    dead.wait(0);
    assert.is((await new Reader(from, clients[2] as number).ended).result, 0);
    assert.is(second.result >= 0, true);
    // The second was adopted, and that is not known to the one that handed it over.
    const underWay = [accepted[1], accepted[3]].map((one) => (one as AcceptedSocket).socket);
    await reclaim(dead.host.core.memory, dead.driver.remains, underWay);
    for (const client of [clients[0], clients[1], clients[3]]) {
      assert.is((await new Reader(from, client as number).ended).result, ERROR_RESET);
    }
    for (const client of clients) from.close(client, true);
    await from.dispose();
  });
}

test.run();
