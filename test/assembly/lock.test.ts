import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LOCK_STRIDE } from '#generated/layout';
import { Lock, StripedLock } from '../../src/core/index.ts';
import { createCore, throwsCode } from '../support/primitives.ts';
import { forEachVariant } from '../support/variants.ts';

forEachVariant((name, makeCore) => {
  test(`${name}: a lock is held once and can be taken again after its release`, () => {
    const core = createCore(makeCore);
    const lock = Lock.create(core);
    const window = Lock.attach(core, lock.address);
    assert.is(lock.tryAcquire(), true);
    assert.is(window.tryAcquire(), false);
    window.release();
    lock.acquire();
    assert.is(lock.tryAcquire(), false);
    lock.release();
    assert.is(lock.acquireWithin(0), true);
    assert.is(lock.acquireWithin(0), false);
  });

  test(`${name}: releasing a lock that nobody holds is an error`, () => {
    const lock = Lock.create(createCore(makeCore));
    throwsCode(() => lock.release(), 'INVALID_OPTION');
    assert.is(lock.tryAcquire(), true);
  });

  test(`${name}: waiting for a held lock ends`, () => {
    const lock = Lock.create(createCore(makeCore));
    lock.acquire();
    if (makeCore.shared) {
      assert.is(lock.acquireWithin(5), false);
    } else {
      throwsCode(() => lock.acquireWithin(5), 'NOT_SUPPORTED');
      throwsCode(() => lock.acquire(), 'NOT_SUPPORTED');
    }
    lock.release();
    assert.is(lock.tryAcquire(), true);
  });

  test(`${name}: run releases the lock when its work throws`, () => {
    const lock = Lock.create(createCore(makeCore));
    const fail = () => {
      throw new Error('on purpose');
    };
    assert.throws(() => lock.run(fail), 'on purpose');
    assert.is(
      lock.run(() => 7),
      7,
    );
    assert.is(lock.tryAcquire(), true);
  });

  test(`${name}: stripes are separate locks, a cache line apart, and wrap around`, () => {
    const core = createCore(makeCore);
    const stripes = StripedLock.create(core, 3);
    const addresses = [0, 1, 2, 3, 4, 1_000_000].map((slot) => stripes.lockFor(slot).address);
    const { address } = stripes;
    assert.equal(
      addresses,
      [0, 1, 2, 0, 1, 1].map((index) => address + index * LOCK_STRIDE),
    );
    assert.is(stripes.lockFor(0).tryAcquire(), true);
    assert.is(stripes.lockFor(1).tryAcquire(), true);
    assert.is(stripes.lockFor(3).tryAcquire(), false);
    assert.is(StripedLock.attach(core, address, 3).lockFor(6).tryAcquire(), false);
    assert.is(StripedLock.create(core, 1).lockFor(12345).tryAcquire(), true);
    throwsCode(() => StripedLock.create(core, 0), 'INVALID_OPTION');
  });
});

test.run();
