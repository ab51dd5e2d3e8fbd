/** The cores and scenarios that the schedules run: the real one, and those with a fault put in. */
import {
  assembleFibreCore,
  type FibreBinary,
  type FibreCoreOptions,
  type SourceChange,
} from '../../build/asyncify.ts';
import { FibreMachine } from './fibres.ts';
import { type CallerFault, orderScenario } from './scenarios/order.ts';
import { lockScenario, numbersScenario, poolScenario } from './scenarios/primitives.ts';
import { QUEUE_MODES, queueScenario } from './scenarios/queue.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { type ShareFault, type ShareOptions, shareScenario } from './scenarios/share.ts';
import { SHARE_CHANGES, SHARE_FAULTS } from './share-faults.ts';

/** In parts of the whole: how many of the schedules a scenario gets. */
export interface Share {
  readonly scenario: Scenario;
  readonly parts: number;
}

/** The turn of a shared port: a schedule of these takes ten times as long as one of the others. */
const SHARED = {
  plain: { workers: 2, connections: 1, messages: 3 },
  three: { workers: 3, connections: 1, messages: 3 },
  two: { workers: 2, connections: 2, messages: 2, locks: 1 },
  selects: { workers: 2, connections: 1, messages: 3, selects: true },
  more: { workers: 2, connections: 1, messages: 5, eagerRead: false },
  posts: { workers: 2, connections: 1, messages: 2, posts: 2 },
  latePosts: { workers: 1, connections: 1, messages: 1, posts: 1, postsLate: true },
  aborts: { workers: 2, connections: 1, messages: 2, aborts: true, posts: 1 },
  abortsSelected: { workers: 2, connections: 1, messages: 2, aborts: true, selects: true },
  dies: { workers: 2, connections: 2, messages: 2, dies: true },
} satisfies Record<string, ShareOptions>;

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
  ...Object.values(SHARED).map((options) => ({ scenario: shareScenario(options), parts: 0.5 })),
];

/** Also stopped at every plain access to memory. */
export const FINE_SHARES: readonly Share[] = [
  { scenario: orderScenario(2, 2, 1), parts: 2 },
  { scenario: orderScenario(3, 1, 1), parts: 2 },
  { scenario: queueScenario('each takes one', 2, 1), parts: 1 },
  { scenario: queueScenario('closed at any time', 2, 1), parts: 1 },
  { scenario: poolScenario(3), parts: 1 },
  { scenario: shareScenario(SHARED.plain), parts: 0.2 },
  { scenario: shareScenario(SHARED.aborts), parts: 0.2 },
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
  /** Of a core with several: the number of the one that is on. */
  readonly fault?: number;
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
  return { name, core: { primitivesOnly: true, changes: [change], everyAccess }, scenario, found };
}

function brokenCaller(fault: CallerFault, found: RegExp, everyAccess = false): BrokenCase {
  const scenario = orderScenario(2, 2, 1, fault);
  return { name: `caller: ${fault}`, core: { primitivesOnly: true, everyAccess }, scenario, found };
}

/** One core has all of these, and shows one. */
const SHARE_CORE: FibreCoreOptions = { changes: SHARE_CHANGES };

let shareCore: Promise<FibreBinary> | undefined;

/** A machine that has the fault. */
export async function brokenMachine({ core, fault = 0 }: BrokenCase): Promise<FibreMachine> {
  if (core !== SHARE_CORE) return new FibreMachine(await assembleFibreCore(core));
  shareCore ??= assembleFibreCore(core);
  const machine = new FibreMachine(await shareCore);
  machine.fault = fault;
  return machine;
}

const brokenShare: readonly BrokenCase[] = SHARE_FAULTS.map(({ name, scenario, found }, index) => ({
  name,
  core: SHARE_CORE,
  fault: index + 1,
  scenario: shareScenario(SHARED[scenario]),
  found,
}));

function brokenHost(fault: ShareFault, options: ShareOptions, found: RegExp): BrokenCase {
  const scenario = shareScenario({ ...options, fault });
  return { name: `worker: ${fault}`, core: SHARE_CORE, scenario, found };
}

const LOCK = 'assembly/lock.ts';
const SEQUENCE = 'assembly/sequence.ts';
const REORDER = 'assembly/reorder.ts';
const QUEUE = 'assembly/queue.ts';
const REOPEN = 'storeUnlock(store); storeLock(store);';

export const BROKEN_CASES: readonly BrokenCase[] = [
  ...brokenShare,
  brokenHost('sleeps with a claim', SHARED.plain, /stuck: .* sleeps/),
  brokenHost('releases before handing over', SHARED.more, /is handled as number/),

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
      from: 'fill(cell, token, result, flags, buffer, systemError, connection);\n        atomicStore<u32>(cell, position + 1 - index);',
      to: 'atomicStore<u32>(cell, position + 1 - index);\n        fill(cell, token, result, flags, buffer, systemError, connection);',
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
