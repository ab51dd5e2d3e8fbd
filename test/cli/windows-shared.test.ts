/** `echo` with several workers on one completion port, in Wine, loaded from Linux: every packet once, in its order. */
import process from 'node:process';
import * as assert from 'uvu/assert';
import type { WineHost } from '../windows/wine.ts';
import { wineSuite } from '../windows/wine-suite.ts';
import { assertHeld, runHarness } from './run-cli.ts';

const PACKETS = 30_000;
const CONNECTIONS = 50;
const SERVER_LIMIT_MS = 120_000;
const HOSTS: readonly WineHost[] = ['windows-node20', 'windows-bun'];

await wineSuite('workers on one completion port', (test) => {
  for (const host of HOSTS) {
    test(`${host}: ${PACKETS} packets through two workers, 20 receives pending`, async ({
      wine,
    }) => {
      const event = `overlapped-shared-${process.pid}-${host}`;
      const settings = ['--backend', 'iocp', '--reads', '20', '--event', event];
      const workers = ['--workers', '2', '--scheduling', 'shared'];
      const argv = ['echo', '--json', ...settings, ...workers];
      const server = await wine.cli(host, argv, SERVER_LIMIT_MS);
      const [, port] = await server.output(/^listening on 127\.0\.0\.1:(\d+)$/m);
      const load = ['--messages', String(PACKETS), '--connections', String(CONNECTIONS)];
      assertHeld(await runHarness(port as string, [...load, '--size', '10-200']), PACKETS);
      await (await wine.cli('windows-node22', ['shutdown', '--event', event])).ended;
      const ended = await server.ended;
      assert.is(ended.exit, 0, ended.stderr);
      assert.is(ended.json?.messages, PACKETS);
      assert.equal(ended.json?.errors, {});
      const each = ended.json?.workers as readonly { messages: number; deaths?: number }[];
      assert.is(each.length, 2);
      assert.ok(each.every(({ messages }) => messages > 0));
    });
  }
});
