import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Core } from '../../src/core/index.ts';
import { createCore, throwsCode } from '../support/primitives.ts';
import { forEachVariant } from '../support/variants.ts';

forEachVariant((name, makeCore) => {
  test(`${name}: reservations are zeroed, aligned and apart, on every window on the memory`, () => {
    const core = createCore(makeCore, 1 << 16);
    const other = Core.attach(core.handle);
    assert.is(other.shared, makeCore.shared);
    assert.is(other.debug, makeCore.debug);
    const taken: [number, number][] = [];
    for (const [size, align] of [
      [1, 64],
      [100, 4],
      [64, 4096],
      [0, 64],
      [3, 8],
    ] as const) {
      const address = (taken.length % 2 === 0 ? core : other).reserve(size, align);
      assert.is(address % align, 0);
      assert.ok(address >= 1024);
      for (const [start, bytes] of taken) assert.ok(address >= start + bytes);
      taken.push([address, size]);
      assert.ok(core.u8.subarray(address, address + size).every((byte) => byte === 0));
    }
    assert.is(core.unreservedBytes, other.unreservedBytes);
    throwsCode(() => core.reserve(1 << 16), 'NO_BUFFERS');
    throwsCode(() => core.reserve(-1), 'INVALID_OPTION');
    core.reserve(core.unreservedBytes - 100);
    throwsCode(() => core.reserve(200), 'NO_BUFFERS');
  });

  test(`${name}: the memory has the size asked for, in whole pages, and never another`, () => {
    const core = createCore(makeCore, 65537);
    assert.is(core.u8.length, 131072);
    assert.is(core.memory.buffer, core.u8.buffer);
    assert.throws(() => core.memory.grow(1));
    for (const memoryBytes of [0, -1, 1.5, Number.NaN, 2 ** 32 + 1]) {
      throwsCode(() => createCore(makeCore, memoryBytes), 'INVALID_OPTION');
    }
  });
});

test('createAsync makes the same core', async () => {
  const core = await Core.createAsync({ memoryBytes: 65536 });
  assert.is(core.shared, false);
  assert.is(core.module, Core.create({ memoryBytes: 65536 }).module);
});

test.run();
