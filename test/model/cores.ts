/** The cores and scenarios that the schedules run: the real one, and those with a fault put in. */
import type { FibreCoreOptions, SourceChange } from '../../build/asyncify.ts';
import { type CallerFault, orderScenario } from './scenarios/order.ts';
import { lockScenario, numbersScenario, poolScenario } from './scenarios/primitives.ts';
import { QUEUE_MODES, queueScenario } from './scenarios/queue.ts';
import type { Scenario } from './scenarios/scenario.ts';

/** In parts of the whole: how many of the schedules a scenario gets. */
export interface Share {
  readonly scenario: Scenario;
  readonly parts: number;
}

export const SHARES: readonly Share[] = [
  { scenario: orderScenario(2, 2, 1), parts: 4 },
  { scenario: orderScenario(2, 3, 2), parts: 2 },
  { scenario: orderScenario(3, 1, 1), parts: 4 },
  { scenario: orderScenario(3, 2, 2), parts: 2 },
  ...QUEUE_MODES.flatMap((mode) => [
    { scenario: queueScenario(mode, 2, 1), parts: 1 },
    { scenario: queueScenario(mode, 1, 3), parts: 0.5 },
    { scenario: queueScenario(mode, 2, 2), parts: 0.5 },
  ]),
  { scenario: lockScenario(3), parts: 2 },
  { scenario: numbersScenario(3), parts: 1 },
  { scenario: poolScenario(3), parts: 3 },
];

/** Also stopped at every plain access to memory. */
export const FINE_SHARES: readonly Share[] = [
  { scenario: orderScenario(2, 2, 1), parts: 2 },
  { scenario: orderScenario(3, 1, 1), parts: 2 },
  { scenario: queueScenario('each takes one', 2, 1), parts: 1 },
  { scenario: queueScenario('closed at any time', 2, 1), parts: 1 },
  { scenario: poolScenario(3), parts: 1 },
];

/** Divides `count` schedules among the scenarios; rounds up. */
export function divide(
  shares: readonly Share[],
  count: number,
): readonly { scenario: Scenario; count: number }[] {
  const whole = shares.reduce((sum, { parts }) => sum + parts, 0);
  return shares.map(({ scenario, parts }) => ({
    scenario,
    count: Math.ceil((count * parts) / whole),
  }));
}

/** A fault is found out in fewer schedules than this. */
export const BROKEN_SCHEDULES_MAX = 4_999;

export interface BrokenCase {
  readonly name: string;
  readonly core: FibreCoreOptions;
  readonly scenario: Scenario;
  /** What the violation must say. */
  readonly found: RegExp;
}

function brokenCore(
  name: string,
  change: SourceChange,
  scenario: Scenario,
  found: RegExp,
  everyAccess = false,
): BrokenCase {
  return { name, core: { primitivesOnly: true, change, everyAccess }, scenario, found };
}

function brokenCaller(fault: CallerFault, found: RegExp, everyAccess = false): BrokenCase {
  const scenario = orderScenario(2, 2, 1, fault);
  return { name: `caller: ${fault}`, core: { primitivesOnly: true, everyAccess }, scenario, found };
}

const LOCK = 'assembly/lock.ts';
const SEQUENCE = 'assembly/sequence.ts';
const REORDER = 'assembly/reorder.ts';
const QUEUE = 'assembly/queue.ts';
const REOPEN = 'storeUnlock(store); storeLock(store);';

