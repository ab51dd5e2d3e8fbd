/** MessagePack codec (R29): objects there and back, owned bytes, hostile messages. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type MsgpackOptions, msgpack } from '../../src/msgpack.ts';
import { check, fc } from '../support/property.ts';

const codec = msgpack();

function bytesOf(...parts: (number | string)[]): Uint8Array {
  const encoder = new TextEncoder();
  return Uint8Array.from(
    parts.flatMap((part) => (typeof part === 'number' ? [part] : [...encoder.encode(part)])),
  );
}

function refuses(message: Uint8Array, expected: RegExp, options?: MsgpackOptions): void {
  assert.throws(() => msgpack(options).decode(message), expected);
}

test('objects there and back', () => {
  const value = {
    text: 'grüße 🚀',
    numbers: [0, -1, 127, 128, -129, 65_536, 2 ** 40, 0.5, Number.NaN],
    nested: { empty: {}, list: [[], [null, true, false]] },
    when: new Date(1_700_000_000_123),
    missing: undefined,
    big: 2n ** 60n,
  };
  assert.equal(codec.decode(codec.encode(value)), value);
});

test('any JSON value there and back, from any place in a larger buffer', async () => {
  await check(
    fc.property(fc.jsonValue({ maxDepth: 8 }), fc.nat(70), (value, offset) => {
      const encoded = codec.encode(value);
      const memory = new Uint8Array(encoded.length + offset + 7).fill(0xc1);
      memory.set(encoded, offset);
      const decoded = codec.decode(memory.subarray(offset, offset + encoded.length));
      // MessagePack keeps neither -0 nor a key `__proto__`.
      assert.equal(
        JSON.stringify(decoded),
        JSON.stringify(value).replaceAll('"__proto__":', '"__proto_":'),
      );
    }),
  );
});

test('decoded bytes and strings are owned', () => {
  const value = {
    bytes: new Uint8Array([1, 2, 3]),
    long: new Uint8Array(5_000).fill(7),
    text: 'x'.repeat(300),
  };
  const memory = new Uint8Array(codec.encode(value));
  const decoded = codec.decode(memory) as typeof value;
  memory.fill(0xff);
  codec.decode(codec.encode({ other: new Uint8Array(6_000).fill(9) }));
  assert.equal([...decoded.bytes], [1, 2, 3]);
  assert.ok(decoded.long.every((byte) => byte === 7));
  assert.is(decoded.text, value.text);
  assert.is(decoded.bytes.buffer === memory.buffer, false);
});

test('borrowed bytes in shared memory', () => {
  const memory = new Uint8Array(new SharedArrayBuffer(1_024));
  const encoded = codec.encode({
    text: 'ü'.repeat(200),
    list: ['a', 'b', 'abcdefghijklmnopqrstuvwxyz'],
  });
  memory.set(encoded, 10);
  assert.equal(codec.decode(memory.subarray(10, 10 + encoded.length)), {
    text: 'ü'.repeat(200),
    list: ['a', 'b', 'abcdefghijklmnopqrstuvwxyz'],
  });
});

test('messages larger than the reused copy', () => {
  const value = { list: Array.from({ length: 40_000 }, (_, i) => `item ${i}`) };
  assert.equal(codec.decode(codec.encode(value)), value);
});

test('every truncation of a message is refused', () => {
  const whole = codec.encode({
    a: [1, 2.5, 'three', new Date(5), 2n ** 62n],
    b: new Uint8Array(40),
  });
  for (let size = 0; size < whole.length; size++)
    refuses(whole.subarray(0, size), /unexpected end/);
});

test('bytes after the value are refused', () => {
  const whole = codec.encode([1, 2]);
  refuses(bytesOf(...whole, 0), /bytes after the value at byte 3/);
  refuses(bytesOf(...whole, ...whole), /bytes after the value/);
});

test('announced lengths beyond the message reserve nothing', () => {
  refuses(bytesOf(0xdd, 0xff, 0xff, 0xff, 0xff), /unexpected end/);
  refuses(bytesOf(0xdf, 0x7f, 0xff, 0xff, 0xff, 0x01), /unexpected end/);
  refuses(bytesOf(0xc6, 0xff, 0xff, 0xff, 0xff, 0x01), /unexpected end/);
  refuses(bytesOf(0xdb, 0xff, 0xff, 0xff, 0xff, 'a'), /unexpected end/);
  refuses(bytesOf(0xc9, 0xff, 0xff, 0xff, 0xff, 0xff), /unexpected end/);
});

test('nesting is bounded, and exactly', () => {
  const nested = (depth: number) => new Uint8Array(depth + 1).fill(0x91).fill(0xc0, depth);
  assert.ok(codec.decode(nested(64)));
  refuses(nested(65), /nesting deeper than 64/);
  refuses(nested(1_000_000), /nesting deeper than 64/);
  refuses(nested(3), /nesting deeper than 2/, { maxDepth: 2 });
  refuses(
    bytesOf(...new Array<number>(65).fill(0x81).flatMap((map) => [map, 0xa1, 0x61]), 0xc0),
    /deeper/,
  );
});

test('a key __proto__ changes no prototype', () => {
  const inner = bytesOf(0x81, 0xa8, 'polluted', 0xc3);
  for (const key of [bytesOf(0xa9, '__proto__'), bytesOf(0xd9, 9, '__proto__')]) {
    const decoded = codec.decode(bytesOf(0x81, ...key, ...inner)) as object;
    assert.is(Object.getPrototypeOf(decoded), Object.prototype);
    assert.is(({} as { polluted?: boolean }).polluted, undefined);
    assert.is((decoded as { polluted?: boolean }).polluted, undefined);
  }
  const constructed = codec.decode(
    bytesOf(0x81, 0xab, 'constructor', 0x81, 0xa9, 'prototype', ...inner),
  );
  assert.ok(constructed);
  assert.is(({} as { polluted?: boolean }).polluted, undefined);
});

test('extensions that evaluate, refer or move are refused', () => {
  // a record definition (its reader is compiled), in both of its lengths
  refuses(bytesOf(0xd4, 0x72, 0x40, 0x91, 0xa1, 'a', 0x01), /extension 114 is not allowed/);
  refuses(bytesOf(0xd5, 0x72, 0x40, 0x00, 0x91, 0xa1, 'a', 0x01), /extension 114 is not allowed/);
  // bundled strings, identities, references, errors, regular expressions
  for (const type of [0x62, 0x69, 0x70, 0x65, 0x78]) {
    refuses(bytesOf(0xd6, type, 0, 0, 0, 0, 0xc0), /is not allowed/);
    refuses(bytesOf(0xd6, type, 0, 0, 0, 0, 0xc0), /is not allowed/, { moreTypes: true });
  }
  refuses(bytesOf(0xc1), /never used/);
  refuses(bytesOf(0xd4, 0x05, 0x00), /extension 5 is not allowed/);
});

test('sets and typed arrays only where they are allowed', () => {
  const more = msgpack({ moreTypes: true });
  const value = { set: new Set([1, 'two']), floats: new Float64Array([0.25, -3]) };
  assert.equal(more.decode(more.encode(value)), value);
  assert.throws(() => codec.decode(more.encode(value)), /is not allowed/);
  // eight bytes are no whole number of 16-byte elements, and code 99 is no type
  assert.throws(() => more.decode(bytesOf(0xc7, 4, 0x74, 8, 1, 2, 3)));
  assert.throws(() => more.decode(bytesOf(0xc7, 4, 0x74, 99, 1, 2, 3)));
});

test('options are passed on', () => {
  const numbers = msgpack({ int64AsType: 'number' });
  assert.is(numbers.decode(numbers.encode(2n ** 52n)), 2 ** 52);
  const maps = msgpack({ mapsAsObjects: false });
  assert.equal(maps.decode(maps.encode({ a: 1 })), new Map([['a', 1]]));
  const nil = msgpack({ encodeUndefinedAsNil: true });
  assert.is(nil.decode(nil.encode(undefined)), null);
});

test('arbitrary bytes decode or throw an Error, and leave the codec working', async () => {
  await check(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        codec.decode(bytes);
      } catch (error) {
        assert.instance(error, Error);
      }
      assert.equal(codec.decode(codec.encode({ still: ['works'] })), { still: ['works'] });
    }),
  );
});

test.run();
