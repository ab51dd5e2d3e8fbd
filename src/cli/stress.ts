/** `overlapped stress`: the experiments with several threads on one socket (R6, R12, R16, R17, R18). */
import { randomInt } from 'node:crypto';
import { command } from './command.ts';
import { EXIT_FAILED, EXIT_OK } from './outcome.ts';
import { close } from './stress/close.ts';
import { locks } from './stress/locks.ts';
import { type ExperimentName, experimentName, stressOptions } from './stress/options.ts';
import { order } from './stress/order.ts';
import { recv } from './stress/recv.ts';
import type { Experimenter } from './stress/report.ts';
import { senders } from './stress/senders.ts';
import { Progress, paint } from './terminal.ts';

const EXPERIMENTS: Readonly<Record<ExperimentName, Experimenter>> = {
  order,
  recv,
  senders,
  locks,
  close,
};

export const stress = command({
  name: 'stress',
  summary: 'Experiments with several threads on one socket.',
  notes: [
    'order    the echo server with each of its switches off: what goes wrong, and what does not',
    'recv     several threads receive on one socket: is what they get corrupt?',
    'senders  several threads send packets on one socket: do they arrive whole?',
    'locks    what a lock per socket, per stripe or for all costs',
    'close    threads send, receive, close and abort the same connections',
    '',
    'Exit code 0: with the lock, or with all switches on, nothing went wrong, and',
    'the simulator showed what goes wrong without.',
  ].join('\n'),
  options: stressOptions,
  async run(values) {
    const name = experimentName(values.experiment);
    const experiment = EXPERIMENTS[name];
    // Kept short, so that it can be typed again.
    const seed = values.seed || randomInt(1, 1_000_000);
    const startedAt = performance.now();
    const { held, text, json } = await experiment({ ...values, seed }, (describe) => {
      const progress = new Progress(describe);
      return () => progress.stop();
    });
    const seconds = (performance.now() - startedAt) / 1000;
    if (values.json) {
      console.log(JSON.stringify({ experiment: name, held, seed, seconds, ...json }));
    } else {
      const verdict = held ? paint('as expected', 'green') : paint('NOT as expected', 'red');
      console.log([...text, '', `${verdict} (--seed ${seed})`].join('\n'));
    }
    return held ? EXIT_OK : EXIT_FAILED;
  },
});
