import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import { framingRecordBytes, writeFramingRecord } from '../../src/core/framing-record.ts';
import { OverlappedError } from '../../src/errors.ts';
import {
  checkFraming,
  delimiter,
  type Framing,
  fixed,
  lengthField,
  line,
  parseFraming,
  raw,
  varint,
} from '../../src/framing.ts';

const LIMITS = { maxFrameBytes: 65_536, failFast: true, onOversize: 'error' };

/** Asserts INVALID_OPTION, with all of `words` in the message. */
function refuses(make: () => unknown, ...words: string[]): void {
  assert.throws(make, (error: unknown) => {
    assert.instance(error, OverlappedError);
    assert.is((error as OverlappedError).code, 'INVALID_OPTION');
    for (const word of words)
      assert.ok((error as Error).message.includes(word), `${word} in: ${error}`);
    return true;
  });
}

test('descriptions are complete, frozen and plain', () => {
  assert.equal(raw(), { kind: 'raw' });
  assert.equal(fixed(12), { kind: 'fixed', size: 12 });
  assert.equal(lengthField({ size: 2, offset: 1 }), {
    kind: 'lengthField',
    size: 2,
    endian: 'big',
    offset: 1,
    adjustment: 0,
    includesHeader: false,
    strip: 3,
    ...LIMITS,
  });
  assert.equal(varint(), { kind: 'varint', offset: 0, maxBytes: 5, keepHeader: false, ...LIMITS });
  const ended = { stripDelimiter: true, unterminated: 'error', ...LIMITS };
  assert.equal(line(), { kind: 'line', ...ended });
  assert.equal(delimiter('é'), {
    kind: 'delimiter',
    delimiters: [Uint8Array.of(0xc3, 0xa9)],
    ...ended,
  });
  for (const framing of [
    raw(),
    fixed(1),
    lengthField({ size: 1 }),
    varint(),
    line(),
    delimiter('x'),
  ]) {
    assert.ok(Object.isFrozen(framing));
  }
});

test('delimiters come alone, as a list or among the options, and are copied', () => {
  const bytes = Uint8Array.of(13, 10);
  const framing = delimiter(bytes, { stripDelimiter: false });
  bytes[0] = 0;
  assert.equal(framing.delimiters, [Uint8Array.of(13, 10)]);
  assert.is(framing.stripDelimiter, false);
  assert.equal(delimiter(['\r\n', '\n']), delimiter({ delimiters: ['\r\n', Uint8Array.of(10)] }));
});

test('what cannot work is refused, with the option, the value and what is allowed', () => {
  refuses(() => lengthField({ size: 5 as 4 }), 'size', '5', '1, 2, 3, 4, 8');
  refuses(() => lengthField({} as { size: 4 }), 'size', 'undefined');
  refuses(
    () => lengthField({ size: 2, endian: 'middle' as 'big' }),
    'endian',
    "'middle'",
    "'little'",
  );
  refuses(() => lengthField({ size: 2, ofset: 1 } as never), 'ofset', 'offset');
  refuses(() => lengthField({ size: 2, offset: -1 }), 'offset', '-1');
  refuses(() => lengthField({ size: 2, offset: 1.5 }), 'offset', '1.5', 'integer');
  refuses(() => lengthField({ size: 2, adjustment: 2 ** 31 }), 'adjustment');
  refuses(() => lengthField({ size: 2, maxFrameBytes: 0 }), 'maxFrameBytes', '0');
  refuses(
    () => lengthField({ size: 2, maxFrameBytes: 2 ** 30 + 1 }),
    'maxFrameBytes',
    String(2 ** 30),
  );
  refuses(() => lengthField({ size: 8, maxFrameBytes: 7 }), 'maxFrameBytes', '8');
  refuses(() => lengthField({ size: 1, strip: 70_000 }), 'maxFrameBytes', '70000');
  refuses(() => lengthField({ size: 1, offset: 300, includesHeader: true }), 'adjustment', '46');
  refuses(() => lengthField({ size: 2, failFast: 'no' as never }), 'failFast', "'no'");
  refuses(() => lengthField(2 as never), 'options of lengthField', '2');
  refuses(() => varint({ maxBytes: 6 }), 'maxBytes', '6');
  refuses(() => varint({ maxFrameBytes: 4 }), 'maxFrameBytes', '5');
  refuses(() => varint({ onOversize: 'ignore' as never }), 'onOversize', "'discard'");
  refuses(() => fixed(0), 'size', '0');
  refuses(() => line({ unterminated: 'keep' as never }), 'unterminated', "'deliver'");
  refuses(() => delimiter([]), 'delimiters', '1 to 16');
  refuses(() => delimiter(Array.from({ length: 17 }, (_, i) => `${i}`)), 'delimiters', '17');
  refuses(() => delimiter(''), 'delimiters', '0 bytes');
  refuses(() => delimiter('x'.repeat(65)), 'delimiters', '65 bytes');
  refuses(() => delimiter([5 as never]), 'delimiters', '5');
  refuses(() => delimiter('abc', { maxFrameBytes: 2 }), 'maxFrameBytes', '3');
  refuses(() => delimiter({ delimiters: '\n', strip: true } as never), 'strip');
  refuses(() => checkFraming({ kind: 'lines' } as never), 'framing', "'lines'");
  refuses(() => checkFraming(undefined as never), 'framing', 'undefined');
});

