import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR_DUPLICATE_SEQUENCE, InOrderStore, NOTHING } from '#generated/layout';
import { OverlappedError, ReorderBuffer } from '../../src/core/index.ts';
import { ReorderModel, type ReorderOutcome } from '../models/reorder.ts';
import { createCore, throwsCode } from '../support/primitives.ts';
import { check, fc } from '../support/property.ts';
import { forEachVariant } from '../support/variants.ts';

const WRAP = 2 ** 32;

function outcome(work: () => number | undefined): ReorderOutcome {
  try {
    return work() ?? 'nothing';
  } catch (error) {
    if (!(error instanceof OverlappedError)) throw error;
    if (error.code === 'DUPLICATE_SEQUENCE') return 'duplicate';
    if (error.code === 'OUT_OF_WINDOW') return 'out of window';
    if (error.code === 'INVALID_OPTION') return 'none in hand';
    throw error;
  }
}

type Command =
  | { readonly kind: 'give'; readonly ahead: number; readonly value: number }
  | { readonly kind: 'done' }
  | { readonly kind: 'drain' };

const commands = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('give' as const),
        ahead: fc.integer({ min: -3, max: 10 }),
        value: fc.nat(0x7fffffff),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('give' as const),
        ahead: fc.integer({ min: -0x7fffffff, max: 0x7fffffff }),
        value: fc.nat(0x7fffffff),
      }),
    },
    { weight: 5, arbitrary: fc.constant<Command>({ kind: 'done' }) },
    { weight: 1, arbitrary: fc.constant<Command>({ kind: 'drain' }) },
  ),
  { maxLength: 120, size: 'max' },
);
/** First numbers: near the wrap, near the sign bit, anywhere. */
const starts = fc.oneof(
  fc.integer({ min: WRAP - 20, max: WRAP - 1 }),
  fc.integer({ min: 2 ** 31 - 20, max: 2 ** 31 + 5 }),
  fc.integer({ min: 0, max: WRAP - 1 }),
);

forEachVariant((name, makeCore) => {
  test(`${name}: does what the model does, also across 2^32 (R3, R4)`, async () => {
    const core = createCore(makeCore, 1 << 24);
    await check(
      fc.property(starts, fc.integer({ min: 0, max: 3 }), commands, (next, windowLog2, list) => {
        const window = 2 ** windowLog2;
        const buffer = ReorderBuffer.create(core, { next, window });
        const model = new ReorderModel(window, next);
        for (const command of list) {
          if (command.kind === 'give') {
            const absolute = model.next + command.ahead;
            const sequence = ((absolute % WRAP) + WRAP) % WRAP;
            assert.is(
              outcome(() => buffer.getNext(sequence, command.value)),
              model.getNext(absolute, command.value),
            );
          } else if (command.kind === 'done') {
            assert.is(
              outcome(() => buffer.processAndGetNext()),
              model.processAndGetNext(),
            );
          } else {
            assert.is(buffer.drain(), model.drain());
          }
          assert.is(buffer.next, model.next % WRAP);
          assert.is(buffer.stored, model.stored);
          assert.is(buffer.processing, model.processing);
        }
      }),
      { numRuns: 150 },
    );
  });

  test(`${name}: any arrival order comes out in order, each value once (R3)`, async () => {
    const core = createCore(makeCore, 1 << 24);
    const permutation = fc.integer({ min: 1, max: 64 }).chain((count) =>
      fc.shuffledSubarray(
        Array.from({ length: count }, (_, index) => index),
        { minLength: count, maxLength: count },
      ),
    );
    await check(
      fc.property(starts, permutation, (next, order) => {
        const buffer = ReorderBuffer.create(core, { next, window: 64 });
        const seen: number[] = [];
        for (const index of order) {
          let value = buffer.getNext((next + index) % WRAP, index);
          for (; value !== undefined; value = buffer.processAndGetNext()) seen.push(value);
        }
        assert.equal(
          seen,
          order.map((_, index) => index),
        );
        assert.is(buffer.stored, 0);
      }),
      { numRuns: 100 },
    );
  });

  test(`${name}: a number is refused while it is processed, stored, or done (R3)`, () => {
    const buffer = ReorderBuffer.create(createCore(makeCore), { next: 0xffffffff, window: 4 });
    assert.is(buffer.getNext(0xffffffff, 1), 1);
    throwsCode(() => buffer.getNext(0xffffffff, 1), 'DUPLICATE_SEQUENCE');
    assert.is(buffer.getNext(0, 2), undefined);
    throwsCode(() => buffer.getNext(0, 9), 'DUPLICATE_SEQUENCE');
    assert.is(buffer.processAndGetNext(), 2);
    throwsCode(() => buffer.getNext(0xffffffff, 1), 'DUPLICATE_SEQUENCE');
    throwsCode(() => buffer.getNext(0, 2), 'DUPLICATE_SEQUENCE');
    assert.is(buffer.processAndGetNext(), undefined);
    throwsCode(() => buffer.getNext((1 + 2 ** 31) % WRAP, 3), 'DUPLICATE_SEQUENCE');
    throwsCode(() => buffer.getNext(2 ** 31, 3), 'OUT_OF_WINDOW');
    throwsCode(() => buffer.getNext(5, 3), 'OUT_OF_WINDOW');
    assert.is(buffer.getNext(4, 3), undefined);
    throwsCode(() => buffer.getNext(1, -1), 'INVALID_OPTION');
    throwsCode(() => buffer.processAndGetNext(), 'INVALID_OPTION');
    assert.is(buffer.next, 1);
  });

  test(`${name}: drain gives back every stored value, lowest number first`, () => {
    const buffer = ReorderBuffer.create(createCore(makeCore), { next: 0xfffffffe, window: 8 });
    buffer.getNext(3, 13);
    buffer.getNext(0xffffffff, 10);
    buffer.getNext(1, 11);
    assert.equal([buffer.drain(), buffer.drain(), buffer.drain()], [10, 11, 13]);
    assert.is(buffer.drain(), undefined);
    assert.is(buffer.stored, 0);
    assert.is(buffer.getNext(0xfffffffe, 4), 4);
  });

  test(`${name}: the locked and the plain functions are the same store, and leave the lock free`, () => {
    const core = createCore(makeCore);
    const buffer = ReorderBuffer.create(core, { window: 4 });
    const { address } = buffer;
    const { exports } = core;
    assert.is(exports.storeGetNextLocked(address, 1, 21), NOTHING);
    assert.is(exports.storeGetNext(address, 0, 20), 20);
    assert.is(exports.storeGetNextLocked(address, 0, 20), ERROR_DUPLICATE_SEQUENCE);
    assert.is(exports.storeProcessAndGetNextLocked(address), 21);
    assert.is(exports.storeProcessAndGetNext(address), NOTHING);
    assert.is(core.i32[(address + InOrderStore.lock) >>> 2], 0);
  });

  test(`${name}: refuses impossible options`, () => {
    const core = createCore(makeCore);
    for (const window of [0, 3, 2 ** 21, Number.NaN, 1.5]) {
      throwsCode(() => ReorderBuffer.create(core, { window }), 'INVALID_OPTION');
    }
    throwsCode(() => ReorderBuffer.create(core, { next: WRAP }), 'INVALID_OPTION');
  });
});

test.run();
