import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ADDRESS_BYTES, Address } from '#generated/layout';
import { AddressRecords, formatIp, parseIp } from '../../src/core/address.ts';

/** Text, and its canonical form. */
const VALID: readonly [string, string][] = [
  ['0.0.0.0', '0.0.0.0'],
  ['127.0.0.1', '127.0.0.1'],
  ['255.255.255.255', '255.255.255.255'],
  ['::', '::'],
  ['::1', '::1'],
  ['1::', '1::'],
  ['2001:DB8::0001', '2001:db8::1'],
  ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['::ffff:192.0.2.33', '::ffff:192.0.2.33'],
  ['::ffff:c000:221', '::ffff:192.0.2.33'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ['fe80::1%7', 'fe80::1%7'],
  ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
  ['0:0:0:0:0:0:0:0', '::'],
  ['a:b:c:d:e:f:0:0', 'a:b:c:d:e:f::'],
];

const INVALID = [
  '',
  'localhost',
  '1.2.3',
  '1.2.3.4.5',
  '1.2.3.256',
  '01.2.3.4',
  '1..2.3',
  '1.2.3.4 ',
  ':',
  ':::',
  '1:2:3',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7::8:9',
  '1::2::3',
  '12345::',
  'g::',
  '::1.2.3',
  '::1.2.3.4:5',
  'fe80::1%',
  '1:2:3:4:5:6:7:',
];

test('addresses are parsed and written in their canonical form', () => {
  for (const [text, canonical] of VALID) {
    const parsed = parseIp(text);
    assert.ok(parsed, text);
    assert.is(formatIp(parsed.family, parsed.bytes, 0, parsed.scope), canonical);
  }
});

test('what is not an address is not parsed', () => {
  for (const text of INVALID) assert.is(parseIp(text), undefined, JSON.stringify(text));
});

for (const shared of [false, true]) {
  test(`records survive memory${shared ? ', shared' : ''}`, () => {
    const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared });
    const u8 = new Uint8Array(buffer).fill(0xaa);
    const records = new AddressRecords(u8);
    // Twice, and more than are remembered.
    for (const round of [0, 1]) {
      for (const [index, [text, canonical]] of VALID.entries()) {
        const offset = 8 + ADDRESS_BYTES * index;
        assert.ok(records.write(offset, text, 5000 + index + round));
        const read = records.read(offset);
        assert.is(read?.address, canonical);
        assert.is(read?.port, 5000 + index + round);
        assert.is(read?.family, text.includes(':') ? 'IPv6' : 'IPv4');
        assert.is(records.family(offset), text.includes(':') ? 6 : 4);
      }
    }
  });
}

test('a record lies as the layout says, in network order', () => {
  const u8 = new Uint8Array(64).fill(0xff);
  const records = new AddressRecords(u8);
  records.write(8, '1.2.3.4', 0x1234);
  const view = new DataView(u8.buffer, 8);
  assert.is(view.getUint16(Address.family, true), 4);
  assert.is(view.getUint16(Address.port, true), 0x1234);
  assert.is(view.getUint32(Address.scope, true), 0);
  const ip = [...u8.subarray(8 + Address.ip0, 8 + Address.ip0 + 16)];
  assert.equal(ip, [1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  assert.is(u8[8 + ADDRESS_BYTES], 0xff);
});

test('only what differs reads as different', () => {
  const records = new AddressRecords(new Uint8Array(256));
  records.write(0, 'fe80::1%1', 80);
  records.write(24, 'fe80::1%2', 80);
  records.write(48, 'fe80::1%1', 81);
  records.write(72, 'fe80::1%1', 80);
  const read = [0, 24, 48, 72].map((offset) => records.read(offset));
  assert.is(read[0], read[3]);
  assert.equal(
    read.map((address) => `${address?.address} ${address?.port}`),
    ['fe80::1%1 80', 'fe80::1%2 80', 'fe80::1%1 81', 'fe80::1%1 80'],
  );
});

test('a name is not written, and a record without a family reads as none', () => {
  const u8 = new Uint8Array(32);
  const records = new AddressRecords(u8);
  assert.not(records.write(0, 'localhost', 80));
  assert.is(records.read(0), undefined);
  assert.is(records.family(0), 0);
});

test.run();
