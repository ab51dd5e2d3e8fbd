/**
 * The order experiment (R12): the documents' echo server with each combination
 * of its switches that they tell of, on real threads. Each has its effect.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Tally } from '../cli/ledger.ts';
import { type SharedSocketBackend, sharedSockets } from '../registry.ts';
import { type Crew, withCrew } from './crew.ts';
import type { EchoPlan } from './echo-client.ts';
import type { Experiment, Watcher } from './experiment.ts';
import { clientBytes, serveOrderClient } from './order-client.ts';
import {
  createOrderMemory,
  JOBS_MOST,
  OrderMemory,
  type OrderSwitches,
  receiveCount,
  WRITES_MOST,
} from './order-memory.ts';

export interface OrderOptions {
  readonly backend: SharedSocketBackend;
  /** I/O threads. */
  readonly threads: number;
  /** Threads of the pool. */
  readonly poolThreads: number;
  /** Of the combination that has all on; those that go wrong show it in fewer. */
  readonly packets: number;
  /** The receive and the send call of a socket each have a lock of their own (R15); one for both if not. */
  readonly separateLocks: boolean;
  readonly seed: number;
  readonly timeoutMs: number;
}

/** What a combination of switches leads to. */
export type Effect =
  | 'clean'
  | 'stream out of order'
  | 'sequence and content mismatches'
  | 'sequence mismatches only'
  | 'mixed writes';

export interface Combination {
  readonly name: string;
  readonly switches: OrderSwitches;
  readonly effect: Effect;
}

export interface OrderRun extends Combination, Readonly<Tally> {
  readonly packets: number;
  /** Receives after which the stream was no more frames. */
  readonly malformed: number;
  /** Threads that had something to do: of the I/O, of the pool. */
  readonly threads: readonly [io: number, pool: number];
  /** Receives, packets and writes that the server still had at the end. */
  readonly left: number;
  readonly seconds: number;
  readonly held: boolean;
}

const ALL_ON: OrderSwitches = {
  reads: 20,
  poolOrder: true,
  fragments: 4,
  readOrder: true,
  writeOrder: true,
  eagerRead: true,
};

/** R12, in the documents' order; the last is what they could not show. */
export const COMBINATIONS: readonly Combination[] = [
  { name: 'all on', switches: ALL_ON, effect: 'clean' },
  {
    name: 'one read, not eager, read order off',
    switches: { ...ALL_ON, reads: 1, eagerRead: false, readOrder: false },
    effect: 'clean',
  },
  {
    name: 'read order off',
    switches: { ...ALL_ON, readOrder: false },
    effect: 'stream out of order',
  },
  {
    name: 'pool order off, fragmented echo',
    switches: { ...ALL_ON, poolOrder: false },
    effect: 'sequence and content mismatches',
  },
  {
    name: 'pool order off, whole echo',
    switches: { ...ALL_ON, poolOrder: false, fragments: 1 },
    effect: 'sequence mismatches only',
  },
  {
    name: 'write order off',
    switches: { ...ALL_ON, writeOrder: false },
    effect: 'mixed writes',
  },
];

const MEMORY_BYTES = 2 ** 24;
const PACKET_BYTES = 200;
const IN_FLIGHT = 64;
/** An effect shows in so many packets; if it does not, in some of the next rounds. */
const EFFECT_PACKETS = 50_000;
const EFFECT_ROUNDS = 4;
/** The clean combination that is slower by its nature. */
const ONE_READ_SHARE = 5;
const SETTLE_MS = 2000;
/** Where nothing may be left, for as long as a loaded machine needs. */
const SETTLE_CLEAN_MS = 20_000;

export async function runOrder(
  options: OrderOptions,
  watch: Watcher,
): Promise<Experiment<OrderRun>> {
  const runs: OrderRun[] = [];
  for (const combination of COMBINATIONS)
    runs.push(await runCombination(options, combination, watch));
  return { runs, held: runs.every(({ held }) => held) };
}

export async function runCombination(
  options: OrderOptions,
  combination: Combination,
  watch: Watcher,
): Promise<OrderRun> {
  const { effect, switches } = combination;
  if (effect === 'clean') {
    const share = switches.reads === 1 ? ONE_READ_SHARE : 1;
    return runOnce(options, combination, Math.ceil(options.packets / share), watch);
  }
  const packets = Math.min(options.packets, EFFECT_PACKETS);
  let run = await runOnce(options, combination, packets, watch);
  for (let round = 1; round < EFFECT_ROUNDS && !run.held; round++) {
    run = await runOnce(options, combination, packets, watch);
  }
  return run;
}

