import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ARENA_ASIDE, ARENA_MIN_LOG2, Arena as layout } from '#generated/layout';
import { Arena, type Core } from '../../src/core/index.ts';
import { ArenaModel } from '../models/arena.ts';
import { createCore, throwsCode } from '../support/primitives.ts';
import { check, fc } from '../support/property.ts';
import { forEachVariant } from '../support/variants.ts';

const UNIT = 2 ** ARENA_MIN_LOG2;

function baseOf(core: Core, arena: Arena): number {
  return core.u32[(arena.address + layout.base) >>> 2] as number;
}

const sizes = fc.oneof(
  fc.integer({ min: 0, max: 3 * UNIT }),
  fc.integer({ min: 0, max: 40 * UNIT }),
  fc.constantFrom(UNIT - 1, UNIT, UNIT + 1, 4 * UNIT, 4 * UNIT + 1, 0xffffffff),
);
const commands = fc.array(
  fc.record({
    kind: fc.constantFrom('alloc', 'alloc', 'alloc', 'free', 'free', 'grow' as const),
    size: sizes,
    which: fc.nat(),
  }),
  { maxLength: 200, size: 'max' },
);

forEachVariant((name, makeCore) => {
  test(`${name}: finds a place exactly where there is one; blocks never overlap; all comes back`, async () => {
    const core = createCore(makeCore, 1 << 25);
    await check(
      fc.property(fc.integer({ min: 0, max: 6 }), commands, (log2, list) => {
        const units = 2 ** log2;
        const arena = Arena.create(core, { sizeBytes: units * UNIT });
        const model = new ArenaModel(units, UNIT);
        const base = baseOf(core, arena);
        let stamp = 0;
        const stamps = new Map<number, number>();
        const write = (offset: number) => {
          stamp = (stamp % 250) + 1;
          stamps.set(offset, stamp);
          arena.view(base + offset).fill(stamp);
        };
        const verify = (offset: number, bytes = arena.blockBytes(base + offset)) => {
          const wanted = stamps.get(offset) as number;
          const view = arena.view(base + offset).subarray(0, bytes);
          assert.ok(
            view.every((byte) => byte === wanted),
            'the bytes of a block changed',
          );
        };
        for (const { kind, size, which } of list) {
          const offsets = [...model.blocks.keys()];
          const offset = offsets[which % offsets.length];
          if (kind === 'alloc') {
            const address = arena.alloc(size);
            assert.is(address !== undefined, model.canAllocate(size), 'found a place');
            if (address !== undefined) {
              model.place(address - base, size);
              write(address - base);
            }
          } else if (offset !== undefined && kind === 'free') {
            verify(offset);
            arena.free(base + offset);
            model.free(offset);
            throwsCode(() => arena.blockBytes(base + offset), 'STALE_TOKEN');
          } else if (offset !== undefined) {
            const before = arena.blockBytes(base + offset);
            assert.is(arena.grow(base + offset, size), model.grow(offset, size), 'grew');
            verify(offset, before);
            write(offset);
          }
          assert.is(arena.usedBytes, model.usedBytes);
        }
        for (const [offset, count] of model.blocks) {
          assert.is(arena.blockBytes(base + offset), count * UNIT);
          verify(offset);
          arena.free(base + offset);
        }
        assert.is(arena.usedBytes, 0);
        assert.is(arena.alloc(units * UNIT), base, 'the whole arena in one block again');
      }),
      { numRuns: 150 },
    );
  });

  test(`${name}: grows in place, step by step and over several orders`, () => {
    const core = createCore(makeCore);
    const arena = Arena.create(core, { sizeBytes: 64 * UNIT });
    const block = arena.alloc(10) as number;
    assert.is(arena.blockBytes(block), UNIT);
    assert.is(arena.grow(block, UNIT + 1), true);
    assert.is(arena.grow(block, 32 * UNIT), true);
    assert.is(arena.blockBytes(block), 32 * UNIT);
    const above = arena.alloc(1) as number;
    assert.is(arena.grow(block, 33 * UNIT), false);
    assert.is(arena.blockBytes(block), 32 * UNIT);
    arena.free(above);
    assert.is(arena.grow(block, 33 * UNIT), true);
    assert.is(arena.grow(block, 65 * UNIT), false);
    assert.is(arena.usedBytes, 64 * UNIT);
    assert.is(arena.peakBytes, 64 * UNIT);
    assert.is(arena.alloc(1), undefined);
  });

  test(`${name}: what was freed last goes out first`, () => {
    const arena = Arena.create(createCore(makeCore), { sizeBytes: 64 * UNIT });
    arena.alloc(1);
    const hot = arena.alloc(1) as number;
    for (let i = 0; i < 3; i++) {
      arena.free(hot);
      assert.is(arena.alloc(1), hot);
    }
  });

  test(`${name}: a burst that was freed is there for what is larger, from the first block to the last`, () => {
    const core = createCore(makeCore, 1 << 23);
    const units = 4096;
    const arena = Arena.create(core, { sizeBytes: units * UNIT });
    const base = baseOf(core, arena);
    for (let round = 0; round < 2; round++) {
      const blocks = Array.from({ length: units }, () => arena.alloc(1) as number);
      assert.is(new Set(blocks).size, units);
      assert.is(arena.alloc(1), undefined);
      for (const block of blocks) arena.free(block);
      assert.is(arena.usedBytes, 0);
      for (const block of blocks.slice(0, 4)) {
        throwsCode(() => arena.free(block), 'STALE_TOKEN');
        throwsCode(() => arena.blockBytes(block), 'STALE_TOKEN');
      }
      // As they lie: what is put aside has a bound, for all of it is merged at once.
      let aside = 0;
      let at = core.u32[(arena.address + ARENA_ASIDE) >>> 2] as number;
      for (; at !== 0; at = core.u32[at >>> 2] as number) aside++;
      assert.ok(aside > 0 && aside < units / 2, `${aside} of ${units} blocks are put aside`);
      const [half, rest] = [arena.alloc((units / 2) * UNIT), arena.alloc((units / 2) * UNIT)];
      assert.equal(new Set([half, rest]), new Set([base, base + (units / 2) * UNIT]));
      arena.free(half as number);
      arena.free(rest as number);
    }
    assert.is(arena.alloc(units * UNIT), base);
  });

  test(`${name}: addresses where no block starts are refused and harm nothing`, () => {
    const core = createCore(makeCore);
    const arena = Arena.create(core, { sizeBytes: 16 * UNIT });
    const block = arena.alloc(3 * UNIT) as number;
    const base = baseOf(core, arena);
    for (const address of [
      0,
      1,
      base - UNIT,
      block + 1,
      block + UNIT,
      base + 16 * UNIT,
      2 ** 32 - UNIT,
    ]) {
      throwsCode(() => arena.free(address), 'STALE_TOKEN');
      throwsCode(() => arena.grow(address, 1), 'STALE_TOKEN');
    }
    arena.free(block);
    throwsCode(() => arena.free(block), 'STALE_TOKEN');
    assert.is(arena.usedBytes, 0);
  });

  test(`${name}: touches at most one page an order before blocks are used`, () => {
    const core = createCore(makeCore, 1 << 22);
    const sizeBytes = 1 << 21;
    const arena = Arena.create(core, { sizeBytes });
    arena.alloc(1);
    const base = baseOf(core, arena);
    let touched = 0;
    for (let offset = 0; offset < sizeBytes; offset += 4096) {
      const page = core.u8.subarray(base + offset, base + offset + 4096);
      if (page.some((byte) => byte !== 0)) touched++;
    }
    assert.ok(touched <= Math.log2(sizeBytes) - ARENA_MIN_LOG2, `${touched} pages`);
  });
});

test.run();
