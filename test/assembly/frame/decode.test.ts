import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as layout from '#generated/layout';
import {
  delimiter,
  type Framing,
  fixed,
  lengthField,
  line,
  raw,
  varint,
} from '../../../src/framing.ts';
import { forEachVariant } from '../../support/variants.ts';
import { ARENA_BASE, FrameHarness } from './harness.ts';

const TOO_LONG = layout.ERROR_FRAME_TOO_LONG;
const MALFORMED = layout.ERROR_FRAME_MALFORMED;
const TRUNCATED = layout.ERROR_FRAME_TRUNCATED;

const bytes = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const text = (data: Uint8Array) => String.fromCharCode(...data);

forEachVariant((name, makeCore) => {
  const harness = new FrameHarness(makeCore(24), 19);

  /** Events of all chunks as text: messages, `#length` for oversized frames, `!error` at the end. */
  function decodeText(framing: Framing, ...chunks: (string | Uint8Array)[]): string[] {
    harness.start(framing);
    const seen: string[] = [];
    for (const chunk of chunks) {
      const { events } = harness.feed(typeof chunk === 'string' ? bytes(chunk) : chunk, 3);
      seen.push(...events.map((e) => (e.kind === 'message' ? text(e.bytes) : `#${e.length}`)));
    }
    if (harness.error !== 0) seen.push(`!${harness.error}`);
    return seen;
  }

  /** The same whole and a byte at a time. */
  function both(framing: Framing, stream: string, wanted: string[]): void {
    assert.equal(decodeText(framing, stream), wanted, `whole: ${JSON.stringify(stream)}`);
    assert.equal(decodeText(framing, ...stream), wanted, `by bytes: ${JSON.stringify(stream)}`);
  }

  test(`${name}: raw delivers what arrives, in place`, () => {
    harness.start(raw());
    const { events, input, calls } = harness.feed(bytes('abc'));
    assert.equal(
      events.map((e) => [text(e.bytes), e.offset]),
      [['abc', input]],
    );
    assert.is(calls, 1);
    assert.is(harness.feed(bytes('')).events.length, 0);
    assert.equal(harness.end(), { events: [], error: 0 });
  });

  test(`${name}: frames within one input are not copied; a frame over two is, once`, () => {
    harness.start(lengthField({ size: 2 }));
    const whole = harness.feed(bytes('\0\x03abc\0\0\0\x01d'));
    assert.equal(
      whole.events.map((e) => [text(e.bytes), e.offset - whole.input]),
      [
        ['abc', 2],
        ['', 7],
        ['d', 9],
      ],
    );
    assert.is(harness.copied, 0);
    assert.is(whole.usedBefore, 0);

    assert.is(harness.feed(bytes('\0\x05he')).events.length, 0);
    assert.is(harness.copied, 4);
    const rest = harness.feed(bytes('llo\0\x01x'));
    assert.is(harness.copied, 7, 'exactly the bytes of the frame that spans');
    assert.equal(
      rest.events.map((e) => text(e.bytes)),
      ['hello', 'x'],
    );
    const [assembled, inPlace] = rest.events;
    assert.ok(assembled && assembled.offset >= ARENA_BASE && assembled.offset < rest.input);
    assert.is(inPlace?.offset, rest.input + 5);
    assert.is(rest.usedBefore, 512, 'the block lives until the events were dispatched');
    assert.is(rest.usedAfter, 0);
  });

  test(`${name}: a full ring stops the decoder; it goes on where it stopped`, () => {
    harness.start(fixed(2));
    const { events, calls, taken } = harness.feed(bytes('aabbccddeef'), 2);
    assert.equal(
      events.map((e) => text(e.bytes)),
      ['aa', 'bb', 'cc', 'dd', 'ee'],
    );
    assert.is(calls, 3);
    assert.is(taken, 11);
  });

  test(`${name}: messages that several calls assembled wait for one reclaim`, () => {
    harness.start(fixed(4));
    const { exports } = harness.core;
    const at = harness.u8.length - 8;
    const seen: number[] = [];
    for (const chunk of ['aa', 'aabb', 'bbcc', 'cc']) {
      harness.u8.set(bytes(chunk), at);
      const count = exports.decode(1088, 1024, at, chunk.length, 16_384, 4);
      for (let i = 0; i < count; i++) seen.push(harness.view.getUint32(16_384 + i * 16 + 8, true));
    }
    assert.equal(
      seen.map((offset) => text(harness.u8.subarray(offset, offset + 4))),
      ['aaaa', 'bbbb', 'cccc'],
    );
    assert.is(harness.used, 3 * 512);
    assert.is(exports.decodeReclaim(1088), 3);
    assert.is(harness.used, 0);
    assert.is(exports.decodeReclaim(1088), 0);
  });

  test(`${name}: an announced length reserves nothing; memory grows with what arrives`, () => {
    harness.start(lengthField({ size: 4, maxFrameBytes: 2 ** 30 }));
    assert.is(harness.feed(Uint8Array.of(0x3f, 0xff, 0xff, 0xf0)).usedAfter, 512);
    let received = 4;
    for (let i = 0; i < 60; i++) {
      const { usedAfter } = harness.feed(new Uint8Array(1000));
      received += 1000;
      assert.ok(usedAfter <= 2 * (received + 16));
    }
    assert.ok(harness.copied <= 3 * received);
    harness.reset();
    assert.is(harness.used, 0);
  });

  test(`${name}: an exhausted arena is an error of this stream, and gives back what it had`, () => {
    const small = new FrameHarness(makeCore(18), 11);
    small.start(lengthField({ size: 2 }));
    assert.is(small.feed(bytes('\x0f\xff')).error, 0);
    assert.is(small.feed(new Uint8Array(900)).error, 0);
    assert.is(small.feed(new Uint8Array(2000)).error, layout.ERROR_NO_BUFFERS);
    assert.is(small.used, 0);
  });

  test(`${name}: a decoder broken once takes nothing more; a reset makes it new`, () => {
    harness.start(lengthField({ size: 1, maxFrameBytes: 4 }));
    const first = harness.feed(bytes('\x01a\x09\x01b'));
    assert.equal([first.events.length, first.error, first.taken], [1, TOO_LONG, 2]);
    const later = harness.feed(bytes('\x01c'));
    assert.equal([later.events.length, later.error, later.taken], [0, TOO_LONG, 0]);
    harness.reset();
    assert.is(harness.feed(bytes('\x01c')).events.length, 1);

    // Also in the middle of a frame that is assembled, or skipped.
    for (const middle of ['\x03a', '\x09a', '\x09']) {
      harness.start(
        lengthField({ size: 1, maxFrameBytes: 4, failFast: false, onOversize: 'discard' }),
      );
      harness.feed(bytes(middle));
      harness.reset();
      assert.equal(
        harness.feed(bytes('\x01c')).events.map((e) => `${e.kind} ${text(e.bytes)}`),
        ['message c'],
      );
    }
  });

  test(`${name}: a frame of exactly the limit passes, one byte more does not, for every kind`, () => {
    const options = { maxFrameBytes: 6 };
    both(lengthField({ size: 2, ...options }), '\0\x04aaaa', ['aaaa']);
    both(lengthField({ size: 2, ...options }), '\0\x05aaaaa', [`!${TOO_LONG}`]);
    both(varint(options), '\x05aaaaa', ['aaaaa']);
    both(varint(options), '\x06aaaaaa', [`!${TOO_LONG}`]);
    both(line(options), 'aaaaa\naaaa\r\n', ['aaaaa', 'aaaa']);
    both(line(options), 'aaaaaa\n', [`!${TOO_LONG}`]);
    both(line(options), 'aaaaa\r\n', [`!${TOO_LONG}`]);
    both(delimiter('--', options), 'aaaa--', ['aaaa']);
    both(delimiter('--', options), 'aaaaa--', [`!${TOO_LONG}`]);
  });

  test(`${name}: fail-fast fails when it is certain, otherwise when the frame has passed`, () => {
    const cases: [(failFast: boolean) => Framing, string, number][] = [
      [(failFast) => lengthField({ size: 1, maxFrameBytes: 4, failFast }), '\x05aaaaa', 1],
      [(failFast) => varint({ maxFrameBytes: 5, failFast }), '\x05aaaaa', 1],
      [(failFast) => line({ maxFrameBytes: 4, failFast }), 'aaaaaa\n', 5],
      [(failFast) => delimiter('--', { maxFrameBytes: 4, failFast }), 'aaaaaa--', 5],
    ];
    for (const [make, stream, certain] of cases) {
      for (const failFast of [true, false]) {
        harness.start(make(failFast));
        const errors = [...stream].map((letter) => harness.feed(bytes(letter)).error);
        const at = errors.findIndex((error) => error !== 0) + 1;
        assert.is(at, failFast ? certain : stream.length, `${stream} ${failFast}`);
      }
    }
  });

  test(`${name}: discarding reports each oversized frame once and goes on`, () => {
    for (const failFast of [true, false]) {
      const options = { failFast, onOversize: 'discard', maxFrameBytes: 6 } as const;
      both(lengthField({ size: 2, ...options }), '\0\x01a\0\x09bbbbbbbbb\0\x01c', [
        'a',
        '#11',
        'c',
      ]);
      both(varint(options), '\x01a\x06bbbbbb\x01c', ['a', '#7', 'c']);
      both(line(options), 'a\nbbbbbbbb\r\nc\n', ['a', failFast ? '#7' : '#10', 'c']);
      // The delimiter may have begun before the limit was reached, or start over.
      both(delimiter('-=-', options), 'a-=-bbbb-=-c-=-', ['a', '#7', 'c']);
      both(delimiter('-=-', options), 'a-=-bbbbbb-=-=-=-', ['a', failFast ? '#7' : '#9', '=']);
    }
  });

  test(`${name}: a report of a huge frame says at most 2^32 - 1, and the skip counts all of it`, () => {
    const framing = lengthField({ size: 8, onOversize: 'discard' });
    harness.start(framing);
    assert.equal(
      harness.feed(bytes('\0\0\0\x02\0\0\0\0')).events.map((e) => [e.kind, e.length]),
      [['oversize', 0xffffffff]],
    );
    const skip = () => harness.view.getFloat64(1024 + layout.Decoder.skip, true);
    assert.is(skip(), 2 ** 33);
    // Move close to the end by hand: 8 GiB would take long.
    harness.view.setFloat64(1024 + layout.Decoder.skip, 3, true);
    const { events } = harness.feed(bytes('xxx\0\0\0\0\0\0\0\x01y'));
    assert.equal(
      events.map((e) => text(e.bytes)),
      ['y'],
    );
  });

  test(`${name}: a length beyond 2^53 - 1 is too long, whatever happens to oversized frames`, () => {
    const at53 = bytes('\0\x20\0\0\0\0\0\0');
    const below = bytes('\0\x1f\xff\xff\xff\xff\xff\xff');
    for (const onOversize of ['error', 'discard'] as const) {
      for (const failFast of [true, false]) {
        const framing = lengthField({ size: 8, onOversize, failFast });
        assert.equal(decodeText(framing, at53), [`!${TOO_LONG}`]);
        assert.equal(decodeText(framing, bytes('\xff\xff\xff\xff\xff\xff\xff\xff')), [
          `!${TOO_LONG}`,
        ]);
        // With its header the frame is beyond it too.
        assert.equal(decodeText(framing, below), [`!${TOO_LONG}`]);
      }
    }
    // A sum that wraps around is not a short frame.
    const wrapping = `${'\xff'.repeat(8)}${'a'.repeat(30)}`;
    both(lengthField({ size: 8, adjustment: 5 }), wrapping, [`!${TOO_LONG}`]);
    const inclusive = lengthField({ size: 8, includesHeader: true, onOversize: 'discard' });
    assert.equal(decodeText(inclusive, below), ['#4294967295']);
  });

  test(`${name}: lengths that cannot be are malformed`, () => {
    both(lengthField({ size: 1, includesHeader: true }), '\x02a\0', ['a', `!${MALFORMED}`]);
    both(lengthField({ size: 1, adjustment: -3 }), '\x03\x04a\x02', ['', 'a', `!${MALFORMED}`]);
    both(lengthField({ size: 1, strip: 3 }), '\x02ab\x01c', ['', `!${MALFORMED}`]);
  });

  test(`${name}: a length field of every size and order, with all options`, () => {
    both(lengthField({ size: 1 }), '\x02ab', ['ab']);
    both(lengthField({ size: 2 }), '\0\x02ab', ['ab']);
    both(lengthField({ size: 2, endian: 'little' }), '\x02\0ab', ['ab']);
    both(lengthField({ size: 3 }), '\0\0\x02ab', ['ab']);
    both(lengthField({ size: 3, endian: 'little' }), '\x02\0\0ab', ['ab']);
    both(lengthField({ size: 4 }), '\0\0\0\x02ab', ['ab']);
    both(lengthField({ size: 4, endian: 'little' }), '\x02\0\0\0ab', ['ab']);
    both(lengthField({ size: 8 }), '\0\0\0\0\0\0\0\x02ab', ['ab']);
    both(lengthField({ size: 8, endian: 'little' }), '\x02\0\0\0\0\0\0\0ab', ['ab']);
    // The examples of Netty's LengthFieldBasedFrameDecoder.
    const hello = 'HELLO, WORLD';
    both(lengthField({ size: 2, strip: 0 }), `\0\x0c${hello}`, [`\0\x0c${hello}`]);
    both(lengthField({ size: 2, adjustment: -2, strip: 0 }), `\0\x0e${hello}`, [`\0\x0e${hello}`]);
    both(lengthField({ size: 3, offset: 2, strip: 0 }), `\xca\xfe\0\0\x0c${hello}`, [
      `\xca\xfe\0\0\x0c${hello}`,
    ]);
    both(lengthField({ size: 3, adjustment: 2, strip: 0 }), `\0\0\x0c\xca\xfe${hello}`, [
      `\0\0\x0c\xca\xfe${hello}`,
    ]);
    both(lengthField({ size: 2, offset: 1, adjustment: 1, strip: 3 }), `\xca\0\x0c\xfe${hello}`, [
      `\xfe${hello}`,
    ]);
    both(lengthField({ size: 2, offset: 1, adjustment: -3, strip: 3 }), `\xca\0\x10\xfe${hello}`, [
      `\xfe${hello}`,
    ]);
    // The large-packet echo server (R10): little-endian, its own header counted.
    both(lengthField({ size: 2, endian: 'little', includesHeader: true }), '\x04\0ab\x02\0', [
      'ab',
      '',
    ]);
  });

  test(`${name}: varint prefixes: minimal, longer than need be, too long, over 32 bits`, () => {
    both(varint(), '\0\x01a', ['', 'a']);
    both(varint(), '\x81\x80\x00a', ['a']);
    both(varint(), '\x81\x80\x80\x80\x00a', ['a']);
    both(varint(), '\x01a\x81\x80\x80\x80\x80', ['a', `!${MALFORMED}`]);
    both(varint({ maxBytes: 4 }), '\x81\x80\x80\x80', [`!${MALFORMED}`]);
    both(varint({ maxBytes: 1 }), '\x80', [`!${MALFORMED}`]);
    both(varint({ maxBytes: 1 }), '\x81\0a', [`!${MALFORMED}`]);
    both(varint({ maxBytes: 2 }), '\x81\x80\0a', [`!${MALFORMED}`]);
    both(varint(), '\xff\xff\xff\xff\x7f', [`!${TOO_LONG}`]);
    both(varint({ onOversize: 'discard' }), '\xff\xff\xff\xff\x7f', ['#4294967295']);
    const long = 'x'.repeat(300);
    both(varint(), `\xac\x02${long}\x01a`, [long, 'a']);
    const longer = 'y'.repeat(20_000);
    assert.equal(decodeText(varint(), `\xa0\x9c\x01${longer}`), [longer]);
    // MQTT: a type byte, then the length; the message keeps both.
    both(varint({ offset: 1, maxBytes: 4, keepHeader: true }), '\xc0\x00\x30\x02hi', [
      '\xc0\0',
      '\x30\x02hi',
    ]);
    both(varint({ offset: 1, maxBytes: 4 }), '\xc0\x00\x30\x02hi', ['', 'hi']);
  });

  test(`${name}: of several delimiters the one that ends first ends the frame, the longest of those there`, () => {
    both(delimiter(['\r\n', '\n']), 'a\r\nb\n\r\n\n', ['a', 'b', '', '']);
    both(delimiter(['\n', '\r\n']), 'a\r\nb\n', ['a', 'b']);
    both(delimiter(['xyz', 'yzw', 'q']), '1xyzw2yzw3q', ['1', 'w2', '3']);
    both(delimiter('aab'), 'aaab', ['a']);
    both(delimiter('abab'), 'aababab', ['a']);
  });

  test(`${name}: each of sixteen delimiters is found, wherever in a vector it ends`, () => {
    const delimiters = Array.from(
      { length: 16 },
      (_, i) => '<>'.slice(0, i % 3) + String(i % 10) + 'ABCDEFGHIJKLMNOP'[i],
    );
    const framing = delimiter(delimiters);
    for (const end of delimiters) {
      for (let length = 0; length < 40; length++) {
        const message = '.'.repeat(length);
        both(framing, `${message}${end}x${end}`, [message, 'x']);
      }
    }
  });

  test(`${name}: a delimiter is found wherever the input is cut`, () => {
    const framing = delimiter(['<end>', '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0!']);
    const stream = `one<end>${'\0'.repeat(30)}!two<en<end>`;
    const wanted = ['one', '\0'.repeat(11), 'two<en'];
    for (let cutAt = 0; cutAt <= stream.length; cutAt++) {
      assert.equal(
        decodeText(framing, stream.slice(0, cutAt), stream.slice(cutAt)),
        wanted,
        `${cutAt}`,
      );
    }
    both(framing, stream, wanted);
  });

  test(`${name}: lines, with and without carriage returns, kept and stripped`, () => {
    both(line(), 'a\nb\r\n\n\r\n\r\r\nc\rd\n', ['a', 'b', '', '', '\r', 'c\rd']);
    both(line({ stripDelimiter: false }), 'a\nb\r\n', ['a\n', 'b\r\n']);
    const long = 'z'.repeat(1000);
    both(line(), `${long}\r\n${long}\nx\n`, [long, long, 'x']);
  });

  test(`${name}: every position of a line feed, in inputs of every length up to three vectors`, () => {
    for (let length = 1; length <= 48; length++) {
      for (let at = 0; at < length; at++) {
        const stream = new Uint8Array(length).fill(120);
        stream[at] = 10;
        harness.start(line({ unterminated: 'deliver' }));
        const { events } = harness.feed(stream);
        assert.equal(
          events.map((e) => e.length),
          [at],
        );
        const rest = harness.end().events.map((e) => e.length);
        assert.equal(rest, at === length - 1 ? [] : [length - at - 1]);
      }
    }
  });

  test(`${name}: the stream ends: cleanly, inside a frame, inside a header, with an unterminated line`, () => {
    const cases: [Framing, string, string[], number][] = [
      [lengthField({ size: 2 }), '\0\x01a', [], 0],
      [lengthField({ size: 2 }), '\0', [], TRUNCATED],
      [lengthField({ size: 2 }), '\0\x02a', [], TRUNCATED],
      [lengthField({ size: 2, maxFrameBytes: 4, onOversize: 'discard' }), '\0\x09a', [], TRUNCATED],
      [varint(), '\x80', [], TRUNCATED],
      [fixed(2), 'aab', [], TRUNCATED],
      [line(), 'a\nb', [], TRUNCATED],
      [line({ unterminated: 'deliver' }), 'a\nb\r', ['b\r'], 0],
      [line({ unterminated: 'deliver', maxFrameBytes: 4 }), 'bbbb', ['bbbb'], 0],
      [line({ unterminated: 'deliver', maxFrameBytes: 4, failFast: false }), 'bbbbb', [], TOO_LONG],
      [delimiter('--', { unterminated: 'deliver' }), 'a--b-', ['b-'], 0],
    ];
    for (const [framing, stream, messages, error] of cases) {
      harness.start(framing);
      harness.feed(bytes(stream));
      const end = harness.end();
      assert.equal(
        end.events.map((e) => text(e.bytes)),
        messages,
        JSON.stringify(stream),
      );
      assert.is(end.error, error, JSON.stringify(stream));
      assert.is(harness.used, 0);
    }
  });

  test(`${name}: after an end the decoder takes the next stream`, () => {
    harness.start(line({ unterminated: 'deliver' }));
    harness.feed(bytes('a\nb'));
    assert.is(harness.end().events.length, 1);
    assert.equal(
      harness.feed(bytes('c\n')).events.map((e) => text(e.bytes)),
      ['c'],
    );
    assert.equal(harness.end(), { events: [], error: 0 });
  });
});

test.run();
