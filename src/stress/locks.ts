/**
 * The lock experiment (R6): what lock, number, store and release cost an
 * operation, by how many connections share a lock, at several numbers of
 * threads and connections.
 */
import { LOCK_STRIDE } from '#generated/layout';
import type { Core } from '../core/core.ts';
import { withCrew } from './crew.ts';
import type { Experiment, Watcher } from './experiment.ts';
import { CONNECTION, type LocksCell, type LocksResult } from './locks-thread.ts';

export interface LocksOptions {
  readonly workers: readonly number[];
  readonly connections: readonly number[];
  /** N of `stripes:N`. */
  readonly stripes: number;
  /** How long each cell of the table is measured. */
  readonly ms: number;
}

export interface LocksRun {
  readonly lock: string;
  readonly workers: number;
  readonly connections: number;
  /** Of all workers together: elapsed time by operations. */
  readonly nsPerOperation: number;
  readonly operations: number;
  /** Operations handed out of their turn, or lost: never any. */
  readonly violations: number;
}

export interface LocksExperiment extends Experiment<LocksRun> {
  /** What is cheapest over the whole table. */
  readonly recommended: string;
  /** By lock, the geometric mean of its cost relative to the cheapest in each cell. */
  readonly relative: Readonly<Record<string, number>>;
}

const MEMORY_BYTES = 2 ** 22;
const TIMEOUT_MS = 60_000;

interface Granularity {
  readonly name: string;
  lockCount(connections: number): number;
}

export async function runLocks(options: LocksOptions, watch: Watcher): Promise<LocksExperiment> {
  const granularities: readonly Granularity[] = [
    { name: 'socket', lockCount: (connections) => connections },
    { name: `stripes:${options.stripes}`, lockCount: (n) => Math.min(options.stripes, n) },
    { name: 'all', lockCount: () => 1 },
  ];
  const runs: LocksRun[] = [];
  const cells = options.workers.length * options.connections.length * granularities.length;
  const stopWatching = watch(() => `${runs.length} of ${cells} cells measured`);
  try {
    for (const workers of options.workers) {
      for (const connections of options.connections) {
        for (const granularity of granularities) {
          runs.push(await measure(granularity, workers, connections, options.ms));
        }
      }
    }
  } finally {
    stopWatching();
  }
  const relative = compare(runs);
  const [recommended = ''] = Object.keys(relative).sort(
    (a, b) => (relative[a] as number) - (relative[b] as number),
  );
  return { runs, held: runs.every(({ violations }) => violations === 0), recommended, relative };
}

function measure(
  { name, lockCount }: Granularity,
  workers: number,
  connections: number,
  ms: number,
): Promise<LocksRun> {
  const bytes = connections * (CONNECTION.$size + LOCK_STRIDE);
  return withCrew(MEMORY_BYTES + bytes, async (crew) => {
    const cell = place(crew.core, connections, lockCount(connections));
    const results = Array.from({ length: workers }, (_, thread) =>
      crew.add('locks', { ...cell, thread, ms }),
    );
    await crew.begin();
    await crew.finish(TIMEOUT_MS);
    const done = await Promise.all(results);
    const made = done.reduce((sum, result) => sum + result.made, 0);
    const lost = Math.abs(made - numbersTaken(crew.core, cell));
    return { lock: name, workers, connections, ...sumUp(done, lost) };
  });
}

/** Locks that are free, connections that begin at 0. */
function place(core: Core, connections: number, lockCount: number): LocksCell {
  const locks = core.reserve(lockCount * LOCK_STRIDE);
  const base = core.reserve(connections * CONNECTION.$size);
  for (let slot = 0; slot < connections; slot++) {
    const connection = base + slot * CONNECTION.$size;
    const { store, values, windowLog2 } = CONNECTION;
    core.exports.storeInit(connection + store, connection + values, windowLog2, 0);
  }
  return { locks, lockCount, base, connections };
}

/** Of all connections: each operation took one. */
function numbersTaken({ u32 }: Core, { base, connections }: LocksCell): number {
  let taken = 0;
  for (let slot = 0; slot < connections; slot++) {
    taken += u32[(base + slot * CONNECTION.$size + CONNECTION.sequencer) >>> 2] as number;
  }
  return taken;
}

function sumUp(results: readonly LocksResult[], lost: number) {
  const perMs = results.reduce((sum, { operations, ms }) => sum + operations / ms, 0);
  return {
    nsPerOperation: 1e6 / perMs,
    operations: results.reduce((sum, { operations }) => sum + operations, 0),
    violations: results.reduce((sum, { violations }) => sum + violations, lost),
  };
}

/** Cells differ by an order of magnitude, so that each counts by its ratio. */
function compare(runs: readonly LocksRun[]): Record<string, number> {
  const logs = new Map<string, number[]>();
  for (const { lock, workers, connections, nsPerOperation } of runs) {
    const cell = runs.filter((run) => run.workers === workers && run.connections === connections);
    const best = Math.min(...cell.map((run) => run.nsPerOperation));
    logs.set(lock, [...(logs.get(lock) ?? []), Math.log(nsPerOperation / best)]);
  }
  return Object.fromEntries(
    [...logs].map(([lock, values]) => [
      lock,
      Math.exp(values.reduce((sum, value) => sum + value, 0) / values.length),
    ]),
  );
}
