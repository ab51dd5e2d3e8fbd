/** The completion queue alone: every way to wait and to be woken. */
import {
  COMPLETION_BYTES,
  Completion,
  ERROR_CANCELED,
  ERROR_CLOSED,
  ERROR_NO_BUFFERS,
  ERROR_TIMED_OUT,
  NOTHING,
  QUEUE_BYTES,
} from '#generated/layout';
import { type Body, call, check, giveWay, until } from '../actions.ts';
import type { FibreMachine } from '../fibres.ts';
import type { Scenario } from './scenario.ts';

/**
 * - `each takes one`: as many consumers as completions; each goes off with its own
 * - `closed at the end`: consumers stay until they are told that it is closed
 * - `closed at any time`: what was not refused is taken
 * - `woken`: one consumer returns from its wait without a completion
 * - `one leaves`: one consumer has a time-out and leaves when it runs out
 */
export const QUEUE_MODES = [
  'each takes one',
  'closed at the end',
  'closed at any time',
  'woken',
  'one leaves',
] as const;
type QueueMode = (typeof QUEUE_MODES)[number];

const CAPACITY_LOG2 = 1;
const KEY = 0x5a5a5a5a;
const TIME_OUT_MS = 5;

interface Parts {
  readonly machine: FibreMachine;
  readonly mode: QueueMode;
  readonly queue: number;
  readonly consumers: number;
  readonly pushesEach: number;
  /** How often each was taken. */
  readonly taken: number[];
  takenCount: number;
  pushed: number;
  refused: number;
  canceled: number;
}

function* producer(parts: Parts, first: number): Body {
  const { queue, pushesEach } = parts;
  for (let i = 0; i < pushesEach; i++) {
    const token = first + i;
    for (;;) {
      const result = yield call('queuePush', queue, token, ~token, 7, token, token ^ KEY);
      if (result === 0) {
        parts.pushed++;
        break;
      }
      if (result === ERROR_CLOSED && parts.mode === 'closed at any time') {
        parts.refused++;
        break;
      }
      check(result === ERROR_NO_BUFFERS, `push fails: ${result}`);
      yield giveWay('the queue is full');
    }
  }
}

function take(parts: Parts, out: number, last: number[]): void {
  const { machine, taken, pushesEach } = parts;
  const token = machine.f64[(out + Completion.token) >> 3] as number;
  const word = (offset: number) => machine.i32[(out + offset) >> 2];
  const whole =
    word(Completion.flags) === 7 &&
    word(Completion.result) === ~token &&
    word(Completion.buffer) === token &&
    word(Completion.systemError) === (token ^ KEY);
  check(whole && token < taken.length, `a completion that nobody pushed: ${token}`);
  taken[token] = (taken[token] as number) + 1;
  check(taken[token] === 1, `completion ${token} is taken twice`);
  parts.takenCount++;
  const from = Math.floor(token / pushesEach);
  check(token > (last[from] ?? -1), `completion ${token} comes after ${last[from]}`);
  last[from] = token;
}

function* consumer(parts: Parts, isFirst: boolean): Body {
  const { machine, mode, queue } = parts;
  const out = machine.reserve('out', COMPLETION_BYTES);
  const last: number[] = [];
  const leaves = mode === 'one leaves' && isFirst;
  for (;;) {
    const result = yield call('queuePopStep', queue, out, leaves ? TIME_OUT_MS : -1);
    if (result === ERROR_CLOSED) return;
    if (result === ERROR_TIMED_OUT && leaves) return;
    if (result === 1) {
      take(parts, out, last);
      if (mode === 'each takes one') return;
    } else if (result === ERROR_CANCELED && mode === 'woken') parts.canceled++;
    else check(result === NOTHING, `the wait ends with ${result}`);
  }
}

function* closer(parts: Parts): Body {
  const { queue, mode, taken } = parts;
  if (mode === 'woken') yield call('queueWake', queue);
  if (mode !== 'closed at any time') {
    const awaited = mode === 'woken' ? 1 : 0;
    yield until(
      'everything is taken',
      () => parts.takenCount === taken.length && parts.canceled === awaited,
    );
  }
  yield call('queueClose', queue);
}

export function queueScenario(mode: QueueMode, producers: number, pushesEach: number): Scenario {
  const total = producers * pushesEach;
  const prepare = (machine: FibreMachine) => {
    const consumers = mode === 'each takes one' ? total : 2;
    const parts: Parts = {
      machine,
      mode,
      queue: machine.reserve('queue', QUEUE_BYTES),
      consumers,
      pushesEach,
      taken: Array.from({ length: total }, () => 0),
      takenCount: 0,
      pushed: 0,
      refused: 0,
      canceled: 0,
    };
    const cells = machine.reserve('cells', COMPLETION_BYTES << CAPACITY_LOG2);
    machine.exports.queueInit(parts.queue, cells, CAPACITY_LOG2);
    for (let i = 0; i < producers; i++) {
      machine.spawn(`producer ${i}`, producer(parts, i * pushesEach));
    }
    for (let i = 0; i < consumers; i++) machine.spawn(`consumer ${i}`, consumer(parts, i === 0));
    if (mode !== 'each takes one') machine.spawn('closer', closer(parts));
    return () => {
      check(parts.pushed + parts.refused === total, 'a push got lost');
      check(parts.takenCount === parts.pushed, `${parts.pushed - parts.takenCount} are left`);
      check(machine.exports.queueLength(parts.queue) === 0, 'the queue is not empty');
    };
  };
  return { name: `queue ${producers}×${pushesEach}, ${mode}`, prepare };
}