test('the least adjustment that a refusal names is accepted', () => {
  const options = { size: 1, offset: 300, includesHeader: true } as const;
  refuses(() => lengthField({ ...options, adjustment: 45 }), '46');
  assert.is(lengthField({ ...options, adjustment: 46 }).adjustment, 46);
});

test('a delimiter that can never end a frame is refused', () => {
  refuses(() => delimiter(['\r\n', '\r']), '0d 0a', '0d ends first');
  refuses(() => delimiter(['abcd', 'bc']), '62 63');
  assert.is(delimiter(['\r\n', '\n']).delimiters.length, 2);
  assert.is(delimiter(['ab', 'ab', 'b']).delimiters.length, 3);
});

test('a description from elsewhere is checked and completed', () => {
  assert.equal(checkFraming({ kind: 'lengthField', size: 4 } as Framing), lengthField({ size: 4 }));
  const all = [
    raw(),
    fixed(3),
    lengthField({ size: 8, strip: 2 }),
    varint({ offset: 1 }),
    line(),
    delimiter(['a', 'b']),
  ];
  for (const framing of all) assert.equal(checkFraming(framing), framing);
});

test('framing in text', () => {
  assert.is(parseFraming('raw'), raw());
  assert.equal(parseFraming('line'), line());
  assert.equal(parseFraming('line,max=4096'), line({ maxFrameBytes: 4096 }));
  assert.equal(parseFraming('varint'), varint());
  assert.equal(parseFraming('u8'), lengthField({ size: 1 }));
  for (const [bits, size] of [
    [16, 2],
    [24, 3],
    [32, 4],
    [64, 8],
  ] as const) {
    assert.equal(parseFraming(`u${bits}le`), lengthField({ size, endian: 'little' }));
    assert.equal(parseFraming(`u${bits}be`), lengthField({ size, endian: 'big' }));
  }
  const inclusive = lengthField({
    size: 2,
    endian: 'little',
    includesHeader: true,
    maxFrameBytes: 100,
  });
  assert.equal(parseFraming('u16le,inclusive,max=100'), inclusive);
  assert.equal(parseFraming('u16le,max=100,inclusive'), inclusive);
  refuses(() => parseFraming('u16'), "'u16'", 'u16', 'le or be');
  refuses(() => parseFraming('u48le'), "'u48le'");
  refuses(() => parseFraming('u8le'), "'u8le'");
  refuses(() => parseFraming(''), "''");
  refuses(() => parseFraming('varint,inclusive'), 'inclusive');
  refuses(() => parseFraming('raw,max=5'), 'raw');
  refuses(() => parseFraming('u8,inclusive,inclusive'), 'once');
  refuses(() => parseFraming('u16le,max=1'), 'maxFrameBytes', '2');
  refuses(() => parseFraming('u16le,max=-1'), 'max=-1');
});

test('the record has room exactly for what is written', () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const u8 = new Uint8Array(memory.buffer);
  const framings = [
    raw(),
    fixed(9),
    lengthField({ size: 3 }),
    varint(),
    line(),
    delimiter(['\r\n', '\n', 'x'.repeat(64)]),
  ];
  for (const framing of framings) {
    u8.fill(0xee);
    writeFramingRecord(memory, 64, framing);
    const end = 64 + framingRecordBytes(framing);
    assert.ok(u8.subarray(0, 64).every((byte) => byte === 0xee));
    assert.ok(u8.subarray(end).every((byte) => byte === 0xee));
    assert.is(end % 8, 0);
  }
  const view = new DataView(memory.buffer, 64);
  assert.is(view.getUint32(layout.Framing.delimiterCount, true), 3);
  assert.is(view.getUint32(layout.Framing.size, true), 64);
  const second = layout.FRAMING_BYTES + layout.FRAMING_DELIMITER_BYTES;
  const at = view.getUint32(second + layout.FramingDelimiter.bytes, true);
  assert.is(u8[at], 10);
  assert.is(view.getUint32(second + layout.FramingDelimiter.length, true), 1);
});

test.run();
