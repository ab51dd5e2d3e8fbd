/**
 * One connection under several workers: number and submission under the
 * socket's lock, completions in any order through the completion queue, the
 * in-order store, the hand-over (R2, R3, R4). The k-th call on the socket gets
 * the k-th bytes, so an operation goes by the position of its call.
 */
import {
  COMPLETION_BYTES,
  Completion,
  ERROR_CLOSED,
  ERROR_NO_BUFFERS,
  InOrderStore,
  LOCK_FREE,
  NOTHING,
  QUEUE_BYTES,
} from '#generated/layout';
import { type Body, call, check, giveWay, pause, until } from '../actions.ts';
import type { FibreMachine } from '../fibres.ts';
import type { Scenario } from './scenario.ts';

/** What a caller can do wrong; each must be found. */
export type CallerFault =
  | 'number outside the lock'
  | 'call outside the lock'
  | 'store without its lock'
  | 'successor forgotten'
  | 'processed before it is';

const WINDOW_LOG2 = 3;
const CAPACITY_LOG2 = 2;
/** So that numbers wrap in every schedule. */
const FIRST_NUMBER = 2 ** 32 - 3;
const KEY = 0x5a5a5a5a;

interface Parts {
  readonly machine: FibreMachine;
  readonly fault: CallerFault | undefined;
  readonly total: number;
  readonly socket: number;
  readonly sequencer: number;
  readonly store: number;
  readonly queue: number;
  readonly pending: number[];
  readonly numberOf: number[];
  calls: number;
  callers: number;
  /** Operations that a kernel has taken, and those it has pushed. */
  claimed: number;
  pushed: number;
  processors: number;
  processed: number;
}

function* callSocket(parts: Parts, number: number): Body {
  check(parts.callers === 0, 'two threads call the socket at once');
  parts.callers++;
  yield pause('calls the socket');
  const position = parts.calls++;
  parts.numberOf[position] = number;
  parts.pending.push(position);
  parts.callers--;
}

function* submit(parts: Parts): Body {
  const { fault, socket, sequencer } = parts;
  if (fault === 'number outside the lock') {
    const number = yield call('sequenceTake', sequencer);
    yield call('lockAcquire', socket);
    yield* callSocket(parts, number);
    yield call('lockRelease', socket);
    return;
  }
  yield call('lockAcquire', socket);
  const number = yield call('sequenceTake', sequencer);
  if (fault === 'call outside the lock') {
    yield call('lockRelease', socket);
    yield* callSocket(parts, number);
    return;
  }
  yield* callSocket(parts, number);
  yield call('lockRelease', socket);
}

function readCompletion({ machine, numberOf }: Parts, out: number): number {
  const position = machine.f64[(out + Completion.token) >> 3] as number;
  const word = (offset: number) => machine.i32[(out + offset) >> 2];
  const whole =
    word(Completion.result) === (numberOf[position] as number) >> 0 &&
    word(Completion.buffer) === position &&
    word(Completion.systemError) === (position ^ KEY);
  check(whole, `a completion that nobody pushed: ${position}`);
  return position;
}

/** `hand` is in its turn: process it and what follows. */
function* processFrom(parts: Parts, first: number, submits: () => boolean): Body {
  const { fault, store } = parts;
  const next =
    fault === 'store without its lock' ? 'storeProcessAndGetNext' : 'storeProcessAndGetNextLocked';
  let hand = first;
  while (hand !== NOTHING) {
    const mine = hand;
    if (fault === 'processed before it is') hand = yield call(next, store);
    check(parts.processors === 0, 'two threads process at once');
    parts.processors++;
    check(mine === parts.processed, `operation ${mine} is processed as number ${parts.processed}`);
    yield pause(`processes ${mine}`);
    if (submits()) yield* submit(parts);
    parts.processed++;
    parts.processors--;
    if (fault !== 'processed before it is') hand = yield call(next, store);
    check(hand >= 0 || hand === NOTHING, `processAndGetNext fails: ${hand}`);
    if (fault === 'successor forgotten') return;
  }
}

