import process from 'node:process';
import { setImmediate as nextRound } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bun, probe as probeBun } from '../../backends/bun/index.ts';
import { net } from '../../backends/net/index.ts';
import { Lookout, lookOnUs, SOON_LEAST, WAKE_US } from '../../backends/stream/lookout.ts';
import { Rig } from '../support/backend-host.ts';
import { openPair, Reader } from '../support/streams.ts';

const LIMIT_US = 30;

/** A lookout in a host whose time passes, and whose loop turns, only when told to. */
function rig(limitUs = LIMIT_US) {
  const looks: (() => void)[] = [];
  let nowMs = 1000;
  const lookout = new Lookout(limitUs, {
    now: () => nowMs,
    soon: (look) => looks.push(look),
  });
  const pass = (us: number): void => {
    nowMs += us / 1000;
  };
  /** A pass, and `us` after it bytes. */
  const exchange = (us: number): void => {
    lookout.passed();
    pass(us);
    lookout.received();
  };
  const open = (): void => {
    for (let count = 0; count < SOON_LEAST; count++) exchange(10);
  };
  /** One round of the host's loop. */
  const turn = (): void => {
    for (const look of looks.splice(0)) look();
  };
  return { lookout, looks, pass, exchange, open, turn };
}

test('it looks on once receives have come soon again and again', () => {
  const { lookout, looks, exchange } = rig();
  for (let count = 0; count < SOON_LEAST; count++) {
    exchange(LIMIT_US + WAKE_US - 1);
    assert.is(looks.length, 0);
  }
  lookout.passed();
  assert.is(looks.length, 1);
  assert.is(lookout.counters().looks, 1);
});

test('a look goes on for as long as the limit, and then the loop sleeps', () => {
  const { lookout, looks, pass, open, turn } = rig();
  open();
  lookout.passed();
  for (let us = 0; us < LIMIT_US - 10; us += 10) {
    pass(10);
    turn();
    assert.is(looks.length, 1);
  }
  pass(11);
  turn();
  assert.is(looks.length, 0);
  assert.equal(lookout.counters(), { looks: 1, looksMissed: 1 });
});

test('after a look in vain receives have to come soon as often as at first', () => {
  const { lookout, looks, pass, exchange, open, turn } = rig();
  open();
  lookout.passed();
  pass(LIMIT_US + 1);
  turn();
  // Late for the look, soon for one who sleeps.
  lookout.received();
  for (let count = 1; count < SOON_LEAST; count++) {
    exchange(1);
    assert.is(looks.length, 0);
  }
  lookout.passed();
  assert.is(looks.length, 1);
});

test('one receive that took longer ends it, too', () => {
  const { lookout, looks, exchange } = rig();
  for (let count = 1; count < SOON_LEAST; count++) exchange(1);
  exchange(LIMIT_US + WAKE_US + 1);
  for (let count = 1; count < SOON_LEAST; count++) exchange(1);
  lookout.passed();
  assert.is(looks.length, 0);
});

test('bytes end a look, and the next pass begins another', () => {
  const { lookout, looks, pass, open, turn } = rig();
  open();
  lookout.passed();
  pass(5);
  turn();
  lookout.received();
  turn();
  assert.is(looks.length, 0);
  lookout.passed();
  assert.is(looks.length, 1);
  assert.equal(lookout.counters(), { looks: 2, looksMissed: 0 });
});

test('no more than one look is under way', () => {
  const { lookout, looks, open } = rig();
  open();
  lookout.passed();
  // All of it within one round of the loop.
  lookout.received();
  lookout.passed();
  lookout.received();
  lookout.passed();
  assert.is(looks.length, 1);
});

test('passes without a receive do not make a look longer', () => {
  const { lookout, looks, pass, open, turn } = rig();
  open();
  lookout.passed();
  pass(LIMIT_US - 1);
  lookout.passed();
  turn();
  assert.is(looks.length, 1);
  pass(2);
  turn();
  assert.is(looks.length, 0);
});

test('none at all with a limit of 0, and none once it was stopped', () => {
  const off = rig(0);
  off.open();
  off.lookout.passed();
  assert.is(off.looks.length, 0);
  const { lookout, looks, exchange, open, turn } = rig();
  open();
  lookout.passed();
  lookout.stop();
  turn();
  assert.is(looks.length, 0);
  exchange(1);
  lookout.passed();
  assert.is(looks.length, 0);
});

test('its time is checked', () => {
  assert.is(lookOnUs('net', {}), process.versions.deno === undefined ? LIMIT_US : 0);
  assert.is(lookOnUs('net', { lookOnUs: 0 }), 0);
  for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2_000_000, '5' as never]) {
    assert.throws(() => lookOnUs('net', { lookOnUs: wrong }), /net: lookOnUs is .*; allowed is 0/);
  }
});

const BACKENDS = [
  { name: 'net', selection: net, available: true },
  { name: 'bun', selection: bun, available: probeBun().available },
];
/** Others do not say what is pending. */
const isNode = process.versions.bun === undefined && process.versions.deno === undefined;
/** So long that every receive comes soon, on however loaded a machine. */
const LONG_US = 1_000_000;
const EXCHANGES = 3 * SOON_LEAST;

for (const { name, selection, available } of BACKENDS) {
  if (!available) continue;
  for (const limitUs of [LONG_US, 0]) {
    test(`${name} looks on between messages, and not with lookOnUs 0: ${limitUs}`, async () => {
      const port = await Rig.open(selection({ lookOnUs: limitUs }));
      const { client, server } = await openPair(port, { host: '127.0.0.1', port: 0 });
      const readers = { client: new Reader(port, client), server: new Reader(port, server) };
      for (let count = 1; count <= EXCHANGES; count++) {
        port.send(client, 'ping');
        await readers.server.read(4 * count);
        port.send(server, 'pong');
        await readers.client.read(4 * count);
      }
      const { looks, looksMissed } = port.driver.counters();
      if (limitUs === 0) assert.is(looks, 0);
      else assert.ok(Number(looks) > 0);
      assert.ok(Number(looksMissed) <= Number(looks));
      // Disposing ends a look that could go on for long: the process must not wait for it.
      await port.dispose();
      await nextRound();
      if (isNode) assert.not(process.getActiveResourcesInfo().includes('Immediate'));
    });
  }
}

test.run();
