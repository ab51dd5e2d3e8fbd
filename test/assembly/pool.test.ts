import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Pool as layout, PoolLink } from '#generated/layout';
import { Pool } from '../../src/core/index.ts';
import { PoolModel } from '../models/pool.ts';
import { createCore, throwsCode } from '../support/primitives.ts';
import { check, fc } from '../support/property.ts';
import { forEachVariant } from '../support/variants.ts';

const SLOTS = 2 ** 20;

type Command =
  | { readonly kind: 'acquire' }
  | { readonly kind: 'release'; readonly slot: number }
  | { readonly kind: 'check'; readonly token: number };

const commands = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constant<Command>({ kind: 'acquire' }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('release' as const),
        slot: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer()),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('check' as const), token: fc.double() }),
    },
  ),
  { maxLength: 150, size: 'max' },
);

function releases(pool: Pool, slot: number): boolean {
  try {
    pool.release(slot);
    return true;
  } catch (error) {
    assert.is((error as { code?: string }).code, 'STALE_TOKEN');
    return false;
  }
}

forEachVariant((name, makeCore) => {
  test(`${name}: does what the model does; a token lives as long as its use of the slot`, async () => {
    const core = createCore(makeCore, 1 << 23);
    await check(
      fc.property(fc.integer({ min: 1, max: 8 }), commands, (capacity, list) => {
        const pool = Pool.create(core, { capacity, strideBytes: 8 });
        const model = new PoolModel(capacity);
        const live = new Map<number, number>();
        const stale = new Set<number>();
        for (const command of list) {
          if (command.kind === 'acquire') {
            const slot = pool.acquire();
            assert.is(slot, model.acquire());
            if (slot !== undefined) {
              const token = pool.token(slot);
              assert.ok(token > 0 && token < 2 ** 52 && token % SLOTS === slot);
              assert.not.ok(stale.has(token), 'a token came back');
              live.set(slot, token);
            }
          } else if (command.kind === 'release') {
            assert.is(releases(pool, command.slot), model.release(command.slot));
            const token = live.get(command.slot);
            if (token !== undefined) stale.add(token);
            live.delete(command.slot);
          } else {
            const known = [...live].find(([, token]) => token === command.token);
            assert.is(pool.check(command.token), known?.[0]);
          }
          assert.is(pool.inUse, model.inUse.size);
        }
        for (const [slot, token] of live) assert.is(pool.check(token), slot);
        for (const token of stale) assert.is(pool.check(token), undefined);
      }),
      { numRuns: 150 },
    );
  });

  test(`${name}: hostile tokens name nothing`, () => {
    const pool = Pool.create(createCore(makeCore), { capacity: 4 });
    const slot = pool.acquire() as number;
    const token = pool.token(slot);
    const hostile = [
      0,
      -0,
      -1,
      -token,
      token + 0.5,
      token + 1,
      token + SLOTS,
      token - SLOTS,
      token + 2 ** 52,
      2 ** 52,
      2 ** 53,
      2 ** 63,
      2 ** 64,
      1e300,
      Number.MIN_VALUE,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      SLOTS + 3,
      SLOTS + 4,
      SLOTS - 1,
      2 ** 52 - 1,
    ];
    for (const number of hostile) assert.is(pool.check(number), undefined, String(number));
    assert.is(pool.check(token), slot);
    for (const number of [-1, 1, 4, 2 ** 31, -(2 ** 31)]) {
      throwsCode(() => pool.release(number), 'STALE_TOKEN');
    }
    throwsCode(() => pool.token(1), 'STALE_TOKEN');
    throwsCode(() => pool.slotAddress(4), 'INVALID_OPTION');
    pool.release(slot);
    throwsCode(() => pool.release(slot), 'STALE_TOKEN');
    assert.is(pool.check(token), undefined);
  });

  test(`${name}: generations wrap past 0, so no token is ever 0`, () => {
    const core = createCore(makeCore);
    const pool = Pool.create(core, { capacity: 1 });
    pool.release(pool.acquire() as number);
    const link = core.u32[(pool.address + layout.links) >>> 2] as number;
    core.u32[(link + PoolLink.generation) >>> 2] = 0xffffffff;
    pool.acquire();
    assert.is(pool.token(0), 0xffffffff * SLOTS);
    assert.is(pool.check(0xffffffff * SLOTS), 0);
    pool.release(0);
    pool.acquire();
    assert.is(pool.token(0), SLOTS);
  });

  test(`${name}: the list's head never looks the same again, though the same slot is on top`, () => {
    // Else a thread that was held up inside an acquire would exchange the
    // head for a successor that is in use by now (ABA).
    const core = createCore(makeCore);
    const pool = Pool.create(core, { capacity: 2 });
    const head = (pool.address + layout.head) >>> 2;
    const slots = [pool.acquire() as number, pool.acquire() as number];
    for (const slot of slots) pool.release(slot);
    const tags = new Set<number>();
    for (let i = 0; i < 10; i++) {
      assert.is(core.u32[head], slots[1]);
      tags.add(core.u32[head + 1] as number);
      assert.is(pool.acquire(), slots[1]);
      assert.is(pool.acquire(), slots[0]);
      for (const slot of slots) pool.release(slot);
    }
    assert.is(tags.size, 10);
  });

  test(`${name}: slots lie side by side; slots and links not handed out stay untouched`, () => {
    const core = createCore(makeCore);
    const pool = Pool.create(core, { capacity: 1000, strideBytes: 96 });
    const base = pool.slotAddress(0);
    assert.is(pool.slotAddress(999), base + 999 * 96);
    assert.is(pool.view(3).byteOffset, base + 3 * 96);
    assert.is(pool.view(3).length, 96);
    for (let i = 0; i < 3; i++) pool.acquire();
    const links = core.u32[(pool.address + layout.links) >>> 2] as number;
    const end = base + 1000 * 96;
    assert.ok(core.u8.subarray(links + 3 * PoolLink.$size, end).every((byte) => byte === 0));
  });
});

test.run();
