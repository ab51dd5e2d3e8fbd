import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Sequencer } from '../../src/core/index.ts';
import { createCore } from '../support/primitives.ts';
import { forEachVariant } from '../support/variants.ts';

forEachVariant((name, makeCore) => {
  test(`${name}: numbers count up by one and wrap at 2^32 (R1)`, () => {
    const core = createCore(makeCore);
    const sequencer = Sequencer.create(core, 0xfffffffe);
    assert.equal(
      [sequencer.take(), sequencer.take(), sequencer.peek(), sequencer.take(), sequencer.take()],
      [0xfffffffe, 0xffffffff, 0, 0, 1],
    );
    sequencer.reset(0x80000000);
    assert.is(sequencer.peek(), 0x80000000);
    assert.is(Sequencer.attach(core, sequencer.address).take(), 0x80000000);
    assert.is(sequencer.take(), 0x80000001);
  });

  test(`${name}: sequencers are independent (R1)`, () => {
    const core = createCore(makeCore);
    const reads = Sequencer.create(core);
    const writes = Sequencer.create(core);
    reads.take();
    reads.take();
    assert.is(writes.take(), 0);
    assert.is(reads.take(), 2);
  });
});

test.run();