function* worker(parts: Parts, operations: number): Body {
  const { machine, store, queue, fault } = parts;
  const out = machine.reserve('out', COMPLETION_BYTES);
  const getNext = fault === 'store without its lock' ? 'storeGetNext' : 'storeGetNextLocked';
  let left = operations;
  const decides = () => left > 0 && machine.random.below(2) === 0;
  const submits = () => {
    const yes = decides();
    if (yes) left--;
    return yes;
  };
  for (;;) {
    if (submits()) {
      yield* submit(parts);
      continue;
    }
    // Who still has something to submit must not sleep.
    const pop = left > 0 ? call('queuePop', queue, out) : call('queuePopStep', queue, out, -1);
    const result = yield pop;
    if (result === ERROR_CLOSED) return;
    check(result === 1 || result === NOTHING, `the queue fails: ${result}`);
    if (result === NOTHING) continue;
    const position = readCompletion(parts, out);
    const hand = yield call(getNext, store, parts.numberOf[position] as number, position);
    check(hand >= 0 || hand === NOTHING, `the store refuses operation ${position}: ${hand}`);
    yield* processFrom(parts, hand, submits);
  }
}

/** Completes what is pending, in any order. */
function* kernel(parts: Parts): Body {
  const { machine, pending, queue, total } = parts;
  for (;;) {
    yield until('something is pending', () => pending.length > 0 || parts.claimed === total);
    if (pending.length === 0) return;
    const [position] = pending.splice(machine.random.below(pending.length), 1) as [number];
    parts.claimed++;
    const number = (parts.numberOf[position] as number) >> 0;
    const values = [queue, position, number, 0, position, position ^ KEY] as const;
    for (;;) {
      const result = yield call('queuePush', ...values);
      if (result === 0) break;
      check(result === ERROR_NO_BUFFERS, `the queue fails: ${result}`);
      yield giveWay('the queue is full');
    }
    if (++parts.pushed === total) yield call('queueClose', queue);
  }
}

export function orderScenario(
  workers: number,
  operationsEach: number,
  kernels: number,
  fault?: CallerFault,
): Scenario {
  const total = workers * operationsEach;
  const name = `order ${workers}×${operationsEach}/${kernels}${fault === undefined ? '' : `, ${fault}`}`;
  const prepare = (machine: FibreMachine) => {
    const parts: Parts = {
      machine,
      fault,
      total,
      socket: machine.reserve('socket lock', 64),
      sequencer: machine.reserve('numbers', 64),
      store: machine.reserve('store', InOrderStore.$size),
      queue: machine.reserve('queue', QUEUE_BYTES),
      pending: [],
      numberOf: [],
      calls: 0,
      callers: 0,
      claimed: 0,
      pushed: 0,
      processors: 0,
      processed: 0,
    };
    const { exports, i32 } = machine;
    const values = machine.reserve('places', 4 << WINDOW_LOG2);
    const cells = machine.reserve('cells', COMPLETION_BYTES << CAPACITY_LOG2);
    exports.sequenceReset(parts.sequencer, FIRST_NUMBER);
    exports.storeInit(parts.store, values, WINDOW_LOG2, FIRST_NUMBER);
    exports.queueInit(parts.queue, cells, CAPACITY_LOG2);
    for (let i = 0; i < workers; i++) machine.spawn(`worker ${i}`, worker(parts, operationsEach));
    for (let i = 0; i < kernels; i++) machine.spawn(`kernel ${i}`, kernel(parts));
    return () => {
      check(parts.processed === total, `${total - parts.processed} operations are stranded`);
      const word = (address: number) => i32[address >> 2];
      check(word(parts.store + InOrderStore.stored) === 0, 'the store is not empty');
      check(word(parts.store + InOrderStore.processing) === 0, 'the store has one in hand');
      for (let i = 0; i < 1 << WINDOW_LOG2; i++) {
        check(word(values + 4 * i) === NOTHING, `place ${i} is taken`);
      }
      for (const lock of [parts.socket, parts.store + InOrderStore.lock]) {
        check(word(lock) === LOCK_FREE, 'a lock is held');
      }
    };
  };
  return { name, prepare };
}
