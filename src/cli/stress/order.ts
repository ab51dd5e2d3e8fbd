/** `stress --experiment order` (R12). */
import { type OrderRun, runOrder } from '../../stress/order.ts';
import { keepsPending, type PackageRun, runOrderPackage } from '../../stress/order-package.ts';
import { notSupported } from '../outcome.ts';
import { timeoutMs } from './options.ts';
import { type Experimenter, grid } from './report.ts';

const THREADS = 2;
const PACKETS = 1_000_000;

export const order: Experimenter = async (values, watch) => {
  const backend = values.backend === 'auto' ? 'sim' : values.backend;
  // The documents' server is made of receives that stay pending on a socket of many threads.
  const isPending = keepsPending(backend);
  if (!isPending && values.server === 'documents') {
    throw notSupported(
      'the documents’ server needs receives that are pending: --backend sim or iocp',
    );
  }
  const { seed } = values;
  const server = isPending ? values.server : 'package';
  const preferred = isPending ? 'shared' : 'pinned';
  const scheduling = values.scheduling === 'auto' ? preferred : values.scheduling;
  const threads = values.threads || THREADS;
  const poolThreads = values['pool-threads'];
  const packets = values.packets || PACKETS;
  const options = { poolThreads, packets, seed, timeoutMs: timeoutMs(values) };

  const nothing = { runs: [], held: true };
  const separateLocks = values['separate-locks'];
  const documents =
    server === 'package' || !isPending
      ? nothing
      : await runOrder({ ...options, backend, threads, separateLocks }, watch);
  const own =
    server === 'documents'
      ? nothing
      : await runOrderPackage({ ...options, backend, scheduling, workers: threads }, watch);
  return {
    held: documents.held && own.held,
    json: { backend, scheduling, threads, poolThreads, runs: documents.runs, package: own.runs },
    text: [
      `${threads} I/O threads, ${poolThreads} threads of the pool; all on: 20 reads, 4 fragments.`,
      ...(server === 'package' ? [] : ['', documentsTable(documents.runs)]),
      ...(server === 'documents'
        ? []
        : [
            '',
            `The package’s own servers on ${backend}: ${scheduling} workers; the ordered pool.`,
            '',
            ownTable(own.runs),
          ]),
    ],
  };
};

const HEADER = ['switches', 'packets', 'echoed', 'sequence', 'content', 'lost'] as const;

type Counts = Pick<
  OrderRun,
  'name' | 'packets' | 'received' | 'sequenceMismatches' | 'contentMismatches' | 'lost'
>;

function counts(run: Counts) {
  const { name, packets, received, sequenceMismatches, contentMismatches, lost } = run;
  return [name, packets, received, sequenceMismatches, contentMismatches, lost] as const;
}

function documentsTable(runs: readonly OrderRun[]): string {
  return grid(
    [...HEADER, 'malformed', 'seconds', 'expected', 'shown'],
    runs.map((run) => [...counts(run), run.malformed, run.seconds, run.effect, run.held]),
  );
}

function ownTable(runs: readonly PackageRun[]): string {
  const failed = ({ errors }: PackageRun) =>
    Object.values(errors).reduce((sum, count) => sum + count, 0);
  return grid(
    [...HEADER, 'failed', 'seconds', 'expected', 'shown'],
    runs.map((run) => [...counts(run), failed(run), run.seconds, run.effect, run.shown]),
  );
}
