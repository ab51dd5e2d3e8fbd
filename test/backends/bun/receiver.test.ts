import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { BackendHost } from '../../../backends/backend.ts';
import { BunReceiver } from '../../../backends/bun/receiver.ts';
import { Reporter } from '../../../backends/stream/reporter.ts';
import { pattern } from '../../support/streams.ts';

const BUFFER_BYTES = 5000;
/** A chunk of so many bytes gives its memory back. */
const LARGE_BYTES = 4096;
const TOKEN = 7;

/** A receiver in front of a few buffers, and what came of its completions. */
function rig(buffers = 8) {
  const u8 = new Uint8Array(buffers * BUFFER_BYTES);
  const received: number[] = [];
  let taken = 0;
  const host = {
    core: { u8 },
    bufferBytes: BUFFER_BYTES,
    takeBuffer: () => (taken < buffers ? taken++ : -1),
    bufferOffset: (slot: number) => slot * BUFFER_BYTES,
    complete(_token: number, result: number, _flags: number, buffer: number) {
      const at = buffer * BUFFER_BYTES;
      if (result > 0) received.push(...u8.subarray(at, at + result));
    },
  } as unknown as BackendHost;
  const passes: (() => void)[] = [];
  const reporter = new Reporter(
    host,
    (pass) => passes.push(pass),
    () => {},
  );
  const flow = { pauses: 0, pauseReading: () => flow.pauses++, resumeReading: () => {} };
  const receiver = new BunReceiver(reporter, flow);
  reporter.begin(TOKEN, { cancel() {} });
  return { receiver, received, flow, passes };
}

// An ES2024 method that older hosts lack; Bun has it.
if ('transfer' in ArrayBuffer.prototype) {
  test('a large chunk is copied, and its memory freed', () => {
    const { receiver, received } = rig();
    receiver.arm(TOKEN);
    const expected = pattern(LARGE_BYTES);
    const chunk = expected.slice();
    assert.ok(receiver.take(chunk));
    assert.equal(received, [...expected]);
    assert.is(chunk.buffer.byteLength, 0);
  });

  test('so is one that takes several buffers', () => {
    const { receiver, received } = rig();
    receiver.arm(TOKEN);
    const expected = pattern(2 * BUFFER_BYTES + 1);
    const chunk = expected.slice();
    assert.ok(receiver.take(chunk));
    assert.equal(received, [...expected]);
    assert.is(chunk.length, 0);
  });

  test('a large chunk that nobody waits for is kept whole', () => {
    const { receiver, received, passes } = rig();
    const expected = pattern(LARGE_BYTES + 100);
    const chunk = expected.slice();
    assert.not(receiver.take(chunk));
    assert.is(chunk.length, 0);
    receiver.arm(TOKEN);
    for (const pass of passes.splice(0)) pass();
    assert.equal(received, [...expected]);
  });

  test('what finds no buffer is kept, too', () => {
    const { receiver, received, flow } = rig(1);
    receiver.arm(TOKEN);
    const chunk = pattern(BUFFER_BYTES + 50);
    assert.not(receiver.take(chunk));
    assert.is(received.length, BUFFER_BYTES);
    assert.is(flow.pauses, 1);
    assert.is(chunk.length, 0);
  });
}

test('a small chunk, and a part of a larger buffer, are left as they are', () => {
  const { receiver, received } = rig();
  receiver.arm(TOKEN);
  const small = pattern(LARGE_BYTES - 1);
  receiver.take(small);
  assert.is(small.length, LARGE_BYTES - 1);
  const whole = pattern(2 * LARGE_BYTES);
  receiver.take(whole.subarray(0, LARGE_BYTES));
  assert.is(whole.length, 2 * LARGE_BYTES);
  assert.equal(received, [...small, ...whole.subarray(0, LARGE_BYTES)]);
});

test.run();
