import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileCore, compileCoreAsync, instantiate } from '../../src/core/wasm.ts';
import { forEachVariant } from '../support/variants.ts';

forEachVariant((name, makeCore) => {
  test(`${name}: instances have functions for exports and nothing else`, () => {
    const { exports } = makeCore(1);
    for (const [key, value] of Object.entries(exports)) {
      assert.type(value, 'function', key);
    }
  });

  test(`${name}: imports nothing but memory, and accepts it of any size`, () => {
    const { module, shared } = makeCore(1);
    for (const item of WebAssembly.Module.imports(module)) {
      assert.equal(`${item.module}.${item.name}`, 'env.memory');
    }
    for (const [initial, maximum] of [
      [1, 1],
      [16, 1024],
      [1, 65536],
    ] as const) {
      instantiate(module, new WebAssembly.Memory({ initial, maximum, shared }));
    }
  });
});

test('a variant is compiled once', async () => {
  assert.is(compileCore({ shared: false }), compileCore({ shared: false, debug: false }));
  assert.is(await compileCoreAsync({ shared: false }), compileCore({ shared: false }));
  assert.is.not(compileCore({ shared: false }), compileCore({ shared: true }));
});

test.run();
