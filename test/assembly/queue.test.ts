import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  COMPLETION_BYTES,
  CompletionQueue as layout,
  QUEUE_DEQUEUE,
  QUEUE_ENQUEUE,
} from '#generated/layout';
import { CompletionQueue, type CompletionRecord, type Core } from '../../src/core/index.ts';
import { mayBlock } from '../../src/core/memory.ts';
import { createCore, throwsCode } from '../support/primitives.ts';
import { check, fc } from '../support/property.ts';
import { forEachVariant } from '../support/variants.ts';

const completion = fc.record(
  {
    token: fc.double({ noNaN: true }),
    result: fc.integer(),
    flags: fc.nat(0xffffffff),
    buffer: fc.integer(),
    systemError: fc.integer(),
  },
  { noNullPrototype: true },
);

const commands = fc.array(
  fc.oneof(
    { weight: 10, arbitrary: completion },
    { weight: 8, arbitrary: fc.constant('pop' as const) },
    { weight: 2, arbitrary: fc.constant('wait' as const) },
    { weight: 1, arbitrary: fc.constant('wake' as const) },
  ),
  { maxLength: 150, size: 'max' },
);

/** Puts an empty queue where it would stand after `position` completions. */
function moveTo(core: Core, queue: CompletionQueue, position: number): void {
  const capacity = queue.capacity;
  core.u32[(queue.address + QUEUE_ENQUEUE) >>> 2] = position;
  core.u32[(queue.address + QUEUE_DEQUEUE) >>> 2] = position;
  const cells = core.u32[(queue.address + layout.cells) >>> 2] as number;
  for (let i = 0; i < capacity; i++) {
    const index = (position + i) & (capacity - 1);
    core.u32[(cells + index * COMPLETION_BYTES) >>> 2] = position + i - index;
  }
}

forEachVariant((name, makeCore) => {
  test(`${name}: does what a bounded list does, also where positions wrap at 2^32`, async () => {
    const core = createCore(makeCore, 1 << 24);
    const positions = fc.oneof(
      fc.constant(0),
      fc.integer({ min: 2 ** 32 - 40, max: 2 ** 32 - 1 }),
      fc.integer({ min: 2 ** 31 - 40, max: 2 ** 31 }),
    );
    await check(
      fc.property(
        positions,
        fc.integer({ min: 1, max: 4 }),
        commands,
        fc.boolean(),
        (position, log2, list, closes) => {
          const queue = CompletionQueue.create(core, { capacity: 2 ** log2 });
          moveTo(core, queue, position);
          const model: CompletionRecord[] = [];
          for (const command of list) {
            if (command === 'pop') {
              assert.equal(queue.pop(), model.shift());
            } else if (command === 'wake') {
              queue.wake();
            } else if (command === 'wait') {
              assert.equal(queue.popWait(0), model.shift());
            } else {
              assert.is(queue.push(command), model.length < 2 ** log2);
              if (model.length < 2 ** log2) model.push(command);
            }
            assert.is(queue.length, model.length);
          }
          if (closes) {
            queue.close();
            throwsCode(() => queue.push({ token: 1 }), 'CLOSED');
          }
          while (model.length > 0) assert.equal(queue.popWait(0), model.shift());
          if (closes) throwsCode(() => queue.popWait(), 'CLOSED');
          else assert.is(queue.popWait(0), undefined);
        },
      ),
      { numRuns: 150 },
    );
  });

  test(`${name}: full, empty, closed`, () => {
    const queue = CompletionQueue.create(createCore(makeCore), { capacity: 2 });
    assert.is(queue.pop(), undefined);
    assert.is(queue.push({ token: 1 }), true);
    assert.is(queue.push({ token: 2, result: -5 }), true);
    assert.is(queue.push({ token: 3 }), false);
    assert.is(queue.length, 2);
    assert.equal(queue.pop(), { token: 1, result: 0, flags: 0, buffer: -100, systemError: 0 });
    assert.is(queue.push({ token: 4 }), true);
    assert.is(queue.closed, false);
    queue.close();
    queue.close();
    assert.is(queue.closed, true);
    throwsCode(() => queue.push({ token: 5 }), 'CLOSED');
    assert.is(queue.popWait()?.token, 2);
    assert.is(queue.popWait()?.token, 4);
    assert.is(queue.pop(), undefined);
    throwsCode(() => queue.popWait(), 'CLOSED');
    throwsCode(() => queue.popWait(0), 'CLOSED');
  });

  test(`${name}: a wait ends by time or by a wake, and a wake keeps until it is taken`, () => {
    const queue = CompletionQueue.create(createCore(makeCore), { capacity: 4 });
    assert.is(queue.popWait(0), undefined);
    if (!makeCore.shared || mayBlock()) {
      assert.is(queue.popWait(5), undefined);
      queue.wake();
      queue.wake();
      queue.push({ token: 8 });
      assert.is(queue.popWait()?.token, 8);
      assert.is(queue.popWait(), undefined, 'the wake');
      assert.is(queue.popWait(1), undefined, 'no second wake: the time');
    } else {
      throwsCode(() => queue.popWait(5), 'NOT_SUPPORTED');
      queue.push({ token: 8 });
      assert.is(queue.popWait()?.token, 8);
    }
  });

  test(`${name}: cells that were never used stay untouched`, () => {
    const core = createCore(makeCore);
    const queue = CompletionQueue.create(core, { capacity: 1024 });
    for (let i = 0; i < 3; i++) queue.push({ token: i });
    while (queue.pop() !== undefined);
    const cells = core.u32[(queue.address + layout.cells) >>> 2] as number;
    const unused = core.u8.subarray(cells + 3 * COMPLETION_BYTES, cells + 1024 * COMPLETION_BYTES);
    assert.ok(unused.every((byte) => byte === 0));
  });

  test(`${name}: refuses impossible capacities`, () => {
    const core = createCore(makeCore);
    for (const capacity of [0, 1, 3, 2 ** 27, Number.NaN]) {
      throwsCode(() => CompletionQueue.create(core, { capacity }), 'INVALID_OPTION');
    }
    throwsCode(() => CompletionQueue.create(core, { capacity: 2 ** 20 }), 'NO_BUFFERS');
  });
});

test.run();
