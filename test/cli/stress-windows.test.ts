/** `overlapped stress` on completion ports, in Wine: several threads, one socket, one port. */
import * as assert from 'uvu/assert';
import type { Wine } from '../windows/wine.ts';
import { wineSuite } from '../windows/wine-suite.ts';

/** Threads and foreign calls, at 15 µs each. */
const LIMIT_MS = 120_000;

interface Run {
  readonly lock: boolean;
  readonly corrupt: number;
  readonly slices: number;
  readonly whole: number;
  readonly broken: number;
}

await wineSuite('stress in Wine', (test) => {
  const run = async (wine: Wine, experiment: string, ...argv: readonly string[]) => {
    const all = ['stress', '--json', '--experiment', experiment, '--backend', 'iocp', ...argv];
    const { exit, json, stderr } = await (await wine.cli('windows-node22', all, LIMIT_MS)).ended;
    assert.is(exit, 0, stderr);
    assert.ok(json?.held);
    return json as Record<string, unknown>;
  };

  test('recv: WSARecv and WSARecvFrom, by four threads', async ({ wine }) => {
    const { runs } = await run(wine, 'recv', '--slices', '2000');
    for (const { lock, corrupt, slices } of runs as Run[]) {
      assert.ok(slices >= 2000);
      if (lock) assert.is(corrupt, 0);
      console.log(`iocp in Wine, lock ${lock}: ${corrupt} of ${slices} slices corrupt`);
    }
  });

  test('senders: WSASend, by twenty threads', async ({ wine }) => {
    const { runs } = await run(wine, 'senders', '--packets', '2000');
    for (const { lock, whole, broken } of runs as Run[]) {
      if (lock) assert.equal([whole, broken], [2000, 0]);
      console.log(`iocp in Wine, lock ${lock}: ${whole} of 2000 packets whole`);
    }
  });

  test('close: four workers on one port', async ({ wine }) => {
    const argv = ['--seconds', '3', '--scheduling', 'shared'];
    const { left, opens, closes } = await run(wine, 'close', ...argv);
    assert.is(opens, closes);
    assert.ok(Object.values(left as object).every((count) => count === 0));
  });
});
