/** The checks of the build: each goes red for what it is there to find. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assemble, findFaults } from '../../build/core.ts';
import { readWasm, type WasmBinary } from '../../build/wasm.ts';

const MEMORY = ['--importMemory', '--initialMemory', '1', '--noExportMemory'];

async function compile(source: string, release = true): Promise<WasmBinary> {
  const name = 'assembly/checked.ts';
  const argv = [name, ...(release ? ['-O2', '--noAssert'] : ['--debug']), ...MEMORY];
  return readWasm(await assemble(argv, { virtual: { [name]: source }, release }));
}

async function faultsOf(source: string): Promise<string> {
  return findFaults(await compile(source), false).join('\n');
}

test('a function on memory has no fault', async () => {
  assert.is(await faultsOf('export function f(p: usize): i32 { return load<i32>(p); }'), '');
});

test('static data is a fault', async () => {
  const source = 'export function f(i: i32): i32 { return "text".charCodeAt(i); }';
  assert.match(await faultsOf(source), /data segment/);
});

test('a mutable global is a fault', async () => {
  const source = 'let count = 0; export function f(): i32 { return ++count; }';
  assert.match(await faultsOf(source), /mutable global/);
});

test('an import is a fault', async () => {
  const source =
    'declare function now(): i32; export function f(): i32 { return now() + load<i32>(0); }';
  assert.match(await faultsOf(source), /imports checked\.now/);
});

test('an exported constant is a fault', async () => {
  assert.match(await faultsOf('export const LIMIT: i32 = 3;'), /exports LIMIT/);
});

test('an invariant is checked in a debug build and leaves no load in a release', async () => {
  const source = `
    import { invariant } from './debug';
    export function f(p: usize): i32 { invariant(load<i32>(p) == 7); return 1; }`;
  const name = 'assembly/checked.ts';
  const call = async (release: boolean): Promise<() => number> => {
    const argv = [name, ...(release ? ['-O2', '--noAssert'] : ['--debug']), ...MEMORY];
    const bytes = await assemble(argv, { virtual: { [name]: source }, release });
    const memory = new WebAssembly.Memory({ initial: 1 });
    const module = new WebAssembly.Module(bytes as BufferSource);
    const { f } = new WebAssembly.Instance(module, { env: { memory } }).exports;
    // Beyond the end of memory: a load would trap.
    return () => (f as (p: number) => number)(1 << 20);
  };
  assert.is((await call(true))(), 1);
  assert.throws(await call(false));
});

test('exports are described with their types and parameter names', async () => {
  const source = 'export function mix(first: i64, second: f64, third: u32): void {}';
  assert.equal((await compile(source, false)).functions, [
    {
      name: 'mix',
      parameters: ['i64', 'f64', 'i32'],
      results: [],
      parameterNames: ['first', 'second', 'third'],
    },
  ]);
});

test.run();