export const BROKEN_CASES: readonly BrokenCase[] = [
  brokenCaller('number outside the lock', /is processed as number/),
  brokenCaller('call outside the lock', /call the socket at once/),
  brokenCaller('processed before it is', /process at once/),
  brokenCaller('successor forgotten', /stranded|fails|refuses|is processed as number/),
  brokenCaller(
    'store without its lock',
    /stranded|fails|refuses|process|traps|not empty|in hand/,
    true,
  ),

  brokenCore(
    'number in two steps',
    {
      file: SEQUENCE,
      from: 'return atomicAdd<u32>(ptr, 1);',
      to: 'const old = atomicLoad<u32>(ptr); atomicStore<u32>(ptr, old + 1); return old;',
    },
    numbersScenario(3),
    /is taken twice/,
  ),
  brokenCore(
    'check, then store',
    {
      file: REORDER,
      from: '  storePlace(place, value);\n  record.stored += 1;',
      to: `  ${REOPEN} storePlace(place, value);\n  record.stored += 1;`,
    },
    orderScenario(2, 2, 1),
    /stranded/,
  ),
  brokenCore(
    'advance, then look',
    {
      file: REORDER,
      from: 'record.next = next;\n  const',
      to: `record.next = next; ${REOPEN} const`,
    },
    orderScenario(2, 2, 1),
    /refuses|traps/,
  ),
  brokenCore(
    'look, then leave',
    {
      file: REORDER,
      from: 'record.processing = 0;\n    return NOTHING;',
      to: `${REOPEN} record.processing = 0; return NOTHING;`,
    },
    orderScenario(2, 2, 1),
    /refuses|stranded/,
  ),
  brokenCore(
    'lock taken in two steps',
    {
      file: LOCK,
      from: 'return atomicCompareExchange<i32>(ptr, LOCK_FREE, LOCK_HELD) == LOCK_FREE;',
      to: 'if (atomicLoad<i32>(ptr) != LOCK_FREE) return false; atomicExchange<i32>(ptr, LOCK_HELD); return true;',
    },
    lockScenario(3),
    /hold the lock|traps/,
  ),
  brokenCore(
    'release without a wake',
    { file: LOCK, from: 'if (old == LOCK_CONTENDED) futexNotify(ptr, 1);', to: '' },
    lockScenario(3),
    /stuck: .* sleeps/,
  ),
  brokenCore(
    'the woken one forgets who else sleeps',
    {
      file: LOCK,
      from: 'futexWait(ptr, LOCK_CONTENDED, -1);',
      to: 'futexWait(ptr, LOCK_CONTENDED, -1); if (lockTryAcquire(ptr)) return;',
    },
    lockScenario(3),
    /stuck: .* sleeps/,
  ),
  brokenCore(
    'enqueue position claimed in two steps',
    {
      file: QUEUE,
      from: 'const found = atomicCompareExchange<u64>(queue + QUEUE_ENQUEUE, enqueue, <u64>(position + 1));',
      to: 'const found = atomicLoad<u64>(queue + QUEUE_ENQUEUE); if (found == enqueue) atomicStore<u64>(queue + QUEUE_ENQUEUE, <u64>(position + 1));',
    },
    queueScenario('closed at the end', 2, 1),
    /stuck|left|twice|nobody pushed/,
  ),
  brokenCore(
    'dequeue position claimed in two steps',
    {
      file: QUEUE,
      from: 'const found = atomicCompareExchange<u32>(queue + QUEUE_DEQUEUE, position, position + 1);',
      to: 'const found = atomicLoad<u32>(queue + QUEUE_DEQUEUE); if (found == position) atomicStore<u32>(queue + QUEUE_DEQUEUE, position + 1);',
    },
    queueScenario('closed at the end', 2, 1),
    /twice|stuck|comes after/,
  ),
  brokenCore(
    'ticket before the completion',
    {
      file: QUEUE,
      from: 'fill(cell, token, result, flags, buffer, systemError);\n        atomicStore<u32>(cell, position + 1 - index);',
      to: 'atomicStore<u32>(cell, position + 1 - index);\n        fill(cell, token, result, flags, buffer, systemError);',
    },
    queueScenario('closed at the end', 2, 1),
    /nobody pushed|twice|comes after/,
    true,
  ),
  brokenCore(
    'posts read after the last look',
    {
      file: QUEUE,
      from: 'const woken = futexWait(postsOf(queue), posts, timeoutMs);',
      to: 'const woken = futexWait(postsOf(queue), atomicLoad<i32>(postsOf(queue)), timeoutMs);',
    },
    queueScenario('each takes one', 2, 1),
    /stuck: .* sleeps/,
  ),
  brokenCore(
    'sleepers unannounced',
    { file: QUEUE, from: 'atomicAdd<i32>(sleepersOf(queue), 1);', to: '' },
    queueScenario('each takes one', 2, 1),
    /stuck: .* sleeps/,
  ),
  brokenCore(
    'posts uncounted',
    { file: QUEUE, from: 'atomicAdd<i32>(postsOf(queue), 1);', to: '' },
    queueScenario('each takes one', 2, 1),
    /stuck: .* sleeps/,
  ),
  brokenCore(
    'wakes not passed on',
    {
      file: QUEUE,
      from: 'if (atomicLoad<i32>(sleepersOf(queue)) > 0) passOn(queue, record);',
      to: '',
    },
    queueScenario('each takes one', 2, 1),
    /stuck: .* sleeps/,
  ),
];
