/** `stress --experiment close`. */
import { runClose } from '../../stress/close.ts';
import { table } from '../terminal.ts';
import type { Experimenter } from './report.ts';

const WORKERS = 4;
const SECONDS = 10;

export const close: Experimenter = async (values, watch) => {
  const { runs, held } = await runClose(
    {
      backend: values.backend,
      scheduling: values.scheduling === 'shared' ? 'shared' : 'pinned',
      workers: values.threads || WORKERS,
      clients: values.clients,
      seconds: values.seconds || SECONDS,
      seed: values.seed,
    },
    watch,
  );
  const [run] = runs;
  if (run === undefined) throw new Error('nothing was run');
  const { stop: _, recent: __, ...shown } = run;
  const leftover = Object.entries(run.left).map(([name, count]) => `${count} ${name}`);
  return {
    held,
    json: { ...shown },
    text: [
      `${run.workers} workers (${run.scheduling}, ${run.backend}) and ${values.clients} clients for ${run.seconds.toFixed(1)} s.`,
      '',
      table([
        ['connections', `${run.opens} opened, ${run.closes} closed`],
        ['messages', `${run.messages}`],
        [
          'calls from other threads',
          `${run.remoteCalls}, ${run.remoteAnswers} answered, ${run.remoteRefusals} too late`,
        ],
        ['completions', `${run.completions}, ${run.staleCompletions} of nothing`],
        ['handlers after close', `${run.strayHandlers + run.clientStray}`],
        ['two handlers at once', `${run.concurrentHandlers}`],
        ['opened or closed twice', `${run.doubleOpens + run.doubleCloses}`],
        ['other errors', `${run.strangeErrors}`],
        ['left', leftover.join(', ')],
      ]),
    ],
  };
};
