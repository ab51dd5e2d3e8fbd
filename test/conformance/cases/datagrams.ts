/** Datagrams, with several receives pending (R18). They may be lost: what counts is sent again. */
import * as assert from 'uvu/assert';
import { type DatagramSocket, datagram } from '../../../src/index.ts';
import { codeOf, isEqual, noise, pass, Signal, thrownCode, until, within } from '../context.ts';
import type { Case } from '../suite.ts';

const COUNT = 150;

function numbered(number: number): Uint8Array {
  const bytes = noise(4 + ((number * 97) % 1200), number);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

function place({ address }: DatagramSocket): { host: string; port: number } {
  return { host: address.address, port: address.port };
}

/** Every number goes there and back, sent again until it has. */
async function exchange(
  context: Parameters<Case['run']>[0],
  host: string,
  isConnected: boolean,
): Promise<void> {
  const wrong: string[] = [];
  const answered = new Set<number>();
  const echo = await datagram({
    host,
    receiveDepth: 8,
    on: context.server,
    message(socket, bytes, from) {
      const number = new DataView(bytes.slice().buffer).getUint32(0);
      if (!isEqual(bytes, numbered(number))) wrong.push(`to the server: ${number}`);
      socket.send(bytes, { host: from.address, port: from.port });
    },
  });
  const client = await datagram({
    host,
    receiveDepth: 8,
    ...(isConnected ? { peer: place(echo) } : {}),
    on: context.client,
    message(_, bytes, from) {
      const number = new DataView(bytes.slice().buffer).getUint32(0);
      if (!isEqual(bytes, numbered(number))) wrong.push(`to the client: ${number}`);
      if (from.port !== echo.address.port) wrong.push(`from port ${from.port}`);
      answered.add(number);
    },
  });
  assert.is(echo.address.family, host.includes(':') ? 'IPv6' : 'IPv4');
  for (let round = 0; round < 200 && answered.size < COUNT; round += 1) {
    for (let number = 0; number < COUNT; number += 1) {
      if (answered.has(number)) continue;
      const isWelcome = client.send(numbered(number), isConnected ? undefined : place(echo));
      if (!isWelcome) await within('drained', client.drained());
      if (number % 25 === 24) await pass();
    }
    for (let wait = 0; wait < 5 && answered.size < COUNT; wait += 1) await pass();
  }
  assert.is(answered.size, COUNT);
  assert.equal(wrong, []);
  await within('close', Promise.all([echo.close(), client.close()]));
}

const hasDatagrams = { needs: ({ datagrams: has }: { datagrams: boolean }) => has };

export const datagrams: readonly Case[] = [
  {
    name: 'datagrams go there and back, IPv4',
    ...hasDatagrams,
    survivesBreaks: true,
    run: (context) => exchange(context, '127.0.0.1', false),
  },
  {
    name: 'datagrams of connected sockets go there and back',
    ...hasDatagrams,
    survivesBreaks: true,
    run: (context) => exchange(context, '127.0.0.1', true),
  },
  {
    name: 'datagrams go there and back, IPv6',
    needs: ({ datagrams: has, ipv6 }) => has && ipv6,
    run: (context) => exchange(context, '::1', false),
  },
  {
    name: 'a datagram socket is iterated; empty datagrams are datagrams',
    ...hasDatagrams,
    async run(context) {
      const receiver = await datagram({ on: context.server });
      const sender = await datagram({ peer: place(receiver), on: context.client });
      const got: number[] = [];
      const reading = (async () => {
        for await (const { message, from } of receiver) {
          assert.is(from.port, sender.address.port);
          got.push(message.length);
          if (got.includes(0) && got.includes(7)) break;
        }
      })();
      let isDone = false;
      void reading.then(() => {
        isDone = true;
      });
      await until('both', () => {
        if (isDone) return true;
        sender.send(new Uint8Array(0));
        sender.send(new Uint8Array(7));
        return false;
      });
      await within('reading', reading);
      await within('close', Promise.all([receiver.close(), sender.close()]));
    },
  },
  {
    name: 'a datagram too long for the receiver is reported, and the socket goes on',
    ...hasDatagrams,
    async run(context) {
      const errors: string[] = [];
      const got = new Signal<number>();
      const receiver = await datagram({
        on: context.server,
        message: (_, bytes) => got.resolve(bytes.length),
        error: (_, error) => void errors.push(error.code),
      });
      const sender = await datagram({ peer: place(receiver), on: context.client });
      await until('the error', () => {
        if (errors.length === 0) sender.send(noise(6000, 1)); // buffers hold 4,096
        return errors.length > 0;
      });
      assert.is(errors[0], 'FRAME_TOO_LONG');
      let isThere = false;
      void got.promise.then(() => {
        isThere = true;
      });
      await until('the next', () => {
        if (!isThere) sender.send(noise(100, 1));
        return isThere;
      });
      assert.is(await got.promise, 100);
    },
  },
  {
    name: 'what cannot be sent or bound is refused',
    ...hasDatagrams,
    async run(context) {
      const socket = await datagram({ on: context.server });
      const { port } = socket.address;
      const twice = datagram({ port, on: context.client });
      assert.is(await codeOf(twice), 'ADDRESS_IN_USE');
      const to = { host: '127.0.0.1', port };
      assert.is(
        thrownCode(() => socket.send(new Uint8Array(70_000), to)),
        'FRAME_TOO_LONG',
      );
      assert.is(
        thrownCode(() => socket.send(new Uint8Array(1))),
        'INVALID_OPTION',
      );
      await within('close', socket.close());
      assert.is(
        thrownCode(() => socket.send(new Uint8Array(1), to)),
        'CLOSED',
      );
    },
  },
];
