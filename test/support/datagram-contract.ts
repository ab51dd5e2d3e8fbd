/** The contract's datagram cases. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ERROR_CANCELED,
  ERROR_CLOSED,
  ERROR_FRAME_TOO_LONG,
  ERROR_REFUSED,
} from '#generated/layout';
import type { BackendSelection } from '../../backends/backend.ts';
import { Rig } from './backend-host.ts';
import { pattern } from './streams.ts';

export interface DatagramContractOptions {
  /** Loopback address: `127.0.0.1` or `::1`. */
  readonly host: string;
  /** A connected socket hears that nobody listens at its peer. */
  readonly hearsRefusal: boolean | 'last';
}

/** Registers the datagram cases for one backend and address family. */
export function datagramContractSuite<Options>(
  name: string,
  makeSelection: () => BackendSelection<Options>,
  { host, hearsRefusal }: DatagramContractOptions,
): void {
  const test = suite(name);
  const add = (title: string, work: (rig: Rig) => Promise<void>): void => {
    test(title, async () => {
      const rig = await Rig.open(makeSelection(), {});
      try {
        await work(rig);
      } catch (error) {
        await rig.dispose().catch(() => undefined);
        throw error;
      }
      await rig.dispose();
    });
  };
  const open = async (rig: Rig): Promise<{ handle: number; address: string; port: number }> => {
    const handle = (await rig.bind({ host, port: 0 }).final).result;
    assert.ok(handle >= 0, `bind: ${handle}`);
    const local = rig.driver.localAddress(handle);
    assert.is(local?.address, host);
    assert.ok((local?.port ?? 0) > 0);
    return { handle, address: host, port: local?.port ?? 0 };
  };

  add('several receives take several datagrams, each with its sender', async (rig) => {
    const receiver = await open(rig);
    const senders = [await open(rig), await open(rig)];
    const receives = Array.from({ length: 8 }, () => rig.receiveFrom(receiver.handle));
    const expected = new Set<string>();
    for (let index = 0; index < 8; index++) {
      const sender = senders[index % 2] as (typeof senders)[0];
      const text = `datagram ${index}`;
      expected.add(`${text} from ${sender.port}`);
      assert.is((await rig.sendTo(sender.handle, text, receiver).final).result, text.length);
    }
    for (const receive of receives) {
      const { result, bytes } = await receive.final;
      assert.ok(result > 0);
      const from = rig.addresses.read(receive.offset);
      assert.is(from?.address, host);
      const text = `${new TextDecoder().decode(bytes)} from ${from?.port}`;
      assert.ok(expected.delete(text), text);
    }
    assert.is(expected.size, 0);
  });

  add('datagrams that come before their receive wait for it', async (rig) => {
    const receiver = await open(rig);
    const sender = await open(rig);
    await rig.sendTo(sender.handle, 'early', receiver).final;
    for (let turn = 0; turn < 20; turn++) await rig.post().final;
    const { result, bytes } = await rig.receiveFrom(receiver.handle).final;
    assert.is(result, 5);
    assert.is(new TextDecoder().decode(bytes), 'early');
  });

  add('an empty datagram is one', async (rig) => {
    const receiver = await open(rig);
    const sender = await open(rig);
    const receive = rig.receiveFrom(receiver.handle);
    assert.is((await rig.sendTo(sender.handle, '', receiver).final).result, 0);
    assert.is((await receive.final).result, 0);
    assert.is(rig.addresses.read(receive.offset)?.port, sender.port);
  });

  add('a datagram that does not fit is an error of its own, the next one comes', async (rig) => {
    const receiver = await open(rig);
    const sender = await open(rig);
    // One at a time: of several receives any may take a datagram.
    const small = rig.receiveFrom(receiver.handle, 10);
    await rig.sendTo(sender.handle, pattern(11), receiver).final;
    assert.is((await small.final).result, ERROR_FRAME_TOO_LONG);
    const exact = rig.receiveFrom(receiver.handle, 11);
    await rig.sendTo(sender.handle, pattern(11), receiver).final;
    assert.is((await exact.final).result, 11);
  });

  add('a datagram larger than the protocol allows is refused', async (rig) => {
    const receiver = await open(rig);
    const sender = await open(rig);
    const { result } = await rig.sendTo(sender.handle, pattern(66_000), receiver).final;
    assert.is(result, ERROR_FRAME_TOO_LONG);
    assert.is((await rig.sendTo(sender.handle, 'ok', receiver).final).result, 2);
  });

  add('a connected socket sends without an address and hears its peer', async (rig) => {
    const server = await open(rig);
    const peer = { host, port: server.port };
    const client = (await rig.bind({ host, port: 0 }, { peer }).final).result;
    assert.ok(client >= 0, `bind: ${client}`);
    assert.is(rig.driver.remoteAddress(client)?.port, server.port);
    const atServer = rig.receiveFrom(server.handle);
    assert.is((await rig.sendTo(client, 'hello').final).result, 5);
    assert.is((await atServer.final).result, 5);
    const from = rig.addresses.read(atServer.offset);
    const atClient = rig.receiveFrom(client);
    await rig.sendTo(server.handle, 'answer', from).final;
    assert.is((await atClient.final).result, 6);
  });

  add('a refusal by the peer reaches a receive, and the socket goes on', async (rig) => {
    if (!hearsRefusal) return;
    const gone = await open(rig);
    await rig.close(gone.handle).final;
    const peer = { host, port: gone.port };
    const client = (await rig.bind({ host, port: 0 }, { peer }).final).result;
    const receive = rig.receiveFrom(client);
    await rig.sendTo(client, 'anyone?').final;
    assert.is((await receive.final).result, ERROR_REFUSED);
    if (hearsRefusal === 'last') return;
    const back = (await rig.bind({ host, port: gone.port }).final).result;
    const again = rig.receiveFrom(client);
    const local = rig.driver.localAddress(client);
    await rig.sendTo(back, 'here', { address: host, port: local?.port ?? 0 }).final;
    assert.is((await again.final).result, 4);
  });

  add('receives are cancelled one at a time or by the close', async (rig) => {
    const { handle } = await open(rig);
    const receives = [rig.receiveFrom(handle), rig.receiveFrom(handle), rig.receiveFrom(handle)];
    rig.cancel(receives[1] as (typeof receives)[0]);
    assert.is((await receives[1]?.final)?.result, ERROR_CANCELED);
    assert.not(receives[0]?.done);
    const close = rig.close(handle);
    assert.is((await receives[0]?.final)?.result, ERROR_CANCELED);
    assert.is((await receives[2]?.final)?.result, ERROR_CANCELED);
    assert.is((await close.final).result, 0);
    assert.is((await rig.receiveFrom(handle).final).result, ERROR_CLOSED);
  });

  add('a dispose gives back receives and sockets', async (rig) => {
    const { handle } = await open(rig);
    const receives = [rig.receiveFrom(handle), rig.receiveFrom(handle)];
    const binding = rig.bind({ host, port: 0 });
    assert.equal(await rig.dispose(), { operations: 0, handles: 0 });
    for (const operation of [...receives, binding]) assert.ok(operation.done, operation.kind);
  });

  test.run();
}
