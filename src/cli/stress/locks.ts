/** `stress --experiment locks` (R6). */
import { runLocks } from '../../stress/locks.ts';
import { type Experimenter, grid } from './report.ts';

export const locks: Experimenter = async (values, watch) => {
  const { workers, connections, stripes } = values;
  const ms = values['cell-ms'];
  const { runs, held, recommended, relative } = await runLocks(
    { workers, connections, stripes, ms },
    watch,
  );
  const names = Object.keys(relative);
  const rows = workers.flatMap((worker) =>
    connections.map((connection) => [
      worker,
      connection,
      ...names.map(
        (name) =>
          runs.find(
            (run) => run.lock === name && run.workers === worker && run.connections === connection,
          )?.nsPerOperation ?? Number.NaN,
      ),
    ]),
  );
  const ratios = names.map((name) => `${name} ${(relative[name] as number).toFixed(2)}`);
  return {
    held,
    json: { recommended, relative, runs },
    text: [
      'Nanoseconds an operation (lock, number, store, release), of all workers together.',
      '',
      grid(['workers', 'connections', ...names.map((name) => `lock ${name}`)], rows),
      '',
      `Cost relative to the cheapest, over the table: ${ratios.join(', ')}.`,
      `Recommended: --lock ${recommended}.`,
    ],
  };
};
