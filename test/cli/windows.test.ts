/**
 * The command line in Node and Bun for Windows, in Wine, against the same on
 * Linux: they share the loopback. Signals do not reach a program in Wine: what
 * ends a server there is its event.
 */
import process from 'node:process';
import * as assert from 'uvu/assert';
import { WINE_HOSTS, type Wine } from '../windows/wine.ts';
import { wineSuite } from '../windows/wine-suite.ts';
import { assertHeld, runHarness, startEcho } from './run-cli.ts';

/** How many packets go through one server in all, by 50 connections with 20 receives pending each. */
const PACKETS = 1_000_000;
const ROUNDS = 5;
const CONNECTIONS = 50;
/** For all the loads together. */
const SERVER_LIMIT_MS = 500_000;

/** Sizes on the wire: small ones, many in a receive; and all, most of them over several receives. */
const LOADS = [
  ...Array.from({ length: ROUNDS }, () => [PACKETS / ROUNDS, '10-200'] as const),
  [5_000, 'mixed'] as const,
];

let lastEvent = 0;
const newEvent = () => `overlapped-wine-${process.pid}-${++lastEvent}`;

await wineSuite('command line in Wine', (test) => {
  for (const host of WINE_HOSTS) {
    test(`${host}: a server, loaded from Linux, ended by a foreign program`, async ({ wine }) => {
      const event = newEvent();
      const server = await wine.cli(host, ['echo', '--json', '--event', event]);
      const [, port] = await server.output(/^listening on 127\.0\.0\.1:(\d+)$/m);
      assertHeld(await runHarness(port as string, ['--messages', '2000']), 2000);
      const setEvent = await wine.compile('test/windows/set-event.c');
      assert.is((await (await wine.run(setEvent, ['no such event'])).ended).exit, 1);
      assert.is((await (await wine.run(setEvent, [event])).ended).exit, 0);
      const ended = await server.ended;
      assert.is(ended.exit, 0, ended.stderr);
      assert.is(ended.json?.ended, `event ${event}`);
      assert.is(ended.json?.messages, 2000);
      assert.equal(ended.json?.backend, { name: 'iocp', reason: 'the fastest' });
    });

    test(`${host}: the harness, on a server in Linux`, async ({ wine }) => {
      const server = await startEcho();
      const argv = ['harness', '--json', '--port', server.port, '--messages', '2000'];
      assertHeld(await (await wine.cli(host, argv)).ended, 2000);
      server.child.kill('SIGTERM');
      assert.is((await server.ended).exit, 0);
    });
  }

  let port = '';
  const event = newEvent();
  let ended: Awaited<ReturnType<Wine['cli']>>['ended'];
  const settings = ['--backend', 'iocp', '--reads', '20', '--event', event];

  test('20 receives pending: a server for all the packets', async ({ wine }) => {
    const argv = ['echo', '--json', ...settings];
    const server = await wine.cli('windows-node20', argv, SERVER_LIMIT_MS);
    port = (await server.output(/^listening on 127\.0\.0\.1:(\d+)$/m))[1] as string;
    ended = server.ended;
  });

  for (const [index, [messages, size]] of LOADS.entries()) {
    test(`20 receives pending: load ${index + 1}, ${messages} packets of ${size} B`, async () => {
      const load = ['--messages', String(messages), '--connections', String(CONNECTIONS)];
      assertHeld(await runHarness(port, [...load, '--size', size]), messages);
    });
  }

  test('20 receives pending: the server has seen every packet', async ({ wine }) => {
    const shutdown = await wine.cli('windows-node22', ['shutdown', '--event', event]);
    assert.is((await shutdown.ended).exit, 0);
    const { exit, json, stderr } = await ended;
    assert.is(exit, 0, stderr);
    const all = LOADS.reduce((sum, [messages]) => sum + messages, 0);
    assert.is(json?.messages, all);
    assert.is(json?.connections, LOADS.length * CONNECTIONS);
    assert.is(json?.bytesReceived, json?.bytesSent);
    assert.equal(json?.errors, {});
  });
});
