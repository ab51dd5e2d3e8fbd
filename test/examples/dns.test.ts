/** The DNS example against a real server. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startExample, testWith } from './run-example.ts';
import { freePort, startDnsmasq } from './servers.ts';

await testWith(
  ['dnsmasq'],
  'apt-get install dnsmasq-base',
  'dnsmasq: all names are answered over one connection',
  async ([dnsmasq]) => {
    const addresses = {
      'one.test': '192.0.2.1',
      'two.test': '192.0.2.2',
      'deep.er.test': '192.0.2.3',
    };
    const server = await startDnsmasq(dnsmasq as string, addresses);
    try {
      const ask = async (...names: string[]) => {
        const asked = await startExample(
          'dns-over-tcp',
          '127.0.0.1',
          String(server.port),
          ...names,
        );
        const { exit, stdout, stderr } = await asked.ended;
        assert.is(stderr, '');
        return { exit, lines: stdout.trimEnd().split('\n').toSorted() };
      };
      assert.equal(await ask(...Object.keys(addresses)), {
        exit: 0,
        lines: ['deep.er.test 192.0.2.3', 'one.test 192.0.2.1', 'two.test 192.0.2.2'],
      });
      assert.equal(await ask('one.test', 'none.test'), {
        exit: 1,
        lines: ['none.test no such name', 'one.test 192.0.2.1'],
      });
    } finally {
      await server.stop();
    }
  },
);

test('nobody listens: an error that says so', async () => {
  const asked = await startExample('dns-over-tcp', '127.0.0.1', String(await freePort()), 'a.test');
  const { exit, stderr } = await asked.ended;
  assert.is(exit, 1);
  assert.match(stderr, /REFUSED/);
});

test.run();
