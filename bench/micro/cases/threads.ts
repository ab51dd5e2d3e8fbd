/** Lock and number, and the completion queue: by one thread, and between several. */
import * as layout from '#generated/layout';
import { CompletionQueue, Core, Lock, ReorderBuffer, Sequencer } from '../../../src/core/index.ts';
import {
  CALLS,
  CORE,
  DIGEST_SEED,
  type MicroCase,
  mix,
  PLAIN,
  type Version,
  type Work,
} from '../case.ts';
import { driverOn } from '../driver.ts';
import { Gang } from '../gang.ts';
import { PlainStore } from '../plain/store.ts';
import { acquire, PlainQueue, release } from '../plain/threads.ts';
import { QUEUE_LOG2, type RoleName, Roles, type Task } from '../roles.ts';

/** Operations of a step: of one thread, and of several, which must first wake up. */
const ALONE = 4096;
const TOGETHER = 1 << 16;

const EMPTY = new Uint8Array(0);

/** A version whose step returns a sum. */
function summing(
  name: string,
  role: Version['role'],
  units: number,
  run: () => number,
  digestOf: (sum: number) => number,
): Version {
  let sum = 0;
  return {
    name,
    role,
    steps: 1,
    step() {
      sum = run();
      return units;
    },
    digest: () => digestOf(sum),
  };
}

// ------------------------------------------------------------------ lock and number

async function openLock(threads: number): Promise<Work> {
  const gang = threads === 1 ? undefined : await Gang.start(threads);
  const core = gang?.core ?? Core.create({ shared: true, memoryBytes: 2 ** 20 });
  const roles = new Roles(core);
  const lock = Lock.create(core).address;
  const sequencer = Sequencer.create(core).address;
  const units = threads === 1 ? ALONE : TOGETHER;
  const version = (name: string, own: Version['role'], role: RoleName) =>
    summing(
      name,
      own,
      units,
      () => {
        Atomics.store(core.i32, sequencer >>> 2, 0);
        const task: Task = { role, a: lock, b: sequencer, id: 0, count: units / threads };
        if (gang === undefined) return roles.run(task);
        return gang.run(Array.from({ length: threads }, (_, id) => ({ ...task, id })));
      },
      (sum) => mix(mix(DIGEST_SEED, sum), Atomics.load(core.i32, sequencer >>> 2)),
    );
  return {
    versions: [
      version(CORE, 'own', 'coreLock'),
      version(CALLS, 'own', 'calledLock'),
      version(PLAIN, 'peer', 'plainLock'),
    ],
    native: { kernel: 'lock', numbers: [threads, units], input: EMPTY },
    close: () => gang?.end(),
  };
}

// ------------------------------------------------------------------ one operation

function openOperation(): Work {
  const core = Core.create({ shared: true, memoryBytes: 2 ** 20 });
  const { exports, i32 } = core;
  const driver = driverOn(core);
  const units = ALONE;
  const place = () => ({
    lock: Lock.create(core).address,
    sequencer: Sequencer.create(core).address,
    store: ReorderBuffer.create(core, { window: 64 }).address,
  });
  const version = (
    name: string,
    role: Version['role'],
    at: ReturnType<typeof place>,
    run: () => number,
  ) =>
    summing(name, role, units, run, (sum) =>
      mix(mix(DIGEST_SEED, sum), Atomics.load(i32, at.sequencer >>> 2)),
    );
  const [driven, called, plain] = [place(), place(), place()];
  const plainStore = new PlainStore(64);
  return {
    versions: [
      version(CORE, 'own', driven, () =>
        driver.runOperation(driven.lock, driven.sequencer, driven.store, units),
      ),
      version(CALLS, 'own', called, () => {
        let sum = 0;
        for (let index = 0; index < units; index++) {
          exports.lockAcquire(called.lock);
          const sequence = exports.sequenceTake(called.sequencer);
          let value = exports.storeGetNext(called.store, sequence, sequence & 0xffff);
          while (value >= 0) {
            sum = (sum + value) | 0;
            value = exports.storeProcessAndGetNext(called.store);
          }
          exports.lockRelease(called.lock);
        }
        return sum;
      }),
      version(PLAIN, 'peer', plain, () => {
        let sum = 0;
        for (let index = 0; index < units; index++) {
          acquire(i32, plain.lock >>> 2);
          const sequence = Atomics.add(i32, plain.sequencer >>> 2, 1);
          let value = plainStore.getNext(sequence, sequence & 0xffff);
          while (value >= 0) {
            sum = (sum + value) | 0;
            value = plainStore.processAndGetNext();
          }
          release(i32, plain.lock >>> 2);
        }
        return sum;
      }),
    ],
    native: { kernel: 'operation', numbers: [units], input: EMPTY },
  };
}

