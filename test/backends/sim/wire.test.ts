/** The model of unsynchronised calls, called by one thread: then nothing is ever mixed. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Wire } from '../../../backends/sim/wire.ts';
import { Core } from '../../../src/core/index.ts';

const SIZE = { segmentBytes: 64, segments: 16 } as const;

function lay(datagrams: boolean) {
  const core = Core.create({ shared: true, memoryBytes: 2 ** 20 });
  const wire = Wire.attach(core, Wire.create(core, SIZE), datagrams);
  const from = core.reserve(4096);
  const to = core.reserve(4096);
  for (let i = 0; i < 4096; i++) core.u8[from + i] = i * 7 + (i >>> 8);
  const sameAs = (bytes: number, offset: number) => {
    const expected = core.u8.slice(from + offset, from + offset + bytes);
    assert.equal(core.u8.slice(to, to + bytes), expected);
  };
  return { wire, from, to, sameAs };
}

test('a stream: a send takes what there is room for, a receive fills its range', () => {
  const { wire, from, to, sameAs } = lay(false);
  assert.is(wire.send(from, 4096), 1024, 'as many as there are segments');
  assert.is(wire.send(from + 1024, 64), 0);
  assert.equal(wire.receive(to, 200), { bytes: 192, ended: false });
  sameAs(192, 0);
  assert.is(wire.send(from + 1024, 100), 100);
  assert.equal(wire.receive(to, 832), { bytes: 832, ended: false });
  sameAs(832, 192);
  assert.equal(wire.receive(to, 64), { bytes: 64, ended: false });
  wire.finish();
  assert.equal(wire.receive(to, 4096), { bytes: 36, ended: false });
  sameAs(36, 1088);
  assert.equal(wire.receive(to, 4096), { bytes: 0, ended: true });
});

test('datagrams: all or nothing, one a receive', () => {
  const { wire, from, to, sameAs } = lay(true);
  assert.is(wire.send(from, 1025), 0);
  assert.is(wire.send(from, 300), 300);
  assert.is(wire.send(from + 300, 64), 64);
  assert.equal(wire.receive(to, 1024), { bytes: 300, ended: false });
  sameAs(300, 0);
  assert.equal(wire.receive(to, 1024), { bytes: 64, ended: false });
  sameAs(64, 300);
  assert.equal(wire.receive(to, 1024), { bytes: 0, ended: false }, 'nothing came within the time');
});

test.run();
