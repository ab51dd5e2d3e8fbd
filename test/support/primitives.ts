/** What the tests of the core's primitives have in common. */
import * as assert from 'uvu/assert';
import { Core, OverlappedError } from '../../src/core/index.ts';
import type { MakeCore } from './variants.ts';

/** A core of the variant, on a fresh memory. */
export function createCore({ shared, debug }: MakeCore, memoryBytes = 1 << 20): Core {
  return Core.create({ shared, debug, memoryBytes });
}

/** Asserts that `work` throws an `OverlappedError` with `code`. */
export function throwsCode(work: () => unknown, code: OverlappedError['code']): void {
  assert.throws(work, (error: unknown) => {
    assert.instance(error, OverlappedError);
    assert.is((error as OverlappedError).code, code);
    return true;
  });
}
