/** What a connection tells its program when the peer and the program act at the same moment. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import { type Connection, fixed, listen, OverlappedError } from '../../src/index.ts';
import { FakeBackend } from '../support/fake-driver.ts';

const FOUR = new Uint8Array([1, 2, 3, 4]);

function twice(bytes: Uint8Array): Uint8Array {
  const both = new Uint8Array(2 * bytes.length);
  both.set(bytes);
  both.set(bytes, bytes.length);
  return both;
}

test('a handler that replies to a peer that has reset meanwhile is not thrown at', async () => {
  const fake = new FakeBackend();
  const seen: string[] = [];
  await listen({
    backend: fake.selection,
    framing: fixed(4),
    message(connection, bytes) {
      seen.push(`message ${connection.sendConnected} ${connection.send(bytes)}`);
    },
    error: (_, error) => seen.push(`error ${error.code}`),
    close: (_, error) => seen.push(`close ${error?.code}`),
  });
  fake.accept(7);
  fake.ready();
  fake.arrive(7, twice(FOUR));
  fake.endReceive(7, layout.ERROR_RESET);
  fake.ready();
  fake.finishCloses();
  assert.equal(seen, ['message false false', 'message false false', 'error RESET', 'close RESET']);
  assert.is(fake.sends.length, 0);
});

test('replies of a batch to a peer that has reset meanwhile are not thrown at it either', async () => {
  const fake = new FakeBackend();
  const seen: string[] = [];
  await listen({
    backend: fake.selection,
    framing: fixed(4),
    messages(batch) {
      for (let i = 0; i < batch.length; i++) batch.echo(i);
      seen.push(`batch of ${batch.length}`);
    },
    error: (_, error) => seen.push(`error ${error.code}`),
    close: (_, error) => seen.push(`close ${error?.code}`),
  });
  fake.accept(7);
  fake.ready();
  fake.arrive(7, twice(FOUR));
  fake.endReceive(7, layout.ERROR_RESET);
  fake.ready();
  fake.finishCloses();
  assert.equal(seen, ['batch of 2', 'error RESET', 'close RESET']);
});

test('after its own end, and after close, a send throws CLOSED', async () => {
  const fake = new FakeBackend();
  let connection: Connection | undefined;
  await listen({
    backend: fake.selection,
    open: (opened) => {
      connection = opened;
    },
    message() {},
  });
  fake.accept(7);
  fake.ready();
  const peer = connection as Connection;
  const closed = (error: Error) => error instanceof OverlappedError && error.code === 'CLOSED';
  assert.ok(peer.send(FOUR));
  peer.end();
  assert.throws(() => peer.send(FOUR), closed);
  peer.abort();
  await Promise.resolve();
  fake.finishCloses();
  await peer.closed;
  assert.throws(() => peer.send(FOUR), closed);
});

test('a handler that throws surfaces, and the connection goes on', async () => {
  const fake = new FakeBackend();
  let calls = 0;
  await listen({
    backend: fake.selection,
    framing: fixed(4),
    message() {
      calls++;
      if (calls === 1) throw new Error('of the handler');
    },
  });
  const surfaced: unknown[] = [];
  const original = globalThis.queueMicrotask;
  globalThis.queueMicrotask = (work) => {
    try {
      work();
    } catch (error) {
      surfaced.push(error);
    }
  };
  try {
    fake.accept(7);
    fake.ready();
    fake.arrive(7, twice(FOUR));
    fake.ready();
  } finally {
    globalThis.queueMicrotask = original;
  }
  assert.is(calls, 2);
  assert.is((surfaced[0] as Error).message, 'of the handler');
});

test('the first messages of a connection wait for an iterator that starts later', async () => {
  const fake = new FakeBackend();
  let connection: Connection | undefined;
  await listen({
    backend: fake.selection,
    framing: fixed(4),
    open: (opened) => {
      connection = opened;
    },
  });
  fake.accept(7);
  fake.ready();
  fake.arrive(7, twice(FOUR));
  fake.endReceive(7, 0);
  fake.ready();
  await Promise.resolve();
  const got: number[][] = [];
  for await (const message of connection as Connection) got.push([...message]);
  assert.equal(got, [
    [1, 2, 3, 4],
    [1, 2, 3, 4],
  ]);
});

test('time limits are looked at as often as the shortest one needs, however long it goes on', async () => {
  const fake = new FakeBackend();
  await listen({
    backend: fake.selection,
    framing: fixed(4),
    idleTimeoutMs: 1600,
    message() {},
  });
  fake.accept(7);
  fake.ready();
  for (let look = 0; look < 5; look++) fake.timers.at(-1)?.();
  assert.equal(fake.delaysMs, Array(6).fill(200));
});

test.run();
