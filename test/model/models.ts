/** Every configuration of the Promela models that is checked, and what must come of it. */

export interface ModelCheck {
  /** The Promela file beside this one. */
  readonly model: string;
  /** Macros of the model, as `NAME` or `NAME=value`. */
  readonly macros: readonly string[];
  /** What Spin must say against it, where something is broken on purpose. */
  readonly refutedBy?: RegExp;
}

const order = (...macros: readonly string[]): ModelCheck => ({ model: 'order.pml', macros });
const queue = (...macros: readonly string[]): ModelCheck => ({ model: 'queue.pml', macros });
const share = (...macros: readonly string[]): ModelCheck => ({ model: 'share.pml', macros });

function broken(name: string, check: ModelCheck, refutedBy: RegExp): ModelCheck {
  return { ...check, macros: [`BROKEN_${name}`, ...check.macros], refutedBy };
}

export const CORRECT: readonly ModelCheck[] = [
  order('THREADS=2', 'OPERATIONS=4'),
  order('THREADS=3', 'OPERATIONS=3'),
  order('THREADS=3', 'OPERATIONS=4'),
  order('THREADS=3', 'OPERATIONS=4', 'HANDLER_SUBMITS'),
  // Receives and sends of one socket: under one lock, and under one each (R15).
  order('THREADS=2', 'OPERATIONS=3', 'KINDS=2'),
  order('THREADS=2', 'OPERATIONS=3', 'KINDS=2', 'LOCKS_APART', 'HANDLER_SUBMITS'),
  order('THREADS=3', 'OPERATIONS=2', 'KINDS=2'),

  queue('PRODUCERS=1', 'PUSHES=3', 'CONSUMERS=1'),
  queue('PRODUCERS=2', 'PUSHES=2', 'CONSUMERS=1'),
  queue('PRODUCERS=1', 'PUSHES=3', 'CONSUMERS=2'),
  queue('PRODUCERS=2', 'PUSHES=1', 'CONSUMERS=2', 'TAKE_ONE'),
  queue('PRODUCERS=1', 'PUSHES=2', 'CONSUMERS=2', 'TIMEOUTS'),
  queue('PRODUCERS=1', 'PUSHES=1', 'CONSUMERS=2', 'WAKE'),
  queue('PRODUCERS=1', 'PUSHES=1', 'CONSUMERS=2', 'CLOSES'),
  queue('PRODUCERS=2', 'PUSHES=1', 'CONSUMERS=1', 'CLOSES'),

  share(),
  share('COMPLETIONS=4', 'CALLS=1'),
  share('COMPLETIONS=4', 'ORDERED'),
  share('WORKERS=3', 'CALLS=1', 'ORDERED'),
  share('WORKERS=3', 'COMPLETIONS=2', 'CALLS=1'),
];

const OUT_OF_ORDER = /hand==processed/;
const TWO_CALLS = /calling\[kind\]==0/;
const TWO_PROCESSORS = /processors\[kind\]==0/;
const STRANDED = /processed\[0\]==3/;
const DUPLICATE = /!\(processing\[kind\]\)/;
const NOBODY_WAKES = /invalid end state/;
const LEFT_IN_QUEUE = /popped==pushed/;
const TAKEN_TWICE = /!\(\(popped&/;
const PASSED_ON_TO_NOBODY = /processed==3/;
const OVERTAKEN = /item==processed/;
const CALL_STRANDED = /ran==2/;

export const BROKEN: readonly ModelCheck[] = [
  broken('NUMBER_OUTSIDE_LOCK', order(), OUT_OF_ORDER),
  broken('CALL_OUTSIDE_LOCK', order(), TWO_CALLS),
  broken('NO_SOCKET_LOCK', order(), TWO_CALLS),
  broken('NUMBER_NOT_ATOMIC', order(), OUT_OF_ORDER),
  broken('CHECK_THEN_STORE', order(), STRANDED),
  broken('STORE_UNLOCKED', order(), DUPLICATE),
  broken('HANDOVER', order(), DUPLICATE),
  broken('LOOK_THEN_LEAVE', order(), STRANDED),
  broken('ADVANCE_EARLY', order(), TWO_PROCESSORS),
  broken('LOCK_NOT_ATOMIC', order(), /old!=0/),
  broken('NO_WAKE', order(), NOBODY_WAKES),
  broken('SLEEP_WITHOUT_LOOK', order(), NOBODY_WAKES),
  // Two threads cannot show it: somebody must sleep while the woken one holds the lock.
  broken('WOKEN_UNMARKED', order('THREADS=3'), NOBODY_WAKES),

  broken('CLAIM', queue('CONSUMERS=1'), LEFT_IN_QUEUE),
  broken('TAKE', queue(), TAKEN_TWICE),
  broken('FILL_LATE', queue('PRODUCERS=1', 'CONSUMERS=1'), LEFT_IN_QUEUE),
  broken('ANNOUNCE_LATE', queue(), LEFT_IN_QUEUE),
  broken('SLEEPERS_EARLY', queue(), LEFT_IN_QUEUE),
  broken('POST_UNCOUNTED', queue(), LEFT_IN_QUEUE),
  broken('NO_PASSING_ON', queue('TAKE_ONE'), LEFT_IN_QUEUE),
  broken('CLOSED_APART', queue('PRODUCERS=1', 'CLOSES'), LEFT_IN_QUEUE),
  broken('FINISHED_EARLY', queue('PRODUCERS=1', 'CLOSES'), LEFT_IN_QUEUE),

  broken('UNCLAIMED', share(), /processors==0/),
  broken('OWNER_OUTSIDE_LOCK', share(), PASSED_ON_TO_NOBODY),
  broken('FORWARDED_FORGOTTEN', share(), PASSED_ON_TO_NOBODY),
  broken('SLEEPS_WITH_CLAIM', share(), PASSED_ON_TO_NOBODY),
  broken('TAKEN_THEN_CLAIMED', share('ORDERED'), OVERTAKEN),
  broken('OWN_OVERTAKES', share('ORDERED'), OVERTAKEN),
  broken('CALLS_FORGOTTEN', share(), CALL_STRANDED),
  broken('CALLS_OUTSIDE_LOCK', share(), CALL_STRANDED),
  broken('POKED_FOR_EVER', share(), CALL_STRANDED),
  broken('POST_OUTSIDE_LOCK', share(), CALL_STRANDED),
];

export const ALL_CHECKS: readonly ModelCheck[] = [...CORRECT, ...BROKEN];

export function describeCheck({ model, macros }: ModelCheck): string {
  return `${model} ${macros.join(' ') || '(as it is)'}`;
}
