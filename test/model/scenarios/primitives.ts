/** The lock, the numbers and the pool alone. */
import { LOCK_FREE, Pool, PoolLink } from '#generated/layout';
import { type Body, call, check, pause } from '../actions.ts';
import type { FibreMachine } from '../fibres.ts';
import type { Scenario } from './scenario.ts';

const ROUNDS = 2;
const TIME_OUT_MS = 5;

/** Every way to acquire one lock; nobody is inside with another, and nobody sleeps for ever. */
export function lockScenario(fibres: number): Scenario {
  const prepare = (machine: FibreMachine) => {
    const lock = machine.reserve('lock', 64);
    let inside = 0;
    function* acquire(): Generator<ReturnType<typeof call>, boolean, number> {
      switch (machine.random.below(4)) {
        case 0:
          return (yield call('lockTryAcquire', lock)) !== 0;
        case 1:
          return (yield call('lockAcquireStep', lock, TIME_OUT_MS)) === 1;
        default:
          yield call('lockAcquire', lock);
          return true;
      }
    }
    function* body(): Body {
      for (let round = 0; round < ROUNDS; round++) {
        if (!(yield* acquire())) continue;
        check(inside === 0, 'two threads hold the lock');
        inside++;
        yield pause('is inside');
        inside--;
        yield call('lockRelease', lock);
      }
    }
    for (let i = 0; i < fibres; i++) machine.spawn(`thread ${i}`, body());
    return () => check(machine.i32[lock >> 2] === LOCK_FREE, 'the lock is held');
  };
  return { name: `lock, ${fibres} threads`, prepare };
}

export function numbersScenario(fibres: number): Scenario {
  const prepare = (machine: FibreMachine) => {
    const sequencer = machine.reserve('numbers', 64);
    const taken = new Set<number>();
    function* body(): Body {
      for (let round = 0; round < ROUNDS; round++) {
        const number = yield call('sequenceTake', sequencer);
        check(!taken.has(number), `number ${number} is taken twice`);
        taken.add(number);
      }
    }
    for (let i = 0; i < fibres; i++) machine.spawn(`thread ${i}`, body());
    return () => {
      for (let i = 0; i < fibres * ROUNDS; i++) check(taken.has(i), `number ${i} is left out`);
    };
  };
  return { name: `numbers, ${fibres} threads`, prepare };
}

/** Two slots for three threads: slots are reused while others are about to take them. */
export function poolScenario(fibres: number): Scenario {
  const capacity = 2;
  const prepare = (machine: FibreMachine) => {
    const { exports } = machine;
    const pool = machine.reserve('pool', Pool.$size);
    const links = machine.reserve('links', capacity * PoolLink.$size);
    exports.poolInit(pool, links, 0, 0, capacity);
    const holders = new Map<number, number>();
    function* body(id: number): Body {
      for (let round = 0; round < ROUNDS; round++) {
        const slot = yield call('poolAcquire', pool);
        if (slot < 0) {
          check(holders.size > 0 || fibres > capacity, `the pool fails: ${slot}`);
          continue;
        }
        check(slot < capacity && !holders.has(slot), `slot ${slot} is held twice`);
        holders.set(slot, id);
        yield pause('holds a slot');
        holders.delete(slot);
        check((yield call('poolRelease', pool, slot)) === 0, `slot ${slot} cannot be released`);
      }
    }
    for (let i = 0; i < fibres; i++) machine.spawn(`thread ${i}`, body(i));
    return () => {
      check(exports.poolInUse(pool) === 0, 'a slot is lost');
      const slots = [exports.poolAcquire(pool), exports.poolAcquire(pool)].sort();
      check(slots[0] === 0 && slots[1] === 1, `the free slots are ${slots}`);
      check(exports.poolAcquire(pool) < 0, `the pool has more than it should`);
    };
  };
  return { name: `pool, ${fibres} threads`, prepare };
}
