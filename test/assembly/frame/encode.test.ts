import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import { delimiter, type Framing, fixed, lengthField, line, varint } from '../../../src/framing.ts';
import { forEachVariant } from '../../support/variants.ts';
import { FrameHarness } from './harness.ts';

const TOO_LONG = layout.ERROR_FRAME_TOO_LONG;
const MALFORMED = layout.ERROR_FRAME_MALFORMED;

const bytes = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const text = (data: Uint8Array) => String.fromCharCode(...data);

forEachVariant((name, makeCore) => {
  const harness = new FrameHarness(makeCore(24), 20);

  function encodes(framing: Framing, message: string, wanted: string | number): void {
    harness.start(framing);
    const frame = harness.encode(bytes(message));
    const shown = JSON.stringify([framing, message]);
    assert.equal(typeof frame === 'number' ? frame : text(frame), wanted, shown);
  }

  test(`${name}: length fields, stripped or part of the message`, () => {
    encodes(lengthField({ size: 2 }), 'ab', '\0\x02ab');
    encodes(lengthField({ size: 3, endian: 'little', offset: 1 }), 'ab', '\0\x02\0\0ab');
    encodes(lengthField({ size: 1, includesHeader: true, adjustment: -1 }), 'ab', '\x04ab');
    // More is stripped than the header: zeros stand there.
    encodes(lengthField({ size: 1, strip: 3 }), 'ab', '\x04\0\0ab');
    // Less: the message has the field, which gets the right value.
    encodes(lengthField({ size: 2, strip: 0 }), '??ab', '\0\x02ab');
    encodes(lengthField({ size: 2, offset: 1, strip: 2 }), '?ab', '\0\0\x02ab');
    encodes(lengthField({ size: 2, strip: 0 }), '?', MALFORMED);
    // No value gives this length.
    encodes(lengthField({ size: 1, adjustment: 3 }), 'ab', MALFORMED);
    encodes(lengthField({ size: 1 }), 'a'.repeat(255), `\xff${'a'.repeat(255)}`);
    encodes(lengthField({ size: 1 }), 'a'.repeat(256), TOO_LONG);
    encodes(lengthField({ size: 2, maxFrameBytes: 6 }), 'aaaa', '\0\x04aaaa');
    encodes(lengthField({ size: 2, maxFrameBytes: 6 }), 'aaaaa', TOO_LONG);
  });

  test(`${name}: varint prefixes change their size where they should`, () => {
    const sizes: [number, string][] = [
      [0, '\0'],
      [127, '\x7f'],
      [128, '\x80\x01'],
      [16_383, '\xff\x7f'],
      [16_384, '\x80\x80\x01'],
    ];
    for (const [length, prefix] of sizes) {
      const message = 'a'.repeat(length);
      encodes(varint(), message, prefix + message);
      encodes(varint({ offset: 2 }), message, `\0\0${prefix}${message}`);
    }
    encodes(varint({ maxBytes: 1 }), 'a'.repeat(127), `\x7f${'a'.repeat(127)}`);
    encodes(varint({ maxBytes: 1 }), 'a'.repeat(128), TOO_LONG);
    const mqtt = varint({ offset: 1, maxBytes: 4, keepHeader: true });
    encodes(mqtt, '\xc0\0', '\xc0\0');
    encodes(mqtt, '\x30\x82\0hi', '\x30\x82\0hi');
    for (const message of ['', '\xc0', '\xc0\x01', '\xc0\0x']) encodes(mqtt, message, MALFORMED);
  });

  test(`${name}: delimiters are added, and refused within`, () => {
    encodes(line(), 'ab', 'ab\n');
    encodes(line(), 'a\rb', 'a\rb\n');
    encodes(line(), 'a\nb', MALFORMED);
    encodes(line(), 'ab\r', MALFORMED);
    encodes(line({ stripDelimiter: false }), 'ab\r\n', 'ab\r\n');
    encodes(line({ stripDelimiter: false }), 'ab', MALFORMED);
    encodes(line({ stripDelimiter: false }), 'a\nb\n', MALFORMED);
    encodes(delimiter(['\r\n', '\n']), 'ab', 'ab\r\n');
    encodes(delimiter(['\r\n', '\n']), 'ab\r', 'ab\r\r\n');
    // With what follows it the message would end in the longer one.
    encodes(delimiter(['\n', '\r\n']), 'ab\r', MALFORMED);
    // It would end before the delimiter does.
    encodes(delimiter('--'), 'ab-', MALFORMED);
    encodes(delimiter(['xx', 'bx']), 'ab', MALFORMED);
    encodes(delimiter('aab'), 'xa', 'xaaab');
    encodes(delimiter('ab', { stripDelimiter: false }), 'xab', 'xab');
    encodes(delimiter('ab', { stripDelimiter: false }), 'xabab', MALFORMED);
    encodes(delimiter('ab', { maxFrameBytes: 4 }), 'xx', 'xxab');
    encodes(delimiter('ab', { maxFrameBytes: 4 }), 'xxx', TOO_LONG);
  });

  test(`${name}: a fixed frame has its length`, () => {
    encodes(fixed(2), 'ab', 'ab');
    encodes(fixed(2), 'a', MALFORMED);
    encodes(fixed(2), 'abc', TOO_LONG);
  });
});

test.run();
