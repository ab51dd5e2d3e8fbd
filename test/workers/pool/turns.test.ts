import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Turns } from '../../../src/workers/pool/turns.ts';
import { check, fc } from '../../support/property.ts';

test('a result waits until the one before has been dealt with in another thread', () => {
  const turns = new Turns<string>();
  const given: string[] = [];
  const hand = (holder: string, result: string) =>
    turns.hand(1, holder, (isCanceled) => given.push(isCanceled ? `not ${result}` : result));
  hand('a', 'a0');
  hand('a', 'a1');
  hand('b', 'b2');
  hand('a', 'a3');
  hand('b', 'b4');
  assert.equal([given, turns.held], [['a0', 'a1'], 3]);
  turns.said(1, 'a');
  assert.is(given.length, 2, 'one of two is not both');
  turns.said(1, 'b');
  assert.is(given.length, 2, 'it is not his turn');
  turns.said(1, 'a');
  assert.equal(given, ['a0', 'a1', 'b2']);
  turns.drop('b');
  assert.equal(given, ['a0', 'a1', 'b2', 'not b4', 'a3']);
  turns.said(1, 'a');
  hand('c', 'c5');
  hand('a', 'a6');
  assert.is(turns.cancel(), 1);
  assert.equal(given.slice(5), ['c5', 'not a6']);
  assert.is(turns.held, 0);
});

interface Step {
  readonly what: 'hand' | 'say' | 'drop';
  readonly key: number;
  readonly holder: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  what: fc.oneof(
    fc.constant<'hand'>('hand'),
    fc.constant<'say'>('say'),
    fc.oneof({ weight: 9, arbitrary: fc.constant<'say'>('say') }, fc.constant<'drop'>('drop')),
  ),
  key: fc.nat(2),
  holder: fc.nat(3),
});

test('whatever is said in whatever order: in order, one thread at a time, and none forgotten', async () => {
  await check(
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
      const turns = new Turns<number>();
      const handed = [0, 0, 0];
      const last = [-1, -1, -1];
      /** By key: holders that have results and have not said that they are done. */
      const busy = Array.from({ length: 3 }, () => new Map<number, number>());
      const outcome: boolean[][] = [[], [], []];
      const say = (key: number, holder: number): void => {
        const of = busy[key] as Map<number, number>;
        const count = of.get(holder) ?? 0;
        if (count === 0) return;
        if (count === 1) of.delete(holder);
        else of.set(holder, count - 1);
        turns.said(key, holder);
      };
      for (const { what, key, holder } of steps) {
        if (what === 'say') say(key, holder);
        else if (what === 'drop') {
          for (const of of busy) of.delete(holder);
          turns.drop(holder);
        } else {
          const number = (handed[key] as number)++;
          turns.hand(key, holder, (isCanceled) => {
            (outcome[key] as boolean[])[number] = isCanceled;
            if (isCanceled) return;
            assert.ok(number > (last[key] as number), 'out of order');
            last[key] = number;
            const of = busy[key] as Map<number, number>;
            for (const other of of.keys()) assert.is(other, holder, 'two threads at a time');
            of.set(holder, (of.get(holder) ?? 0) + 1);
          });
        }
      }
      // All say what they owe, again and again: everything comes.
      for (let round = 0; turns.held > 0 || busy.some((of) => of.size > 0); round++) {
        assert.ok(round < 1000, 'it does not come to an end');
        for (const [key, of] of busy.entries())
          for (const holder of [...of.keys()]) say(key, holder);
      }
      for (const [key, count] of handed.entries()) {
        assert.is(Object.keys(outcome[key] as boolean[]).length, count);
      }
    }),
  );
});

test.run();