async function runOnce(
  { backend, threads, poolThreads, separateLocks, seed, timeoutMs }: OrderOptions,
  combination: Combination,
  packets: number,
  watch: Watcher,
): Promise<OrderRun> {
  const { name, switches } = combination;
  const plan: EchoPlan = { packets, packetBytes: PACKET_BYTES, inFlight: IN_FLIGHT, seed };
  return withCrew(MEMORY_BYTES, async (crew) => {
    const { core, board } = crew;
    const sockets = await sharedSockets(backend);
    const real = sockets.bothEnds ? undefined : await serveOrderClient(plan);
    const socket = await sockets.open(core, {
      datagrams: false,
      overlapped: true,
      waitAll: false,
      port: real?.port ?? 0,
      slots: receiveCount(switches, threads) + JOBS_MOST + WRITES_MOST,
    });
    try {
      const handle = createOrderMemory(core, switches, threads, separateLocks);
      const memory = new OrderMemory(core, handle);
      memory.addMissing(switches.reads);
      const task = { backend, socket: socket.handle, memory: handle, switches };
      const io = repeat(threads, () => crew.add('orderIo', task));
      const pool = repeat(poolThreads, () => crew.add('orderPool', task));
      const done = real?.done ?? addClient(crew, backend, socket.handle, plan);
      const stopWatching = watch(
        () => `${name}: ${board.get('checked')} of ${packets} packets echoed`,
      );
      await crew.begin();
      const startedAt = performance.now();
      real?.begin();
      let isLate = false;
      const limit = setTimeout(() => {
        isLate = true;
        board.stop();
      }, timeoutMs);
      const tally = await Promise.race([done, crew.failed]).finally(() => {
        clearTimeout(limit);
        stopWatching();
      });
      const seconds = (performance.now() - startedAt) / 1000;
      const isBroken = combination.effect === 'stream out of order';
      const left = await settle(memory, isBroken ? SETTLE_MS : SETTLE_CLEAN_MS);
      board.stop();
      await crew.finish(timeoutMs);
      const busy = async (results: readonly Promise<{ readonly processed: number }>[]) =>
        (await Promise.all(results)).filter(({ processed }) => processed > 0).length;
      const run = {
        ...combination,
        ...tally,
        packets,
        malformed: board.get('wrong'),
        threads: [await busy(io), await busy(pool)] as const,
        left,
        seconds,
      };
      return { ...run, held: hasEffect(run) && !isLate };
    } finally {
      board.stop();
      await crew.end();
      await real?.close();
      await socket.close();
    }
  });
}

function addClient(
  crew: Crew,
  backend: SharedSocketBackend,
  socket: unknown,
  plan: EchoPlan,
): Promise<Tally> {
  const buffers = crew.core.reserve(clientBytes(plan));
  return crew.add('orderClient', { backend, socket, plan, buffers });
}

function repeat<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}

/** What the server still has once it had time to come to an end. */
async function settle({ receives, jobs, writes }: OrderMemory, limitMs: number): Promise<number> {
  const deadline = performance.now() + limitMs;
  const left = () => receives.inUse + jobs.inUse + writes.inUse;
  while (left() > 0 && performance.now() < deadline) await sleep(5);
  return left();
}

/** Whether a run shows what its switches lead to, and nothing else. */
function hasEffect(run: Omit<OrderRun, 'held'>): boolean {
  const { effect, packets, received, lost, malformed, left } = run;
  const { sequenceMismatches, contentMismatches, duplicates } = run;
  const isComplete = received === packets && malformed === 0 && left === 0;
  switch (effect) {
    case 'clean':
      return isComplete && sequenceMismatches + contentMismatches + duplicates + lost === 0;
    case 'stream out of order':
      // A length that is garbage may also make it wait for ever.
      return malformed + sequenceMismatches + contentMismatches + lost > 0;
    case 'sequence and content mismatches':
      return isComplete && sequenceMismatches > 0 && contentMismatches > 0;
    case 'sequence mismatches only':
      return isComplete && sequenceMismatches > 0 && contentMismatches + duplicates + lost === 0;
    case 'mixed writes':
      return isComplete && contentMismatches > 0;
  }
}
