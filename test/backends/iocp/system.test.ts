/** Where the backend can be had, and what is said where it cannot. */
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { create, iocp, probe } from '../../../backends/iocp/index.ts';
import { checkOptions } from '../../../backends/iocp/options.ts';
import { unsupported } from '../../../backends/iocp/system.ts';
import { unsuitableKoffi } from '../../../backends/koffi.ts';
import { OverlappedError } from '../../../src/errors.ts';
import { chooseBackend } from '../../../src/registry.ts';

test('a host that cannot have completion ports is told why', () => {
  assert.match(unsupported('linux', 'x64', undefined) ?? '', /this is linux/);
  assert.match(unsupported('win32', 'ia32', undefined) ?? '', /not for ia32/);
  assert.match(unsupported('win32', 'x64', '1.3.14') ?? '', /Bun 1\.3\.14 .* Bun 1\.4\.5/);
  assert.match(unsupported('win32', 'x64', '1.4.4') ?? '', /1\.4\.5/);
  for (const version of [undefined, '1.4.5', '1.4.6', '1.10.0', '2.0.0-canary.1']) {
    assert.is(unsupported('win32', 'x64', version), undefined);
  }
  assert.is(unsupported('win32', 'arm64', undefined), undefined);
});

test('a koffi that is too old, or none, is told with what to do', () => {
  for (const version of [undefined, 3, '', '2.9.9', '3.3.3', '3.2.10']) {
    assert.match(unsuitableKoffi(version) ?? '', /koffi 3\.3\.4 or later .* npm install koffi/);
  }
  for (const version of ['3.3.4', '3.3.5-beta.1', '3.10.0', '4.0.0']) {
    assert.is(unsuitableKoffi(version), undefined);
  }
});

test('impossible options are refused by name', async () => {
  const wrong = [
    { acceptDepth: 0 },
    { acceptDepth: 257 },
    { receiveDepth: 65 },
    { sendDepth: 1.5 },
    { idlePasses: -1 },
    { zeroByteReceives: 'sometimes' as never },
    { acceptDepth: Number.NaN },
  ];
  for (const options of wrong) {
    const [name] = Object.keys(options) as [string];
    assert.throws(
      () => iocp(options),
      (error: Error) => error instanceof RangeError && error.message.includes(name),
    );
    let failure: unknown;
    await create({} as never, options).catch((error: unknown) => {
      failure = error;
    });
    assert.instance(failure, RangeError);
  }
});

test('direct sends go one by one only', () => {
  assert.is(checkOptions({}).directSends, true);
  assert.is(checkOptions({ sendDepth: 2 }).directSends, false);
  assert.is(checkOptions({ directSends: false }).directSends, false);
});

if (process.platform === 'win32') {
  test('on Windows it is what `auto` takes', async () => {
    assert.equal(await probe(), { available: true, detail: 'completion ports of Windows' });
    const { selection, tried } = await chooseBackend();
    assert.is(selection.name, 'iocp');
    assert.equal(tried, [{ name: 'iocp', available: true, reason: 'completion ports of Windows' }]);
  });
} else {
  test('elsewhere `auto` passes it over and says why; by name it is refused', async () => {
    const { selection, reason, tried } = await chooseBackend();
    assert.is.not(selection.name, 'iocp');
    assert.match(reason, new RegExp(`iocp: .*this is ${process.platform}`));
    assert.is(tried[0]?.name, 'iocp');
    assert.is(tried[0]?.available, false);
    for (const wanted of ['iocp', iocp() as never] as const) {
      const error: unknown = await chooseBackend(wanted).catch((failure: unknown) => failure);
      assert.instance(error, OverlappedError);
      assert.is((error as OverlappedError).code, 'NOT_SUPPORTED');
    }
  });
}

test.run();
