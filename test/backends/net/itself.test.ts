/** A port that was just freed may be given to the very socket that asks for it. */
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR_REFUSED } from '#generated/layout';
import { bun, probe as probeBun } from '../../../backends/bun/index.ts';
import { net } from '../../../backends/net/index.ts';
import { isItsOwnPeer } from '../../../backends/stream/itself.ts';
import { Rig } from '../../support/backend-host.ts';

const test = suite('connects to nobody');
const at = (port: number, address = '127.0.0.1') => ({ address, port, family: 'IPv4' }) as const;

test('a connection is its own peer where address and port are the same on both sides', () => {
  assert.is(isItsOwnPeer(at(5), at(5)), true);
  assert.is(isItsOwnPeer(at(5), at(6)), false);
  assert.is(isItsOwnPeer(at(5), at(5, '127.0.0.2')), false);
  assert.is(isItsOwnPeer(undefined, at(5)), false);
  const path = { address: '/tmp/x', port: 0, family: 'path' } as const;
  assert.is(isItsOwnPeer(path, path), false);
});

const selections = [net(), ...(probeBun().available ? [bun()] : [])];
for (const selection of selections) {
  test(`${selection.name}: a connect to a port that was just freed is refused`, async () => {
    const rig = await Rig.open(selection as ReturnType<typeof net>);
    const rounds = process.platform === 'win32' ? 150 : 300;
    for (let round = 0; round < rounds; round++) {
      const listener = (await rig.listen({ host: '127.0.0.1', port: 0 }).final).result;
      const port = rig.driver.localAddress(listener)?.port as number;
      await rig.close(listener).final;
      const tries = Array.from({ length: 4 }, () => rig.connect({ host: '127.0.0.1', port }));
      for (const { final } of tries) assert.is((await final).result, ERROR_REFUSED);
    }
    await rig.dispose();
  });
}

test.run();
