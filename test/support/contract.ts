/**
 * Cases that every backend must pass, at the level of the contract. A backend's
 * tests call `contractSuite` once for each kind of endpoint it serves.
 */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ERROR_ADDRESS_IN_USE,
  ERROR_BROKEN_PIPE,
  ERROR_CANCELED,
  ERROR_CLOSED,
  ERROR_NO_BUFFERS,
  ERROR_REFUSED,
  ERROR_RESET,
} from '#generated/layout';
import type { BackendSelection, Endpoint } from '../../backends/backend.ts';
import { type Operation, Rig, type RigOptions } from './backend-host.ts';
import { openPair, pattern, Reader, reach, sendAll } from './streams.ts';

export interface ContractOptions {
  /** A new endpoint to listen on, for each call. */
  endpoint(): Endpoint;
  /** One that nobody listens on; null where none can be told. */
  unused(): Endpoint | null;
  /** Closing with `reset` reaches the peer as a reset, also with nothing unread. Unix sockets cannot. */
  readonly resets: boolean;
  /** Cases, by name, that cannot be shown there; the reason stands where they are named. */
  readonly leavesOut?: readonly string[];
}

async function refusesToServe(rig: Rig, work: (rig: Rig) => Promise<void>): Promise<void> {
  try {
    await work(rig);
  } catch (error) {
    await rig.dispose().catch(() => undefined);
    throw error;
  }
  await rig.dispose();
}

const results = (operations: readonly Operation[]): Promise<number[]> =>
  Promise.all(operations.map(async ({ final }) => (await final).result));

