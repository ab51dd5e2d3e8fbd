/** A datagram socket whose system keeps failing. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import { datagram } from '../../src/index.ts';
import { FakeBackend } from '../support/fake-driver.ts';

test('receives that keep failing stop, and are tried again later', async () => {
  const fake = new FakeBackend();
  const errors: string[] = [];
  await datagram({
    backend: fake.selection,
    receiveDepth: 1,
    message: () => {},
    error: (_, error) => errors.push(error.code),
  });
  await Promise.resolve();
  let rounds = 0;
  /** Fails whatever is pending, until nothing is. */
  const failAll = async () => {
    while (fake.datagramReceives.length > 0 && rounds++ < 1000) {
      for (const token of fake.datagramReceives.splice(0)) {
        fake.host.complete(token, layout.ERROR_NO_BUFFERS);
      }
      fake.ready();
      await Promise.resolve();
    }
  };
  await failAll();
  assert.is(errors.length, 16);
  assert.is(fake.timers.length, 1);
  fake.timers.pop()?.();
  await Promise.resolve();
  // One try more, and it waits again.
  await failAll();
  assert.is(errors.length, 17);
  fake.timers.pop()?.();
  await Promise.resolve();
  // It has recovered: single failures are no reason to stop.
  const [token] = fake.datagramReceives.splice(0);
  fake.host.complete(token as number, 4);
  fake.ready();
  await Promise.resolve();
  for (let index = 0; index < 15; index++) {
    for (const pending of fake.datagramReceives.splice(0)) {
      fake.host.complete(pending, layout.ERROR_REFUSED);
    }
    fake.ready();
    await Promise.resolve();
  }
  assert.is(fake.datagramReceives.length, 1);
  assert.is(fake.timers.length, 0);
});

test.run();
