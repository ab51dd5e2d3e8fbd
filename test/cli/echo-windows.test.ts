/**
 * The documents' server, in Node and Bun for Windows in Wine (R8 to R10): several
 * I/O threads on one completion port and the ordered pool behind them, loaded from
 * Linux, whose loopback it shares.
 */
import process from 'node:process';
import * as assert from 'uvu/assert';
import { WINE_HOSTS } from '../windows/wine.ts';
import { wineSuite } from '../windows/wine-suite.ts';
import { assertHeld, runHarness } from './run-cli.ts';

const MESSAGES = 2000;
const SERVER_LIMIT_MS = 200_000;

const SERVER = ['--backend', 'iocp', '--workers', '2', '--scheduling', 'shared', '--pool', '2'];
const LOAD = ['--connections', '4', '--in-flight', '32', '--size', '40-400'];

await wineSuite('the echo server with workers and a pool, in Wine', (test) => {
  for (const host of WINE_HOSTS) {
    test(`${host}: I/O workers and the pool: every packet, in order`, async ({ wine }) => {
      const event = `overlapped-echo-${process.pid}-${host}`;
      const argv = ['echo', '--json', ...SERVER, '--fragments', '2', '--event', event];
      const server = await wine.cli(host, argv, SERVER_LIMIT_MS);
      const [, port] = await server.output(/^listening on 127\.0\.0\.1:(\d+)$/m);
      const load = await runHarness(port as string, ['--messages', String(MESSAGES), ...LOAD]);
      assertHeld(load, MESSAGES);
      const shutdown = await wine.cli('windows-node20', ['shutdown', '--event', event]);
      assert.is((await shutdown.ended).exit, 0);
      const ended = await server.ended;
      assert.is(ended.exit, 0, ended.stderr);
      const { messages: handled, errors, deaths, backend } = ended.json ?? {};
      assert.equal([handled, errors, deaths], [MESSAGES, {}, 0]);
      assert.is((backend as { readonly name: string }).name, 'iocp');
    });
  }
});
