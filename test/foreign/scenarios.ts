/**
 * What programs on completion ports get wrong again and again, at the level of the contract: a
 * completion taken for another one's, completions after a close, a zero that is not the end, an
 * end that was none. With as many operations pending as the backend allows.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR_BROKEN_PIPE, ERROR_CANCELED, ERROR_RESET } from '#generated/layout';
import type { BackendSelection, Endpoint } from '../../backends/backend.ts';
import { type Operation, Rig } from '../support/backend-host.ts';
import { openPair, pattern, Reader } from '../support/streams.ts';

export interface ScenarioOptions {
  /** A new endpoint to listen on, for each call. */
  endpoint(): Endpoint;
  /** Closing with `reset` reaches the peer as a reset. */
  readonly resets: boolean;
}

/** More than any backend needs: the loop asks for 20. */
const MOST_DEPTH = 20;
const EACH_WAY_BYTES = 60_000;
/** A few of these are more than a connection's buffers hold. */
const STUCK_BYTES = 12 << 20;
const PASSES_OF_SILENCE = 50;

function depths(rig: Rig): { receives: number; sends: number } {
  const { receiveDepth, sendDepth, selectsBuffers } = rig.driver.limits;
  const receives = selectsBuffers ? 1 : Math.min(receiveDepth, MOST_DEPTH);
  return { receives, sends: Math.min(sendDepth, MOST_DEPTH) };
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** Reads `length` bytes with as many receives pending as there may be; they end with what they got in excess: nothing. */
async function readDeep(rig: Rig, handle: number, length: number): Promise<Uint8Array> {
  if (rig.driver.limits.selectsBuffers) return await new Reader(rig, handle).read(length);
  const { receives } = depths(rig);
  const whole = new Uint8Array(length);
  const pending: Operation[] = [];
  let received = 0;
  for (let number = 0; received < length; ) {
    // Even lengths here and odd ones there: a result that changed sides would not fit.
    while (pending.length < receives) pending.push(rig.receive(handle, 200 + 62 * (number++ % 31)));
    // In the order of their submission, whatever the order of their completion.
    const { result, bytes } = await (pending.shift() as Operation).final;
    assert.ok(result > 0 && bytes?.length === result, `a receive completed with ${result}`);
    whole.set(bytes, received);
    received += result;
  }
  return whole;
}

/** Sends all of it in odd pieces, as many at once as there may be. */
async function writeDeep(rig: Rig, handle: number, bytes: Uint8Array): Promise<void> {
  const { sends } = depths(rig);
  const pending: Operation[] = [];
  let at = 0;
  for (let number = 0; at < bytes.length || pending.length > 0; ) {
    while (at < bytes.length && pending.length < sends) {
      const piece = bytes.subarray(at, at + 1 + 2 * ((number++ * 7919) % 700));
      pending.push(rig.send(handle, piece));
      at += piece.length;
    }
    const send = pending.shift() as Operation;
    const { result } = await send.final;
    assert.ok(result > 0 && result <= send.length, `a send completed with ${result}`);
    // Only a backend with one send in flight may take a part of it.
    if (sends > 1) assert.is(result, send.length);
    else at -= send.length - result;
  }
}

/** Fills both directions of one side with operations that cannot complete. */
async function fill(rig: Rig, handle: number): Promise<Operation[]> {
  const { receives, sends } = depths(rig);
  const bytes = pattern(Math.min(STUCK_BYTES, rig.driver.limits.maxTransferBytes));
  const pending = [
    ...Array.from({ length: receives }, () => rig.receive(handle, 512)),
    // Two of them are stuck for certain where more than one may be pending.
    ...Array.from({ length: Math.min(sends, 2) }, () => rig.send(handle, bytes)),
  ];
  for (let turn = 0; turn < 20; turn += 1) await rig.post().final;
  return pending;
}

/** After the last completion nothing more comes, and what is opened next hears nothing of before. */
async function checkSilence(rig: Rig, endpoint: Endpoint, all: readonly Operation[]) {
  const counts = all.map(({ seen }) => seen.length);
  for (let turn = 0; turn < PASSES_OF_SILENCE; turn += 1) await rig.post().final;
  assert.equal(
    all.map(({ seen }) => seen.length),
    counts,
    'silence',
  );
  for (const { seen, kind } of all) {
    const finals = seen.filter(({ final }) => final).length;
    assert.is(finals, 1, kind);
  }
  const next = await openPair(rig, endpoint);
  const reader = new Reader(rig, next.server);
  assert.is((await rig.send(next.client, 'fresh').final).result, 5);
  assert.is(await reader.readText(5), 'fresh');
  assert.is(reader.length, 5);
}

/** Registers the scenarios for one backend. */
export function scenarioSuite<Options>(
  name: string,
  makeSelection: () => BackendSelection<Options>,
  { endpoint, resets }: ScenarioOptions,
): void {
  const test = suite(name);
  const add = (title: string, work: (rig: Rig) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      const rig = await Rig.open(makeSelection(), { memoryBytes: 192 << 20, buffers: 64 });
      try {
        await work(rig);
      } catch (error) {
        await rig.dispose().catch(() => undefined);
        throw error;
      }
      // Throws where a rule was broken: a token twice, a range touched, something left.
      await rig.dispose();
    });
  };

  add(
    'a read’s completion is never taken for a write’s, with both pending in numbers',
    async (rig) => {
      const { client, server } = await openPair(rig, endpoint());
      const up = pattern(EACH_WAY_BYTES, 3);
      const down = pattern(EACH_WAY_BYTES + 1, 5);
      const [atServer, atClient] = await Promise.all([
        readDeep(rig, server, up.length),
        readDeep(rig, client, down.length),
        writeDeep(rig, client, up),
        writeDeep(rig, server, down),
      ]);
      assert.ok(isEqual(atServer, up), 'up');
      assert.ok(isEqual(atClient, down), 'down');
    },
  );

  for (const reset of [false, true]) {
    const way = reset ? 'a reset' : 'a close';
    add(`${way} with everything pending: each completes once, then silence`, async (rig) => {
      const { client } = await openPair(rig, endpoint());
      const pending = await fill(rig, client);
      const order: string[] = [];
      for (const each of pending) void each.final.then(() => order.push(each.kind));
      const close = rig.close(client, reset);
      void close.final.then(() => order.push('close'));
      assert.is((await close.final).result, 0);
      assert.is(order.length, pending.length + 1, 'all have completed before the close');
      assert.is(order.at(-1), 'close');
      for (const { kind, final } of pending) {
        const { result } = await final;
        const isPart = kind === 'send' && result > 0;
        assert.ok(result === ERROR_CANCELED || isPart, `${kind}: ${result}`);
      }
      await checkSilence(rig, endpoint(), [...pending, close]);
    });
  }

  add('both sides close at once with everything pending, and nothing comes twice', async (rig) => {
    const { client, server } = await openPair(rig, endpoint());
    const pending = [...(await fill(rig, client)), ...(await fill(rig, server))];
    const closes = [rig.close(client), rig.close(server)];
    for (const { final } of closes) assert.is((await final).result, 0);
    for (const { kind, done } of pending) assert.ok(done, kind);
    await checkSilence(rig, endpoint(), [...pending, ...closes]);
  });

  add('zero is the end: every pending receive gets it, behind the bytes', async (rig) => {
    const { client, server } = await openPair(rig, endpoint());
    const { receives } = depths(rig);
    const bytes = pattern(700, 9);
    const pending = Array.from({ length: Math.max(receives, 1) }, () => rig.receive(server, 4096));
    await rig.post().final;
    assert.is((await rig.send(client, bytes).final).result, bytes.length);
    assert.is((await rig.shutdown(client).final).result, 0);
    let received = 0;
    let isOver = false;
    for (const operation of pending) {
      const { result } = await operation.final;
      for (const each of operation.seen) {
        if (each.bytes === undefined) continue;
        assert.not(isOver, 'bytes behind the end');
        const right = bytes.subarray(received, received + each.bytes.length);
        assert.ok(isEqual(each.bytes, right));
        received += each.bytes.length;
      }
      assert.ok(result >= 0, `${result}`);
      if (result === 0) isOver = true;
    }
    if (!isOver) {
      // As many pieces as there were receives.
      assert.is((await rig.receive(server).final).result, 0);
    }
    assert.is(received, bytes.length);
    // The other direction lives.
    assert.is((await rig.send(server, 'still here').final).result, 10);
  });

  if (resets) {
    add('a reset fails everything that is pending, and nothing of it is an end', async (rig) => {
      const { client, server } = await openPair(rig, endpoint());
      const pending = await fill(rig, server);
      assert.is((await rig.close(client, true).final).result, 0);
      for (const { kind, final } of pending) {
        const { result, systemError } = await final;
        if (kind === 'receive') assert.is(result, ERROR_RESET);
        else
          assert.ok([ERROR_RESET, ERROR_BROKEN_PIPE].includes(result) || result > 0, `${result}`);
        if (systemError > 0) assert.type(rig.driver.systemErrorName(systemError), 'string');
      }
      assert.is((await rig.close(server).final).result, 0);
    });
  }

  test.run();
}
