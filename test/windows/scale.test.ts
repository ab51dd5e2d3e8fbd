/** Many connections at once, by the default options: all are served, and nothing is left of them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { iocp } from '../../backends/iocp/index.ts';
import { type Deferred, deferred } from '../../src/deferred.ts';
import { type Connection, connect, lengthField, line, listen, openPort } from '../../src/index.ts';

const CONNECTIONS = 2_000;
/** Connects under way at once: below the length of the listener's queue. */
const AT_ONCE = 200;

const test = suite('many connections');

const NOTHING_LEFT = { operations: 0, handles: 0, lent: 0, buffers: 0, connections: 0 };
const NOTHING_OPEN = { socketsOpen: 0, handlesOpen: 0, acceptsPending: 0 };

function openOf({ socketsOpen, handlesOpen, acceptsPending }: Readonly<Record<string, number>>) {
  return { socketsOpen, handlesOpen, acceptsPending };
}

/** Reaches its promise after `count` calls. */
function countdown(count: number): Deferred<void> & { down(): void } {
  const all = deferred();
  let left = count;
  const down = () => {
    if (--left === 0) all.resolve();
  };
  return Object.assign(all, { down });
}

for (const side of ['the clients', 'the server'] as const) {
  test(`${CONNECTIONS} connections, closed by ${side}`, async () => {
    const port = await openPort({ backend: iocp() });
    const errors: string[] = [];
    const error = (_connection: Connection, { code }: { code: string }) => errors.push(code);
    const answered = countdown(CONNECTIONS);
    const closed = countdown(2 * CONNECTIONS);
    const server = await listen({
      on: port,
      host: '127.0.0.1',
      port: 0,
      framing: line(),
      message: (connection, message) => void connection.send(message),
      error,
      close: closed.down,
    });
    const clients: Connection[] = [];
    const to = { on: port, host: '127.0.0.1', port: server.address.port, framing: line() };
    while (clients.length < CONNECTIONS) {
      const batch = Array.from({ length: AT_ONCE }, () =>
        connect({ ...to, message: answered.down, error, close: closed.down }),
      );
      clients.push(...(await Promise.all(batch)));
    }
    for (const client of clients) client.send('all at once');
    await answered.promise;
    assert.is(server.connections, CONNECTIONS);
    assert.is(port.statistics().connections, 2 * CONNECTIONS + 1);
    // A listening socket, both ends of each connection, and those that wait to be accepted.
    const { socketsOpen, acceptsPending } = port.statistics().backend;
    assert.is(socketsOpen, 1 + 2 * CONNECTIONS + Number(acceptsPending));

    if (side === 'the clients') await Promise.all(clients.map((client) => client.close()));
    else await server.close();
    await closed.promise;
    assert.equal(errors, []);
    if (side === 'the clients') {
      // The listener goes on; nothing else is there.
      const { connections, buffersInUse, backend } = port.statistics();
      assert.equal([connections, buffersInUse, backend.handlesOpen], [1, 0, 1]);
    }
    assert.equal(await port.close(), NOTHING_LEFT);
    assert.equal(openOf(port.statistics().backend), NOTHING_OPEN);
  });
}

test('20 receives pending on each of 50 connections', async () => {
  const [connections, depth, messages] = [50, 20, 200];
  const port = await openPort({ backend: iocp(), receiveBufferBytes: 1024, receiveBuffers: 4096 });
  const framing = lengthField({ size: 2 });
  const server = await listen({
    on: port,
    host: '127.0.0.1',
    port: 0,
    framing,
    receiveDepth: depth,
    messages(batch) {
      for (let index = 0; index < batch.length; index++) batch.echo(index);
    },
  });
  const to = { on: port, host: '127.0.0.1', port: server.address.port, framing };
  const all = countdown(connections * messages);
  const wrong: number[] = [];
  const clients = await Promise.all(
    Array.from({ length: connections }, () => {
      let next = 0;
      return connect({
        ...to,
        receiveDepth: depth,
        message(_connection, message) {
          const sequence = new DataView(message.buffer, message.byteOffset).getUint32(0);
          if (sequence !== next++) wrong.push(sequence);
          all.down();
        },
      });
    }),
  );
  for (let tries = 0; server.connections < connections && tries < 3000; tries++) await sleep(10);
  // Each of them has its buffer: none is a probe, none waits for another.
  assert.is(port.statistics().buffersInUse, 2 * connections * depth);
  for (const client of clients) {
    for (let sequence = 0; sequence < messages; sequence++) {
      // Some fill several receives, most share one.
      const message = new Uint8Array(4 + ((sequence * 97) % 3000));
      new DataView(message.buffer).setUint32(0, sequence);
      client.send(message);
    }
  }
  await all.promise;
  assert.equal(wrong, []);
  assert.equal(await port.close(), NOTHING_LEFT);
  assert.equal(openOf(port.statistics().backend), NOTHING_OPEN);
});

test.run();