// ------------------------------------------------------------------ the queue

function openOwnQueue(shared: boolean): Work {
  const core = Core.create({ shared, memoryBytes: 2 ** 20 });
  const { exports, i32 } = core;
  const driver = driverOn(core);
  const units = 2 ** QUEUE_LOG2 / 4;
  const make = () => CompletionQueue.create(core, { capacity: 2 ** QUEUE_LOG2 }).address;
  const [driven, called] = [make(), make()];
  const scratch = core.reserve(64);
  const words = new Int32Array(
    new SharedArrayBuffer(PlainQueue.words(QUEUE_LOG2) * Int32Array.BYTES_PER_ELEMENT),
  );
  const plain = new PlainQueue(words, 0, QUEUE_LOG2);
  plain.init();
  const digestOf = (sum: number) => mix(DIGEST_SEED, sum);
  const result = (scratch + layout.Completion.result) >>> 2;
  const versions = [
    summing(CORE, 'own', units, () => driver.runQueue(driven, scratch, 0, units), digestOf),
    summing(
      CALLS,
      'own',
      units,
      () => {
        for (let index = 0; index < units; index++) {
          if (exports.queuePush(called, index, index, 0, layout.NOTHING, 0) < 0) return 0;
        }
        let sum = 0;
        while (exports.queuePop(called, scratch) === 1) {
          sum = (Math.imul(sum, 31) + (i32[result] as number)) | 0;
        }
        return sum;
      },
      digestOf,
    ),
    shared
      ? summing(
          PLAIN,
          'peer',
          units,
          () => {
            for (let index = 0; index < units; index++) if (!plain.push(index)) return 0;
            let sum = 0;
            while (plain.pop()) sum = (Math.imul(sum, 31) + plain.taken) | 0;
            return sum;
          },
          digestOf,
        )
      : plainRing(units, digestOf),
    arrayQueue(units, digestOf),
  ];
  if (!shared) return { versions };
  return {
    versions,
    native: { kernel: 'queue', numbers: [0, 0, units, QUEUE_LOG2], input: EMPTY },
  };
}

/** Without threads: a ring of the same fields, and two positions. */
function plainRing(units: number, digestOf: (sum: number) => number): Version {
  const mask = 2 ** QUEUE_LOG2 - 1;
  const fields = new Int32Array(8 << QUEUE_LOG2);
  const tokens = new Float64Array(fields.buffer);
  let enqueue = 0;
  let dequeue = 0;
  return summing(
    PLAIN,
    'peer',
    units,
    () => {
      for (let index = 0; index < units; index++) {
        if (enqueue - dequeue > mask) return 0;
        const cell = (enqueue++ & mask) * 8;
        fields[cell + 1] = 0;
        tokens[(cell >>> 1) + 1] = index;
        fields[cell + 4] = index;
        fields[cell + 5] = -100;
        fields[cell + 6] = 0;
        fields[cell + 7] = 0;
      }
      let sum = 0;
      while (dequeue !== enqueue) {
        const cell = (dequeue++ & mask) * 8;
        sum = (Math.imul(sum, 31) + (fields[cell + 4] as number)) | 0;
      }
      enqueue = 0;
      dequeue = 0;
      return sum;
    },
    digestOf,
  );
}

