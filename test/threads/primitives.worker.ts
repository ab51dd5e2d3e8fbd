/** What the threads of the thread tests do, each role once a thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { CompletionQueue as layout } from '#generated/layout';
import {
  Arena,
  CompletionQueue,
  Core,
  Lock,
  OverlappedError,
  Pool,
  ReorderBuffer,
  Sequencer,
} from '../../src/core/index.ts';
import { shareDriver, shareWorker } from './share.roles.ts';

/** Tokens of producer `p` are `p * PRODUCER_STRIDE + index`. */
export const PRODUCER_STRIDE = 2 ** 32;

export type CrewMessage = { readonly result: unknown } | { readonly error: string };

/** Sleeps on a word of the thread's own. */
const ownWord = new Int32Array(new SharedArrayBuffer(4));
function sleep(timeMs: number): void {
  Atomics.wait(ownWord, 0, 0, timeMs);
}

/** Small pseudo-random numbers, different in each thread. */
function randomFrom(seed: number): (limit: number) => number {
  let state = (seed + 1) * 0x9e3779b9;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % limit;
  };
}

const roles = {
  shareDriver,
  shareWorker,

  /** Adds to a plain counter under the lock; holds it asleep now and then, so that others sleep too. */
  increment(core: Core, task: { lock: number; counter: number; times: number; timed: boolean }) {
    const lock = Lock.attach(core, task.lock);
    const index = task.counter >>> 2;
    for (let i = 0; i < task.times; i++) {
      if (task.timed) while (!lock.acquireWithin(0.05));
      else lock.acquire();
      const value = core.i32[index] as number;
      if (i % 2000 === 1999) sleep(1);
      core.i32[index] = value + 1;
      lock.release();
    }
  },

  /** Takes and returns slots; counts slots that somebody else had too, and tokens that outlived their use. */
  churn(core: Core, task: { pool: number; owners: number; id: number; times: number }) {
    const pool = Pool.attach(core, task.pool);
    const random = randomFrom(task.id);
    const owner = (slot: number) => (task.owners >>> 2) + slot;
    let faults = 0;
    let taken = 0;
    for (let i = 0; i < task.times; i++) {
      const held: [number, number][] = [];
      for (let wanted = 1 + random(3); wanted > 0; wanted--) {
        const slot = pool.acquire();
        if (slot === undefined) break;
        taken++;
        if (Atomics.compareExchange(core.i32, owner(slot), 0, task.id) !== 0) faults++;
        const token = pool.token(slot);
        if (pool.check(token) !== slot) faults++;
        held.push([slot, token]);
      }
      for (const [slot, token] of held) {
        if (Atomics.exchange(core.i32, owner(slot), 0) !== task.id) faults++;
        pool.release(slot);
        if (pool.check(token) !== undefined) faults++;
      }
    }
    return { faults, taken };
  },

  produce(core: Core, task: { queue: number; id: number; count: number }) {
    const queue = CompletionQueue.attach(core, task.queue);
    for (let i = 0; i < task.count; i++) {
      while (!queue.push({ token: task.id * PRODUCER_STRIDE + i, result: i })) sleep(0.05);
    }
  },

  /** Pops until the queue is closed; marks each completion, and counts those out of their producer's order. */
  consume(core: Core, task: { queue: number; marks: number; perProducer: number }) {
    const queue = CompletionQueue.attach(core, task.queue);
    const last = new Map<number, number>();
    let taken = 0;
    let faults = 0;
    try {
      for (;;) {
        const completion = queue.popWait();
        if (completion === undefined) continue;
        const producer = Math.floor(completion.token / PRODUCER_STRIDE);
        const index = completion.token % PRODUCER_STRIDE;
        if (completion.result !== index || index <= (last.get(producer) ?? -1)) faults++;
        last.set(producer, index);
        Atomics.add(core.i32, (task.marks >>> 2) + producer * task.perProducer + index, 1);
        taken++;
      }
    } catch (error) {
      if (!(error instanceof OverlappedError && error.code === 'CLOSED')) throw error;
    }
    return { taken, faults };
  },

  /** Says that it begins, and pushes; false if that was refused. */
  pushOnce(core: Core, task: { queue: number; token: number; ready: number }) {
    Atomics.store(core.i32, task.ready >>> 2, 1);
    return CompletionQueue.attach(core, task.queue).push({ token: task.token });
  },

  /** Sends back on one queue what comes in on another: a wake that is lost stops it for good. */
  bounce(core: Core, task: { from: number; to: number; times: number; first: boolean }) {
    const from = CompletionQueue.attach(core, task.from);
    const to = CompletionQueue.attach(core, task.to);
    if (task.first) to.push({ token: 0 });
    let token = -1;
    for (let i = 0; i < task.times; i++) {
      token = from.popWait()?.token ?? -1;
      if (!task.first || i < task.times - 1) to.push({ token: token + 1 });
    }
    return token;
  },

  /** Says when it is about to wait, and waits: for 1, 2, 3, … */
  awaitEach(core: Core, task: { queue: number; ready: number; times: number }) {
    const queue = CompletionQueue.attach(core, task.queue);
    let faults = 0;
    for (let i = 1; i <= task.times; i++) {
      Atomics.store(core.i32, task.ready >>> 2, i);
      if (queue.popWait()?.token !== i) faults++;
    }
    return faults;
  },

  /**
   * Pushes just when the other is about to fall asleep: each push that came
   * too late makes the next come sooner, and the other way round.
   */
  pushEach(core: Core, task: { queue: number; ready: number; times: number }) {
    const queue = CompletionQueue.attach(core, task.queue);
    const ready = task.ready >>> 2;
    const sleepers = (task.queue + layout.sleepers) >>> 2;
    const random = randomFrom(0);
    let delay = 0;
    for (let i = 1; i <= task.times; i++) {
      for (let looks = 1; Atomics.load(core.i32, ready) !== i; looks++) {
        if (looks % 10_000 === 0) sleep(0.1);
      }
      for (let spin = delay + random(40); spin > 0; spin--) Atomics.load(core.i32, ready);
      const late = Atomics.load(core.i32, sleepers) > 0;
      queue.push({ token: i });
      delay = late ? Math.max(delay - 8, 0) : Math.min(delay + 8, 20_000);
    }
  },

  /** Takes numbers as fast as it can; returns their sum, and how many were not above the one before. */
  number(core: Core, task: { sequencer: number; count: number }) {
    const sequencer = Sequencer.attach(core, task.sequencer);
    let sum = 0;
    let faults = 0;
    for (let i = 0, last = -1; i < task.count; i++) {
      const number = sequencer.take();
      if (number <= last) faults++;
      sum += number;
      last = number;
    }
    return { sum, faults };
  },

  /** One `popWait`: a token, undefined, or the code of its error. */
  popOnce(core: Core, task: { queue: number; timeoutMs: number }) {
    try {
      return CompletionQueue.attach(core, task.queue).popWait(task.timeoutMs)?.token;
    } catch (error) {
      if (error instanceof OverlappedError) return error.code;
      throw error;
    }
  },

  /** Takes numbers, and puts them in order through the buffer; whoever processes writes the log. */
  reorder(
    core: Core,
    task: { sequencer: number; buffer: number; log: number; count: number; id: number },
  ) {
    const sequencer = Sequencer.attach(core, task.sequencer);
    const buffer = ReorderBuffer.attach(core, task.buffer);
    const random = randomFrom(task.id);
    // The log's first word is the count of entries, its second says that somebody writes.
    const log = task.log >>> 2;
    let faults = 0;
    let processed = 0;
    for (let i = 0; i < task.count; i++) {
      const sequence = sequencer.take();
      for (let spin = random(50); spin > 0; spin--) Atomics.load(core.i32, log);
      let value = buffer.getNext(sequence, sequence % 2 ** 31);
      for (; value !== undefined; value = buffer.processAndGetNext()) {
        if (Atomics.exchange(core.i32, log + 1, 1) !== 0) faults++;
        const count = core.i32[log] as number;
        core.i32[log + 2 + count] = value;
        core.i32[log] = count + 1;
        Atomics.store(core.i32, log + 1, 0);
        processed++;
      }
    }
    return { faults, processed };
  },

  /** Takes, fills, grows, verifies and frees blocks; counts bytes that somebody else wrote. */
  allocate(core: Core, task: { arena: number; id: number; times: number }) {
    const arena = Arena.attach(core, task.arena);
    const random = randomFrom(task.id);
    const held: number[] = [];
    let faults = 0;
    const letGo = () => {
      const block = held.splice(random(held.length), 1)[0] as number;
      const view = arena.view(block);
      if (view[0] !== task.id || view[view.length - 1] !== task.id) faults++;
      arena.free(block);
    };
    for (let i = 0; i < task.times; i++) {
      const block = held.length < 8 ? arena.alloc(1 + random(5000)) : undefined;
      if (block !== undefined) {
        if (random(3) === 0) arena.grow(block, 1 + random(9000));
        arena.view(block).fill(task.id);
        held.push(block);
      } else if (held.length > 0) letGo();
    }
    while (held.length > 0) letGo();
    return faults;
  },
};

export type Roles = typeof roles;
export type RoleName = keyof Roles;

interface Assignment {
  readonly memory: WebAssembly.Memory;
  readonly debug: boolean;
  readonly gate: number;
  readonly size: number;
  readonly role: RoleName;
  readonly task: never;
}

function run({ memory, debug, gate, size, role, task }: Assignment): unknown {
  const core = Core.attach({ memory, debug });
  const index = gate >>> 2;
  Atomics.add(core.i32, index, 1);
  Atomics.notify(core.i32, index);
  for (let seen = Atomics.load(core.i32, index); seen < size; ) {
    Atomics.wait(core.i32, index, seen, 1000);
    seen = Atomics.load(core.i32, index);
  }
  return roles[role](core, task);
}

if (parentPort !== null) {
  let message: CrewMessage;
  try {
    message = { result: run(workerData as Assignment) };
  } catch (error) {
    message = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  parentPort.postMessage(message);
}
