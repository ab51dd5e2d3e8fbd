import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Arena } from '../../src/core/arena.ts';
import { FrameDecoder } from '../../src/core/frame-decoder.ts';
import { FrameEncoder } from '../../src/core/frame-encoder.ts';
import {
  delimiter,
  type Framing,
  fixed,
  lengthField,
  line,
  raw,
  varint,
} from '../../src/framing.ts';
import { createCore, throwsCode } from '../support/primitives.ts';
import { forEachVariant } from '../support/variants.ts';

const bytes = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const text = (data: Uint8Array) => String.fromCharCode(...data);

test('a decoder on its own: borrowed messages, owned copies', () => {
  using decoder = new FrameDecoder(line());
  const seen: string[] = [];
  decoder.decode(bytes('one\ntw'), (message) => seen.push(text(message)));
  decoder.decode(bytes('o\n'), (message) => seen.push(text(message)));
  assert.equal(seen, ['one', 'two']);
  const [three, four] = decoder.decodeAll(bytes('three\nfour\nfi'));
  decoder.decodeAll(new Uint8Array(65_000).fill(120));
  assert.equal(
    [three, four].map((message) => text(message as Uint8Array)),
    ['three', 'four'],
  );
  throwsCode(() => decoder.endAll(), 'FRAME_TRUNCATED');
});

test('an encoder on its own: the inverse', () => {
  using encoder = new FrameEncoder(
    lengthField({ size: 2, endian: 'little', includesHeader: true }),
  );
  assert.equal(encoder.encode(bytes('ab')), Uint8Array.of(4, 0, 97, 98));
  assert.is(encoder.frameBytes(2), 4);
  const target = new Uint8Array(6);
  assert.is(encoder.encodeInto(bytes('ab'), target, 1), 4);
  assert.equal(target, Uint8Array.of(0, 4, 0, 97, 98, 0));
  throwsCode(() => encoder.encodeInto(bytes('ab'), target, 3), 'INVALID_OPTION');
  throwsCode(() => encoder.encodeInto(bytes('ab'), target, -1), 'INVALID_OPTION');
  throwsCode(() => encoder.encode(new Uint8Array(65_535)), 'FRAME_TOO_LONG');
  assert.is(encoder.encode(new Uint8Array(65_533)).length, 65_535);
});

test('messages that would arrive as something else are refused', () => {
  const cases: [Framing, string][] = [
    [line(), 'a\nb'],
    [line(), 'a\r'],
    [line({ stripDelimiter: false }), 'a'],
    [delimiter('aa'), 'xa'],
    [delimiter(['\n', '\r\n']), 'x\r'],
    [fixed(3), 'ab'],
    [varint({ keepHeader: true }), '\x02a'],
    [varint({ keepHeader: true }), ''],
    [lengthField({ size: 4, strip: 0 }), 'abc'],
  ];
  for (const [framing, message] of cases) {
    using encoder = new FrameEncoder(framing);
    throwsCode(() => encoder.encode(bytes(message)), 'FRAME_MALFORMED');
  }
});

test('chunks larger than a piece, frames larger than a piece, more frames than events', () => {
  const framing = lengthField({ size: 4, maxFrameBytes: 2 ** 20 });
  using encoder = new FrameEncoder(framing);
  using decoder = new FrameDecoder(framing);
  const sizes = [
    200_000,
    0,
    65_532,
    5,
    ...Array.from({ length: 20_000 }, (_, i) => i % 7),
    1_000_000,
  ];
  const frames = sizes.map((size, i) => encoder.encode(new Uint8Array(size).fill(i)));
  const stream = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, 0));
  let at = 0;
  for (const frame of frames) {
    stream.set(frame, at);
    at += frame.length;
  }
  const messages = decoder.decodeAll(stream);
  assert.equal(
    messages.map((message) => message.length),
    sizes,
  );
  assert.ok(messages.every((message, i) => message.every((byte) => byte === i % 256)));
  assert.equal(decoder.endAll(), []);
});