/** What people write: objects in an array. */
function arrayQueue(units: number, digestOf: (sum: number) => number): Version {
  const queue: { token: number; result: number; flags: number; buffer: number }[] = [];
  return summing(
    'objects in an array',
    'peer',
    units,
    () => {
      for (let index = 0; index < units; index++) {
        queue.push({ token: index, result: index, flags: 0, buffer: -100 });
      }
      let sum = 0;
      for (;;) {
        const first = queue.shift();
        if (first === undefined) return sum;
        sum = (Math.imul(sum, 31) + first.result) | 0;
      }
    },
    digestOf,
  );
}

async function openQueue(producers: number, consumers: number): Promise<Work> {
  const gang = await Gang.start(producers + consumers);
  const { core } = gang;
  const queue = CompletionQueue.create(core, { capacity: 2 ** QUEUE_LOG2 }).address;
  const plain = core.reserve(PlainQueue.words(QUEUE_LOG2) * 4);
  new PlainQueue(core.i32, plain >>> 2, QUEUE_LOG2).init();
  const version = (
    name: string,
    own: Version['role'],
    a: number,
    produce: RoleName,
    consume: RoleName,
  ) => {
    const tasks: Task[] = [];
    for (let id = 0; id < consumers; id++) {
      tasks.push({ role: consume, a, b: 0, id, count: TOGETHER / consumers });
    }
    for (let id = 0; id < producers; id++) {
      tasks.push({ role: produce, a, b: 0, id, count: TOGETHER / producers });
    }
    const digestOf = (sum: number) => mix(DIGEST_SEED, sum);
    return summing(name, own, TOGETHER, () => gang.run(tasks), digestOf);
  };
  return {
    versions: [
      version(CORE, 'own', queue, 'coreProduce', 'coreConsume'),
      version(PLAIN, 'peer', plain, 'plainProduce', 'plainConsume'),
    ],
    native: {
      kernel: 'queue',
      numbers: [producers, consumers, TOGETHER, QUEUE_LOG2],
      input: EMPTY,
    },
    close: () => gang.end(),
  };
}

export const threadCases: readonly MicroCase[] = [
  {
    id: 'operation',
    section: 'Order',
    title: 'Lock, number, store, release as one operation',
    unit: 'operation',
    labels: { memory: 'shared' },
    promises: [{ of: CORE, atMostNs: 40 }],
    essential: true,
    open: openOperation,
  },
  ...[1, 2, 4].map(
    (threads): MicroCase => ({
      id: `lock/${threads}`,
      section: 'Locks',
      title: threads === 1 ? 'Lock and number, uncontended' : `Lock and number, ${threads} workers`,
      unit: 'operation',
      labels: { workers: threads },
      threads,
      essential: threads <= 2,
      open: () => openLock(threads),
    }),
  ),
  ...[false, true].map(
    (shared): MicroCase => ({
      id: `queue/own-thread/${shared ? 'shared' : 'unshared'}`,
      section: 'Completion queue',
      title: `Completion queue, one thread, ${shared ? 'shared' : 'unshared'} memory`,
      unit: 'completion',
      labels: { threads: 1, memory: shared ? 'shared' : 'unshared' },
      open: () => openOwnQueue(shared),
    }),
  ),
  ...[1, 2].map(
    (side): MicroCase => ({
      id: `queue/${side}-${side}`,
      section: 'Completion queue',
      title: `Completion queue, ${side} → ${side} threads`,
      unit: 'completion',
      labels: { producers: side, consumers: side },
      threads: 2 * side,
      essential: side === 1,
      open: () => openQueue(side, side),
    }),
  ),
];
