/** Examples that need nothing but the package. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startExample } from './run-example.ts';

test('echo', async () => {
  const { exit, stdout, stderr } = await (await startExample('echo')).ended;
  assert.is(stderr, '');
  assert.match(
    stdout,
    /^listening on port \d+ by backend \w+\necho: first\necho: second\necho: third\n$/,
  );
  assert.is(exit, 0);
});

test('rpc-msgpack: fast calls do not wait for slow ones, and each ends as it should', async () => {
  const { exit, stdout, stderr } = await (await startExample('rpc-msgpack')).ended;
  assert.is(stderr, '');
  assert.is(
    stdout,
    [
      'slept 200 ms',
      '5',
      'Error: sleep: no answer in 300 ms',
      'Error: divide: no method divide',
      '',
    ].join('\n'),
  );
  assert.is(exit, 0);
});

test.run();