/** Registers the stream cases for one backend and kind of endpoint. */
export function contractSuite<Options>(
  name: string,
  makeSelection: () => BackendSelection<Options>,
  options: ContractOptions,
): void {
  const { resets, leavesOut = [] } = options;
  const test = suite(name);
  const add = (
    title: string,
    work: (rig: Rig) => Promise<void>,
    rigOptions: RigOptions = {},
  ): void => {
    if (leavesOut.includes(title)) return;
    test(title, async () => {
      await refusesToServe(await Rig.open(makeSelection(), rigOptions), work);
    });
  };

  add('bytes go both ways', async (rig) => {
    const { client, server } = await openPair(rig, options.endpoint());
    const atServer = new Reader(rig, server);
    const atClient = new Reader(rig, client);
    assert.is((await rig.send(client, 'ping').final).result, 4);
    assert.is(await atServer.readText(4), 'ping');
    assert.is((await rig.send(server, 'pong!').final).result, 5);
    assert.is(await atClient.readText(5), 'pong!');
  });

  add('a post completes with nothing', async (rig) => {
    const operations = [rig.post(), rig.post()];
    assert.equal(await results(operations), [0, 0]);
  });

  add('sends of one turn keep their order', async (rig) => {
    const { client, server } = await openPair(rig, options.endpoint());
    const reader = new Reader(rig, server);
    const depth = rig.driver.limits.sendDepth;
    let expected = '';
    for (let round = 0; round < 20; round++) {
      const sends: Operation[] = [];
      for (let index = 0; index < Math.min(depth, 8); index++) {
        const text = `<${round}.${index}>`;
        expected += text;
        sends.push(rig.send(client, text));
      }
      for (const { result } of await Promise.all(sends.map(({ final }) => final))) {
        assert.ok(result > 0);
      }
    }
    assert.is(await reader.readText(expected.length), expected);
  });

  for (const shared of [false, true]) {
    const title = `megabytes both ways at once arrive whole${shared ? ', in shared memory' : ''}`;
    add(
      title,
      async (rig) => {
        const { client, server } = await openPair(rig, options.endpoint());
        const atServer = new Reader(rig, server);
        const atClient = new Reader(rig, client);
        const up = pattern(2_000_003, 3);
        const down = pattern(1_500_001, 5);
        const sent = await Promise.all([sendAll(rig, client, up), sendAll(rig, server, down)]);
        assert.equal(sent, [up.length, down.length]);
        assert.ok(same(await atServer.read(up.length), up), 'up');
        assert.ok(same(await atClient.read(down.length), down), 'down');
      },
      { shared },
    );
  }

  add(
    'a chunk larger than a buffer fills several',
    async (rig) => {
      const { client, server } = await openPair(rig, options.endpoint());
      const reader = new Reader(rig, server);
      const bytes = pattern(10_000);
      assert.is(await sendAll(rig, client, bytes), bytes.length);
      assert.ok(same(await reader.read(bytes.length), bytes));
    },
    { bufferBytes: 64, buffers: 1000 },
  );

  add(
    'without buffers a receive ends, and no byte is lost',
    async (rig) => {
      if (!rig.driver.limits.selectsBuffers) return;
      const { client, server } = await openPair(rig, options.endpoint());
      rig.holdBuffers = true;
      const bytes = pattern(50_000);
      const sending = sendAll(rig, client, bytes);
      const starved = rig.receive(server);
      assert.is((await starved.final).result, ERROR_NO_BUFFERS);
      assert.is(rig.held.length, 4);
      const first = starved.seen.flatMap((completion) => [...(completion.bytes ?? [])]);
      assert.is(
        first.length,
        starved.seen.filter(({ bytes }) => bytes !== undefined).length * 100 - (400 - first.length),
      );
      rig.releaseHeld();
      const reader = new Reader(rig, server);
      const rest = await reader.read(bytes.length - first.length);
      assert.ok(same(Uint8Array.from([...first, ...rest]), bytes));
      assert.is(await sending, bytes.length);
    },
    { bufferBytes: 100, buffers: 4 },
  );

  add(
    'an unread connection holds its sender back',
    async (rig) => {
      const { client, server } = await openPair(rig, options.endpoint());
      const bytes = pattern(16 << 20);
      const sending = sendAll(rig, client, bytes);
      let sent = false;
      void sending.then(() => {
        sent = true;
      });
      for (let turn = 0; turn < 200; turn++) await rig.post().final;
      assert.not(sent);
      const reader = new Reader(rig, server);
      assert.ok(same(await reader.read(bytes.length), bytes));
      assert.is(await sending, bytes.length);
    },
    { memoryBytes: 96 << 20, bufferBytes: 65536, buffers: 16 },
  );

  add('each side ends on its own, the client first', async (rig) => {
    const { client, server } = await openPair(rig, options.endpoint());
    const atServer = new Reader(rig, server);
    const atClient = new Reader(rig, client);
    rig.send(client, 'last words');
    assert.is((await rig.shutdown(client).final).result, 0);
    assert.is((await atServer.ended).result, 0);
    assert.is(await atServer.readText(10), 'last words');
    assert.is((await rig.send(server, 'still here').final).result, 10);
    assert.is(await atClient.readText(10), 'still here');
    assert.is((await rig.send(client, 'too late').final).result, ERROR_BROKEN_PIPE);
    assert.is((await rig.shutdown(server).final).result, 0);
    assert.is((await atClient.ended).result, 0);
    assert.equal(await results([rig.close(client), rig.close(server)]), [0, 0]);
  });

  add('each side ends on its own, the server first', async (rig) => {
    const { client, server } = await openPair(rig, options.endpoint());
    const atServer = new Reader(rig, server);
    const atClient = new Reader(rig, client);
    assert.is((await rig.shutdown(server).final).result, 0);
    assert.is((await atClient.ended).result, 0);
    assert.is((await rig.send(client, 'reply').final).result, 5);
    assert.is(await atServer.readText(5), 'reply');
    assert.is((await rig.close(client).final).result, 0);
    assert.is((await atServer.ended).result, 0);
  });

  add('a close ends the stream for the peer, after what was sent', async (rig) => {
    const { client, server } = await openPair(rig, options.endpoint());
    const atServer = new Reader(rig, server);
    const bytes = pattern(30_000);
    assert.is(await sendAll(rig, client, bytes), bytes.length);
    assert.is((await rig.close(client).final).result, 0);
    assert.is((await atServer.ended).result, 0);
    assert.ok(same(await atServer.read(bytes.length), bytes));
  });

  for (const from of ['client', 'server'] as const) {
    if (!resets) continue;
    add(`a reset by the ${from} is not an end`, async (rig) => {
      const pair = await openPair(rig, options.endpoint());
      const [near, far] =
        from === 'client' ? [pair.client, pair.server] : [pair.server, pair.client];
      const reader = new Reader(rig, far);
      rig.send(near, 'x');
      await reader.read(1);
      assert.is((await rig.close(near, true).final).result, 0);
      const { result, systemError } = await reader.ended;
      assert.is(result, ERROR_RESET);
      assert.ok(systemError >= 0);
      const { result: sent } = await rig.send(far, 'anyone?').final;
      assert.ok(sent === ERROR_RESET || sent === ERROR_BROKEN_PIPE, `send: ${sent}`);
      assert.is((await rig.close(far).final).result, 0);
    });
  }

  add('a peer that goes away with bytes unread is a reset', async (rig) => {
    const { client, server } = await openPair(rig, options.endpoint());
    const reader = new Reader(rig, server);
    assert.is((await rig.send(server, 'never read').final).result, 10);
    await rig.post().final;
    assert.is((await rig.close(client, true).final).result, 0);
    assert.is((await reader.ended).result, ERROR_RESET);
  });

  add('a close cancels what is pending and comes last', async (rig) => {
    const { client, server } = await openPair(rig, options.endpoint());
    const order: string[] = [];
    const note = (operation: Operation): Operation => {
      void operation.final.then(() => order.push(operation.kind));
      return operation;
    };
    const receive = note(rig.receive(client));
    await rig.post().final;
    const close = note(rig.close(client, true));
    assert.is((await receive.final).result, ERROR_CANCELED);
    assert.is((await close.final).result, 0);
    assert.equal(order, ['receive', 'close']);
    await rig.close(server).final;
  });

  for (const reset of [false, true]) {
    add(`a close${reset ? ' with reset' : ''} gives back a send that is stuck`, async (rig) => {
      const { client, server } = await openPair(rig, options.endpoint());
      const stuck = rig.send(client, pattern(16 << 20));
      for (let turn = 0; turn < 20; turn++) await rig.post().final;
      const close = rig.close(client, reset);
      const { result } = await stuck.final;
      // A backend may take a part of it: then the part is what was sent.
      assert.ok(result === ERROR_CANCELED || result > 0, `send: ${result}`);
      assert.is((await close.final).result, 0);
      await rig.close(server).final;
    });
  }

  add('a receive can be cancelled and armed again', async (rig) => {
    const { client, server } = await openPair(rig, options.endpoint());
    const receive = rig.receive(server);
    await rig.post().final;
    rig.cancel(receive);
    assert.is((await receive.final).result, ERROR_CANCELED);
    rig.cancel(receive);
    rig.send(client, 'after');
    assert.is(await new Reader(rig, server).readText(5), 'after');
  });

  add('an accept can be cancelled and armed again', async (rig) => {
    const { accept, listener, endpoint } = await openPair(rig, options.endpoint());
    rig.cancel(accept);
    assert.is((await accept.final).result, ERROR_CANCELED);
    const connecting = rig.connect(endpoint);
    const client = (await connecting.final).result;
    assert.ok(client >= 0);
    const again = rig.accept(listener);
    const server = (await again.next()).result;
    rig.send(client, 'waited');
    assert.is(await new Reader(rig, server).readText(6), 'waited');
  });

  add('a connect can be cancelled', async (rig) => {
    const endpoint = options.endpoint();
    const listener = (await rig.listen(endpoint).final).result;
    const connecting = rig.connect(reach(rig, listener, endpoint));
    rig.cancel(connecting);
    const { result } = await connecting.final;
    assert.ok(result === ERROR_CANCELED || result >= 0, `connect: ${result}`);
    if (result >= 0) assert.is((await rig.close(result).final).result, 0);
  });

  add('a listen can be cancelled', async (rig) => {
    const listening = rig.listen(options.endpoint());
    rig.cancel(listening);
    const { result } = await listening.final;
    assert.ok(result === ERROR_CANCELED || result >= 0, `listen: ${result}`);
    if (result >= 0) assert.is((await rig.close(result).final).result, 0);
  });

  add('a cancel of something that is over does nothing', async (rig) => {
    const post = rig.post();
    await post.final;
    rig.cancel(post);
    const { client } = await openPair(rig, options.endpoint());
    const send = rig.send(client, 'x');
    await send.final;
    rig.cancel(send);
    const next = rig.send(client, 'y');
    assert.is((await next.final).result, 1);
  });

  add('a cancelled send completes once', async (rig) => {
    const { client, server } = await openPair(rig, options.endpoint());
    const first = rig.send(client, 'abc');
    rig.cancel(first);
    const { result } = await first.final;
    assert.ok(result === ERROR_CANCELED || result === 3, `send: ${result}`);
    const reader = new Reader(rig, server);
    rig.send(client, 'def');
    const expected = result === 3 ? 'abcdef' : 'def';
    assert.is(await reader.readText(expected.length), expected);
  });

  add('a refused connect says so', async (rig) => {
    const unused = options.unused();
    if (unused === null) return;
    assert.is((await rig.connect(unused).final).result, ERROR_REFUSED);
  });

  add('an address in use says so', async (rig) => {
    const endpoint = options.endpoint();
    const listener = (await rig.listen(endpoint).final).result;
    const again = rig.listen(reach(rig, listener, endpoint));
    assert.is((await again.final).result, ERROR_ADDRESS_IN_USE);
    const { result } = await rig.connect(reach(rig, listener, endpoint)).final;
    assert.ok(result >= 0, 'the first listener goes on');
  });

  add('a closed listener accepts no more, its connections go on', async (rig) => {
    const pair = await openPair(rig, options.endpoint());
    const close = rig.close(pair.listener);
    assert.is((await pair.accept.final).result, ERROR_CANCELED);
    assert.is((await close.final).result, 0);
    rig.send(pair.client, 'on');
    assert.is(await new Reader(rig, pair.server).readText(2), 'on');
    assert.is((await rig.connect(pair.endpoint).final).result, ERROR_REFUSED);
  });

  add('operations on a closed handle fail, and harm no successor', async (rig) => {
    const { client, server, endpoint } = await openPair(rig, options.endpoint());
    await rig.close(client).final;
    const late = [rig.send(client, 'x'), rig.shutdown(client), rig.close(client)];
    assert.equal(await results(late), [ERROR_CLOSED, ERROR_CLOSED, ERROR_CLOSED]);
    assert.is((await rig.receive(client).final).result, ERROR_CLOSED);
    assert.is((await rig.close(server).final).result, 0);
    const next = (await rig.connect(endpoint).final).result;
    assert.ok(next >= 0);
    assert.is((await rig.send(next, 'ok').final).result, 2);
  });

  add('handles are reused only after their close', async (rig) => {
    const { accept, endpoint } = await openPair(rig, options.endpoint());
    const open = new Set<number>();
    for (let round = 0; round < 120; round++) {
      const connecting = rig.connect(endpoint);
      const server = (await accept.next()).result;
      const client = (await connecting.final).result;
      for (const handle of [client, server]) {
        assert.ok(handle >= 0 && !open.has(handle), `handle ${handle}`);
        open.add(handle);
      }
      const text = `round ${round}`;
      rig.send(client, text);
      assert.is(await new Reader(rig, server).readText(text.length), text);
      assert.equal(await results([rig.close(client), rig.close(server)]), [0, 0]);
      open.delete(client);
      open.delete(server);
    }
  });

  add('both sides see the addresses of the connection', async (rig) => {
    const { client, server, endpoint } = await openPair(rig, options.endpoint());
    if ('path' in endpoint) {
      assert.is(rig.driver.remoteAddress(client)?.address, endpoint.path);
      assert.is(rig.driver.remoteAddress(client)?.family, 'path');
      return;
    }
    assert.equal(rig.driver.localAddress(client), rig.driver.remoteAddress(server));
    assert.equal(rig.driver.localAddress(server), rig.driver.remoteAddress(client));
    assert.is(rig.driver.remoteAddress(client)?.port, endpoint.port);
  });

  add('many connections at once keep their bytes apart', async (rig) => {
    const { accept, endpoint } = await openPair(rig, options.endpoint());
    const streams = await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const client = (await rig.connect(endpoint).final).result;
        const server = (await accept.next()).result;
        return { client, server, bytes: pattern(20_000 + index * 997, index + 1) };
      }),
    );
    await Promise.all(
      streams
        .map(async ({ server }) => {
          const reader = new Reader(rig, server);
          const header = await reader.read(4);
          const length = new DataView(header.buffer).getUint32(0, true);
          const echo = (await reader.read(length + 4)).slice(4, length + 4);
          assert.is(await sendAll(rig, server, echo), length);
        })
        .concat(
          streams.map(async ({ client, bytes }) => {
            const reader = new Reader(rig, client);
            const header = new Uint8Array(4);
            new DataView(header.buffer).setUint32(0, bytes.length, true);
            await sendAll(rig, client, header);
            for (let at = 0; at < bytes.length; at += 3001) {
              await sendAll(rig, client, bytes.subarray(at, at + 3001));
            }
            assert.ok(same(await reader.read(bytes.length), bytes));
          }),
        ),
    );
  });

  add('a dispose completes everything that is in flight', async (rig) => {
    const endpoint = options.endpoint();
    const { client, server, endpoint: target } = await openPair(rig, endpoint);
    const idle = await openPair(rig, options.endpoint());
    const inFlight = [
      rig.receive(client),
      rig.receive(server),
      rig.send(client, pattern(8 << 20)),
      rig.connect(target),
      rig.listen(options.endpoint()),
      rig.post(),
      rig.receive(idle.client),
      rig.shutdown(idle.server),
    ];
    rig.flush();
    const leftovers = await rig.dispose();
    assert.equal(leftovers, { operations: 0, handles: 0 });
    for (const operation of inFlight) assert.ok(operation.done, operation.kind);
  });

  add('a timer fires, and one that was called off does not', async (rig) => {
    const before = rig.driver.now();
    let wrong = false;
    const callOff = rig.driver.setTimer(1, () => {
      wrong = true;
    });
    callOff();
    const alive = setInterval(() => {}, 1000);
    await new Promise<void>((resolve) => {
      rig.driver.setTimer(5, resolve);
    });
    clearInterval(alive);
    assert.not(wrong);
    assert.ok(rig.driver.now() >= before);
  });

  test.run();
}

export function same(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false;
  return true;
}
