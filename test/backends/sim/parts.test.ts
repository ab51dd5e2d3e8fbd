/** The simulator's own parts: its lists, the bytes on their way, the check of lent ranges. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ByteQueue } from '../../../backends/sim/byte-queue.ts';
import { Deque } from '../../../backends/sim/deque.ts';
import { fillRange, isFilled, sumOf } from '../../../backends/sim/lent.ts';
import { Random } from '../../../backends/sim/random.ts';
import { Scheduler } from '../../../backends/sim/scheduler.ts';

const SEEDS = 200;
const STEPS = 100;

function forSeeds(run: (random: Random) => void): void {
  for (let seed = 1; seed <= SEEDS; seed += 1) run(new Random(seed));
}

test('a deque is a list', () =>
  forSeeds((random) => {
    const deque = new Deque<number>();
    const list: number[] = [];
    for (let step = 0; step < STEPS; step += 1) {
      const chance = random.integer(0, 9);
      if (chance < 6) {
        deque.push(step);
        list.push(step);
      } else if (chance < 9) assert.is(deque.shift(), list.shift());
      else {
        const item = random.integer(0, step);
        const place = list.indexOf(item);
        if (place >= 0) list.splice(place, 1);
        assert.is(deque.remove(item), place >= 0);
      }
      assert.is(deque.length, list.length);
      assert.is(deque.first, list[0]);
      assert.is(deque.last, list.at(-1));
    }
    assert.equal([...deque], list);
    assert.equal(deque.takeAll(), list);
    assert.is(deque.length, 0);
    assert.is(deque.shift(), undefined);
    deque.push(1);
    assert.is(deque.first, 1);
  }));

test('bytes leave a queue as they came, in whatever parts, wherever they are copied to', () =>
  forSeeds((random) => {
    const queue = new ByteQueue();
    const u8 = new Uint8Array(2048);
    const u32 = new Uint32Array(u8.buffer);
    let pushed = 0;
    let taken = 0;
    for (let step = 0; step < STEPS; step += 1) {
      if (random.chance(0.5)) {
        // Often whole words at a place of words: those are copied in another way.
        const unit = random.chance(0.5) ? 4 : 1;
        const lead = random.integer(0, 3) * unit;
        const room = new Uint8Array(lead + random.integer(0, 80) * unit);
        const bytes = room.subarray(lead);
        for (let at = 0; at < bytes.length; at += 1) bytes[at] = (pushed + at) * 7;
        queue.push(bytes);
        pushed += bytes.length;
      }
      const most = Math.min(queue.length, 512);
      const whole = random.chance(0.5) ? most & ~3 : most;
      const count = random.chance(0.3) ? whole : random.integer(0, most);
      if (count > 0) {
        const to = random.integer(1, 100) * (random.chance(0.5) ? 4 : 1);
        u8.fill(0);
        const start = queue.take(count);
        queue.taken.copy(start, count, u8, u32, to);
        for (let at = 0; at < count; at += 1) {
          assert.is(u8[to + at], ((taken + at) * 7) & 255);
        }
        assert.is(u8[to - 1], 0);
        assert.is(u8[to + count], 0);
        taken += count;
      }
      assert.is(queue.length, pushed - taken);
    }
  }));

test('a lent range that one byte was written to is seen, and none beside it', () =>
  forSeeds((random) => {
    const u8 = new Uint8Array(2048);
    const memory = { u8, u32: new Uint32Array(u8.buffer) };
    const offset = random.integer(1, 600);
    const length = random.integer(1, 1000);
    const byte = random.integer(1, 255);
    fillRange(memory, offset, length, byte);
    assert.ok(u8.subarray(offset, offset + length).every((each) => each === byte));
    assert.is(u8[offset - 1], 0);
    assert.is(u8[offset + length], 0);
    const sum = sumOf(memory, offset, length);
    u8[offset - 1] = 1;
    u8[offset + length] = 1;
    assert.ok(isFilled(memory, offset, length, byte));
    assert.is(sumOf(memory, offset, length), sum);
    const at = offset + random.integer(0, length - 1);
    u8[at] = byte ^ 1;
    assert.not(isFilled(memory, offset, length, byte));
    assert.is.not(sumOf(memory, offset, length), sum);
  }));

test('what runs is always the first by time and order, whatever was added meanwhile', () =>
  forSeeds((random) => {
    const scheduler = new Scheduler();
    const pending: { timeMs: number; order: number }[] = [];
    const add = (): void => {
      const entry = {
        timeMs: scheduler.nowMs + random.integer(0, 2),
        // As of completions that are reported behind others.
        order: scheduler.nextOrder() + (random.chance(0.3) ? random.integer(1, 32) : 0),
      };
      pending.push(entry);
      scheduler.at(
        entry.timeMs,
        () => {
          const first = pending.reduce((a, b) =>
            b.timeMs < a.timeMs || (b.timeMs === a.timeMs && b.order < a.order) ? b : a,
          );
          // Two of the same order are equally first.
          assert.equal(entry, first);
          pending.splice(pending.indexOf(entry), 1);
          for (let more = random.integer(0, 2); more > 0 && scheduler.nowMs < 20; more -= 1) add();
        },
        'network',
        entry.order,
      );
    };
    for (let count = 0; count < 8; count += 1) add();
    for (let next = scheduler.nextTimeMs(); next !== undefined; next = scheduler.nextTimeMs()) {
      scheduler.advance(next);
      while (scheduler.runDue());
    }
    assert.is(pending.length, 0);
    assert.is(scheduler.pending, 0);
  }));

test.run();
