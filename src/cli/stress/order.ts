/** `stress --experiment order` (R12). */
import { type OrderRun, runOrder } from '../../stress/order.ts';
import { type PackageRun, runOrderPackage } from '../../stress/order-package.ts';
import { notSupported } from '../outcome.ts';
import { sharedSocketBackend, timeoutMs } from './options.ts';
import { type Experimenter, grid } from './report.ts';

const THREADS = 2;
const PACKETS = 1_000_000;

export const order: Experimenter = async (values, watch) => {
  const backend = sharedSocketBackend(values);
  if (backend === 'uring') {
    throw notSupported('order needs receives that are pending: --backend sim or iocp');
  }
  const { seed, server } = values;
  const threads = values.threads || THREADS;
  const poolThreads = values['pool-threads'];
  const packets = values.packets || PACKETS;
  const options = { backend, poolThreads, packets, seed, timeoutMs: timeoutMs(values) };

  const nothing = { runs: [], held: true };
  const documents = server === 'package' ? nothing : await runOrder({ ...options, threads }, watch);
  const own =
    server === 'documents'
      ? nothing
      : await runOrderPackage({ ...options, workers: threads }, watch);
  return {
    held: documents.held && own.held,
    json: { backend, threads, poolThreads, runs: documents.runs, package: own.runs },
    text: [
      `${threads} I/O threads, ${poolThreads} threads of the pool; all on: 20 reads, 4 fragments.`,
      ...(server === 'package' ? [] : ['', documentsTable(documents.runs)]),
      ...(server === 'documents'
        ? []
        : [
            '',
            'The package’s own servers: shared scheduling; the ordered pool.',
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