test('an error comes after the messages before it, and stays', () => {
  using decoder = new FrameDecoder(lengthField({ size: 1, maxFrameBytes: 10 }));
  const seen: string[] = [];
  const decode = () =>
    decoder.decode(bytes('\x01a\x01b\xff\x01c'), (message) => seen.push(text(message)));
  throwsCode(decode, 'FRAME_TOO_LONG');
  assert.equal(seen, ['a', 'b']);
  assert.is(decoder.error?.code, 'FRAME_TOO_LONG');
  throwsCode(decode, 'FRAME_TOO_LONG');
  assert.is(seen.length, 2);

  using other = new FrameDecoder(lengthField({ size: 1, maxFrameBytes: 10 }));
  assert.is(other.decodeAll(bytes('\x01a\xff')).length, 1);
  assert.is(other.error?.code, 'FRAME_TOO_LONG');
  throwsCode(() => other.decodeAll(bytes('')), 'FRAME_TOO_LONG');
  throwsCode(() => other.endAll(), 'FRAME_TOO_LONG');
});

test('skipped frames are reported; unterminated ones delivered', () => {
  const skipped: number[] = [];
  const framing = line({
    maxFrameBytes: 4,
    onOversize: 'discard',
    failFast: false,
    unterminated: 'deliver',
  });
  using decoder = new FrameDecoder(framing, { onOversize: (length) => skipped.push(length) });
  assert.equal(decoder.decodeAll(bytes('toolong\nok\nend')).map(text), ['ok']);
  assert.equal(skipped, [8]);
  assert.equal(decoder.endAll().map(text), ['end']);
  assert.equal(decoder.decodeAll(bytes('new\n')).map(text), ['new']);
});

test('handlers that throw, call back or close', () => {
  const boom = new Error('boom');
  using failing = new FrameDecoder(fixed(1));
  const fail = () => {
    throw boom;
  };
  assert.throws(
    () => failing.decode(bytes('ab'), fail),
    (error: unknown) => error === boom,
  );
  throwsCode(() => failing.decodeAll(bytes('c')), 'ABORTED');

  using nested = new FrameDecoder(fixed(1));
  throwsCode(() => nested.decode(bytes('a'), () => nested.decodeAll(bytes('b'))), 'NOT_SUPPORTED');

  const closing = new FrameDecoder(fixed(1));
  const seen: string[] = [];
  closing.decode(bytes('abc'), (message) => {
    seen.push(text(message));
    closing.close();
  });
  assert.equal(seen, ['a']);
  throwsCode(() => closing.decodeAll(bytes('d')), 'CLOSED');
  closing.close();
});

forEachVariant((name, makeCore) => {
  test(`${name}: decoders and encoders share one arena and give everything back`, () => {
    const core = createCore(makeCore, 1 << 20);
    const arena = Arena.create(core, { sizeBytes: 2 ** 19 });
    const framing = varint();
    const encoder = new FrameEncoder(framing, { core, arena });
    const decoders = [0, 1, 2].map(() => new FrameDecoder(framing, { core, arena }));
    const frame = encoder.encode(new Uint8Array(3000).fill(7));
    for (const decoder of decoders) assert.is(decoder.decodeAll(frame.subarray(0, 1700)).length, 0);
    for (const decoder of decoders) {
      const [message] = decoder.decodeAll(frame.subarray(1700));
      assert.ok(message?.length === 3000 && message.every((byte) => byte === 7));
      // Once, and what was there once more if the block had to move to grow.
      assert.ok([frame.length, frame.length + 1700].includes(decoder.copiedBytes));
      decoder.decodeAll(frame.subarray(0, 9));
    }
    for (const decoder of decoders) decoder.close();
    encoder.close();
    assert.is(arena.usedBytes, 0);
    throwsCode(() => encoder.encode(frame), 'CLOSED');
    assert.is(decoders[0]?.copiedBytes, 0);
  });

  test(`${name}: a chunk that lies in the core's memory is decoded where it lies`, () => {
    const core = createCore(makeCore, 1 << 20);
    const arena = Arena.create(core, { sizeBytes: 2 ** 18 });
    const at = core.reserve(100_000);
    core.u8.set(bytes('one\ntwo\n'), at);
    using decoder = new FrameDecoder(line(), { core, arena });
    const places: number[] = [];
    const used = arena.usedBytes;
    decoder.decode(core.u8.subarray(at, at + 8), (message) => places.push(message.byteOffset));
    assert.equal(places, [at, at + 4]);
    assert.is(arena.usedBytes, used, 'no staging was needed');
    assert.is(decoder.copiedBytes, 0);
  });
});

test('raw: each piece is a message, in both directions', () => {
  using decoder = new FrameDecoder(raw());
  assert.equal(decoder.decodeAll(bytes('abc')).map(text), ['abc']);
  assert.equal(decoder.decodeAll(bytes('')), []);
  using encoder = new FrameEncoder(raw());
  assert.equal(encoder.encode(bytes('abc')), bytes('abc'));
});

test.run();
